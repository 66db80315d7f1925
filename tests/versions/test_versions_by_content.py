"""Which version a run was of, where several have the same text."""

from datetime import UTC, datetime, timedelta

import pytest

from sharpen.testing.version_suite import make_prompt
from sharpen.versions.by_content import VersionsByContent
from sharpen.versions.models import PromptVersion

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def made(number: str, text: str, day: int, **fields: str) -> PromptVersion:
    prompt = make_prompt(text)
    moment = BEGAN + timedelta(days=day)
    return PromptVersion.model_validate(
        {"workflow_id": "triage", "version": number, "prompt": prompt, "content_hash": prompt.content_hash,
         "created_at": moment, **fields}
    )  # fmt: skip


VERSIONS = VersionsByContent(
    [
        made("1.0.0", "a", 1),
        made("1.0.1-draft.1", "a", 2, kind="draft"),
        made("1.0.1", "b", 3),
        made("1.0.2", "a", 5, kind="rollback"),
        made("1.1.0-draft.1", "c", 4, kind="draft"),
    ]
)


@pytest.mark.parametrize(
    ("text", "day", "version"),
    [
        ("a", 0, "1.0.0"),  # before there was any: the first it became
        ("a", 1, "1.0.0"),
        ("a", 4, "1.0.0"),  # not the draft
        ("a", 5, "1.0.2"),
        ("a", 9, "1.0.2"),
        ("b", 9, "1.0.1"),  # no longer the latest, but no other has its text
        ("c", 0, "1.1.0-draft.1"),
    ],
)
def test_the_version_of_that_time_is_named(text: str, day: int, version: str) -> None:
    found = VERSIONS.at(make_prompt(text).content_hash, BEGAN + timedelta(days=day))
    assert found is not None
    assert found.version == version


def test_a_text_that_became_no_version_has_none() -> None:
    assert VERSIONS.at(make_prompt("d").content_hash, BEGAN) is None
    assert VERSIONS.at(None, BEGAN) is None
