import asyncio

import pytest
from pydantic import TypeAdapter

from sharpen.assertions.grading import Grade, Grader
from sharpen.config.assertions import AssertionConfig

_adapter = TypeAdapter(AssertionConfig)


@pytest.fixture(scope="session")
def parse():
    """A plan's entry, validated."""
    return _adapter.validate_python


@pytest.fixture(scope="session")
def grade(parse):
    """Grade one output by entries as a plan writes them."""

    def run(*entries, base_dir=None, **case) -> Grade:
        grader = Grader([parse(entry) for entry in entries], base_dir)
        return asyncio.run(grader.grade(**case))

    return run


@pytest.fixture(scope="session")
def result(grade):
    """The result of one entry on one output."""

    def run(type, output, *, value=..., base_dir=None, keys=None, **case):
        entry = {"type": type, **({} if value is ... else {"value": value}), **(keys or {})}
        (only,) = grade(entry, base_dir=base_dir, output=output, **case).results
        return only

    return run
