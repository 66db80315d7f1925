"""The contract of a version repository.

Inherit it, give its fixture, and pytest does the rest::

    class TestMyRepository(VersionRepositoryContract):
        @pytest.fixture
        def repository(self) -> MyRepository:
            return MyRepository()

Needs pytest. Every test gets a fresh, empty repository from the fixture.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from sharpen.config.prompts import PromptMessage
from sharpen.errors import UnknownNameError, VersionConflictError
from sharpen.optimizer.models import (
    Change,
    Metrics,
    Prompt,
)
from sharpen.versions.models import PromptVersion
from sharpen.versions.ports import VersionRepository
from sharpen.versions.version_manager import VersionManager


def make_prompt(text: str = "Sort {{ message }} into a queue.", workflow_id: str = "triage") -> Prompt:
    """A prompt of two messages."""
    system = PromptMessage(role="system", content="You answer with one word. Ünïcode ✓ \u2028")
    return Prompt(id="p", workflow_id=workflow_id, messages=(system, PromptMessage(role="user", content=text)))


def make_version(
    version: str = "1.0.0", text: str = "Sort {{ message }}.", workflow_id: str = "triage"
) -> PromptVersion:
    """A version with something in every field that a backend could lose."""
    prompt = make_prompt(text, workflow_id)
    return PromptVersion(
        workflow_id=workflow_id,
        version=version,
        prompt=prompt,
        content_hash=prompt.content_hash,
        parent="0.9.0",
        kind="optimized",
        improvement=12.345678901234567,
        run_ids=("run-1", "run-2"),
        metrics=Metrics(cases=7, success_rate=1 / 3, cost_per_request=None, avg_latency_ms=0.1 + 0.2),
        changes=(Change(rule_id="CF001", reason="says “why”", before="a\nb", after=""),),
        message="first\nsecond",
        metadata={"seed": 0, "nested": {"list": [1, None, True, "é"]}},
    )


class VersionRepositoryContract:
    """What every ``VersionRepository`` must do."""

    @pytest.fixture
    def repository(self) -> VersionRepository:
        """Override: a fresh, empty repository."""
        # not implemented on purpose: whoever inherits the suite overrides it
        raise NotImplementedError("override 'repository': return a fresh, empty repository")

    def test_a_version_comes_back_equal(self, repository: VersionRepository) -> None:
        version = make_version()
        repository.add(version)
        assert repository.get("triage", "1.0.0") == version

    def test_unknown_names_are_none_or_empty(self, repository: VersionRepository) -> None:
        repository.add(make_version())
        assert repository.get("triage", "2.0.0") is None
        assert repository.get("other", "1.0.0") is None
        assert repository.get_alias("triage", "production") is None
        assert repository.list("other") == ()
        assert repository.aliases("other") == {}
        assert repository.alias_history("triage", "production") == ()

    def test_adding_a_version_twice_is_a_conflict_and_keeps_the_first(self, repository: VersionRepository) -> None:
        repository.add(make_version(text="first"))
        with pytest.raises(VersionConflictError, match=r"1\.0\.0.*triage"):
            repository.add(make_version(text="second"))
        kept = repository.get("triage", "1.0.0")
        assert kept is not None
        assert kept.prompt.messages[1].content == "first"

    def test_the_list_keeps_the_order_of_adding_and_workflows_apart(self, repository: VersionRepository) -> None:
        for number in ("1.0.0", "1.0.1-draft.1", "1.10.0", "1.2.0"):
            repository.add(make_version(number))
        repository.add(make_version(workflow_id="another"))
        assert [version.version for version in repository.list("triage")] == [
            "1.0.0",
            "1.0.1-draft.1",
            "1.10.0",
            "1.2.0",
        ]
        assert repository.workflows() == ("another", "triage")

    def test_a_move_of_an_alias_says_why_and_by_whom(self, repository: VersionRepository) -> None:
        repository.add(make_version())
        repository.set_alias("triage", "production", "1.0.0", reason="it won \x00", actor="sharpen ab")
        repository.set_alias("triage", "production", None)
        moves = repository.alias_history("triage", "production")
        assert [(move.reason, move.actor) for move in moves] == [("it won \x00", "sharpen ab"), (None, None)]

    def test_two_versions_may_hold_the_same_contents(self, repository: VersionRepository) -> None:
        repository.add(make_version("1.0.0"))
        repository.add(make_version("1.0.1"))
        assert len({version.content_hash for version in repository.list("triage")}) == 1

    def test_what_was_read_cannot_change_what_is_kept(self, repository: VersionRepository) -> None:
        version = make_version()
        repository.add(version)
        version.metadata["seed"] = 1
        first = repository.get("triage", "1.0.0")
        assert first is not None
        first.metadata["nested"]["list"].clear()
        second = repository.get("triage", "1.0.0")
        assert second is not None
        assert second.metadata == make_version().metadata

    def test_an_alias_moves_and_every_move_is_remembered(self, repository: VersionRepository) -> None:
        repository.add(make_version("1.0.0"))
        repository.add(make_version("1.1.0"))
        repository.set_alias("triage", "production", "1.0.0")
        repository.set_alias("triage", "production", "1.1.0")
        repository.set_alias("triage", "production", "1.1.0")  # no move
        repository.set_alias("triage", "canary", "1.1.0")
        assert repository.aliases("triage") == {"canary": "1.1.0", "production": "1.1.0"}
        repository.set_alias("triage", "production", None)
        assert repository.get_alias("triage", "production") is None
        assert repository.get_alias("triage", "canary") == "1.1.0"
        moves = repository.alias_history("triage", "production")
        assert [(move.previous, move.version) for move in moves] == [
            (None, "1.0.0"),
            ("1.0.0", "1.1.0"),
            ("1.1.0", None),
        ]
        assert sorted(move.moved_at for move in moves) == [move.moved_at for move in moves]
        everything = repository.alias_history("triage")
        assert [(move.alias, move.version) for move in everything] == [
            ("production", "1.0.0"),
            ("production", "1.1.0"),
            ("canary", "1.1.0"),
            ("production", None),
        ]

    def test_an_alias_needs_an_existing_version(self, repository: VersionRepository) -> None:
        repository.add(make_version("1.0.0"))
        with pytest.raises(UnknownNameError, match=r"1\.0\.1.*did you mean '1\.0\.0'"):
            repository.set_alias("triage", "production", "1.0.1")
        assert repository.aliases("triage") == {}

    def test_compare_and_set_refuses_an_alias_that_moved(self, repository: VersionRepository) -> None:
        repository.add(make_version("1.0.0"))
        repository.add(make_version("1.1.0"))
        with pytest.raises(VersionConflictError, match="is not set"):
            repository.set_alias("triage", "production", "1.1.0", expected_current="1.0.0")
        repository.set_alias("triage", "production", "1.1.0")
        with pytest.raises(VersionConflictError, match=r"points at 1\.1\.0, not at '1\.0\.0'"):
            repository.set_alias("triage", "production", None, expected_current="1.0.0")
        with pytest.raises(VersionConflictError, match="expected to be free"):
            repository.set_alias("triage", "production", "1.0.0", expected_current="")
        repository.set_alias("triage", "canary", "1.0.0", expected_current="")
        repository.set_alias("triage", "production", "1.0.0", expected_current="1.1.0")
        assert repository.get_alias("triage", "production") == "1.0.0"

    def test_of_many_that_expect_an_alias_to_be_free_one_gets_it(self, repository: VersionRepository) -> None:
        names = [f"1.0.{number}" for number in range(6)]
        for name in names:
            repository.add(make_version(name))

        def take(name: str) -> bool:
            try:
                repository.set_alias("triage", "production", name, expected_current="")
            except VersionConflictError:
                return False
            return True

        with ThreadPoolExecutor(6) as pool:
            taken = list(pool.map(take, names))
        assert sum(taken) == 1
        assert repository.get_alias("triage", "production") == names[taken.index(True)]
        assert len(repository.alias_history("triage", "production")) == 1

    def test_many_threads_never_lose_or_repeat_a_version(self, repository: VersionRepository) -> None:
        manager = VersionManager(repository)
        with ThreadPoolExecutor(4) as pool:
            created = list(pool.map(lambda i: manager.create("triage", make_prompt(f"{i}")).version, range(12)))
        assert sorted(created) == sorted(version.version for version in repository.list("triage"))
        assert len(set(created)) == 12
