"""Which kept versions a search should have been told of."""

from __future__ import annotations

from sharpen.optimizer.models import Prompt
from sharpen.versions.newer import newer_than
from sharpen.versions.version_manager import VersionManager


def prompt(text: str) -> Prompt:
    return Prompt.model_validate({"id": "w", "workflow_id": "w", "messages": [{"role": "user", "content": text}]})


def versions() -> VersionManager:
    """1.0.0 is the plan's, 1.1.0 and 2.0.0 came later."""
    manager = VersionManager()
    manager.create("w", prompt("plan"), kind="baseline", run_ids=["s1-00"])
    manager.create("w", prompt("better"), kind="optimized", bump="minor", run_ids=["s1-00", "s1-04"])
    manager.create("w", prompt("best"), kind="optimized", bump="major", run_ids=["s2-00", "s2-09"])
    return manager


def test_nothing_is_newer_than_nothing_or_than_the_latest() -> None:
    assert newer_than(VersionManager(), prompt("plan"), "s9") == ()
    assert newer_than(versions(), prompt("best"), "s9") == ()


def test_the_latest_version_is_named_with_its_command() -> None:
    assert newer_than(versions(), prompt("plan"), "s9") == (
        "version 2.0.0 (latest) is newer than the plan's prompt, 1.0.0: candidates are compared with the plan's alone; "
        "`sharpen versions show w 2.0.0 --format prompt` prints it",
    )


def test_a_prompt_that_was_never_kept_is_only_another_one() -> None:
    (note,) = newer_than(versions(), prompt("edited"), "s9")
    assert note.startswith("version 2.0.0 (latest) is another prompt than the plan's prompt: ")


def test_production_is_named_beside_the_latest_and_once_when_it_is_the_latest() -> None:
    manager = versions()
    manager.tag("w", "1.1.0", "production")
    assert [note.partition(" is")[0] for note in newer_than(manager, prompt("plan"), "s9")] == [
        "version 2.0.0 (latest)",
        "version 1.1.0 (production)",
    ]
    assert len(newer_than(manager, prompt("better"), "s9")) == 1
    manager.tag("w", "2.0.0", "production")
    (note,) = newer_than(manager, prompt("plan"), "s9")
    assert note.startswith("version 2.0.0 (latest, production) is newer")


def test_the_plan_may_have_gone_back_to_a_later_prompt_than_production() -> None:
    manager = versions()
    manager.tag("w", "1.0.0", "production")
    assert newer_than(manager, prompt("best"), "s9")[0].startswith(
        "version 1.0.0 (production) is another prompt than the plan's prompt, 2.0.0"
    )


def test_what_this_search_kept_before_it_was_cut_off_is_no_news() -> None:
    assert newer_than(versions(), prompt("plan"), "s2") == ()
