"""The examples of docs/writing-a-target.md run, plan entries included, and keep the contract."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from sharpen.config.targets import TargetConfig
from sharpen.errors import ErrorKind
from sharpen.targets.base import Message, TargetRequest
from sharpen.targets.registry import build_target
from sharpen.testing.target_suite import TargetContract

TEXT = (Path(__file__).parents[2] / "docs" / "writing-a-target.md").read_text()
FILES = dict(re.findall(r"```python\n# (\w+\.py)[^\n]*\n(.*?)```", TEXT, re.DOTALL))
WORKFLOW, BACKWARDS = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))


@pytest.fixture
def beside_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for name, source in FILES.items():
        (tmp_path / name).write_text(source)
    yield tmp_path
    for name in FILES:
        sys.modules.pop(name.removesuffix(".py"), None)


def run(name: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec(compile(FILES[name], name, "exec"), namespace)
    return namespace


async def ask(plan: dict[str, Any], folder: Path, text: str) -> Any:
    target = build_target(TypeAdapter(TargetConfig).validate_python(plan["target"]), folder)
    async with target:
        try:
            return await target.invoke(TargetRequest((Message("user", text),)))
        except Exception as error:
            return target.classify(error)


async def test_the_function(beside_the_plan: Path) -> None:
    answer = await ask(WORKFLOW, beside_the_plan, "where is my money")
    assert (answer.output, answer.usage.prompt_tokens, answer.cost) == ("billing (mild): where is my money", 4, 0.0001)


async def test_the_class(beside_the_plan: Path) -> None:
    assert (await ask(BACKWARDS, beside_the_plan, "abc")).output == "cba"
    assert (await ask(BACKWARDS, beside_the_plan, "x" * 201)).kind is ErrorKind.RATE_LIMIT


def test_the_class_keeps_the_contract(beside_the_plan: Path) -> None:
    suite = run("test_my_target.py")["TestBackwards"]
    assert issubclass(suite, TargetContract)
    tests = [name for name in dir(suite) if name.startswith("test_")]
    for name in tests:
        getattr(suite(), name)()
    assert len(tests) >= 10


def test_the_scripted_example(beside_the_plan: Path) -> None:
    run("test_my_plan.py")["test_a_refund_goes_to_billing"]()


def test_every_example_is_run() -> None:
    assert set(FILES) == {"my_workflow.py", "my_target.py", "test_my_target.py", "test_my_plan.py"}
    assert TEXT.count("```python") == len(FILES)
