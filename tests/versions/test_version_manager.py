import pytest

from sharpen.config.prompts import PromptMessage
from sharpen.errors import StoreError, UnknownNameError, UserError, VersionConflictError
from sharpen.optimizer.models import Metrics, Prompt
from sharpen.testing.version_suite import VersionRepositoryContract, make_prompt, make_version
from sharpen.versions.comparison import diff_prompts
from sharpen.versions.in_memory import InMemoryVersionRepository
from sharpen.versions.models import PromptVersion
from sharpen.versions.version_manager import VersionManager


class TestInMemory(VersionRepositoryContract):
    @pytest.fixture
    def repository(self) -> InMemoryVersionRepository:
        return InMemoryVersionRepository()


@pytest.fixture
def manager() -> VersionManager:
    return VersionManager()


def numbers(manager: VersionManager) -> list[str]:
    return [version.version for version in manager.list("triage")]


def test_numbers_start_at_one_and_follow_the_bump(manager: VersionManager) -> None:
    created = [
        manager.create("triage", make_prompt(f"{bump} {i}"), bump=bump)
        for i, bump in enumerate(("major", "patch", "minor", "patch", "major"))
    ]
    assert [version.version for version in created] == ["1.0.0", "1.0.1", "1.1.0", "1.1.1", "2.0.0"]
    assert [version.parent for version in created] == [None, "1.0.0", "1.0.1", "1.1.0", "1.1.1"]
    assert numbers(manager) == ["2.0.0", "1.1.1", "1.1.0", "1.0.1", "1.0.0"]
    assert manager.workflows() == ("triage",)


def test_drafts_are_numbered_below_the_next_release_and_are_never_the_latest(manager: VersionManager) -> None:
    first = manager.create("triage", make_prompt("0"), kind="draft", bump="minor")
    assert first.version == "1.0.0-draft.1"
    assert manager.latest("triage") is None
    with pytest.raises(UnknownNameError, match=r"did you mean '1\.0\.0-draft\.1'|known: 1"):
        manager.get("triage", "latest")
    manager.create("triage", make_prompt("a"), kind="baseline")
    drafts = [manager.create("triage", make_prompt(f"d{i}"), kind="draft", bump="minor") for i in range(2)]
    assert [draft.version for draft in drafts] == ["1.1.0-draft.1", "1.1.0-draft.2"]
    assert manager.create("triage", make_prompt("e"), kind="draft", bump="patch").version == "1.0.1-draft.1"
    latest = manager.latest("triage")
    assert latest is not None
    assert latest.version == "1.0.0"
    assert manager.create("triage", make_prompt("f"), bump="minor").version == "1.1.0"


def test_evidence_is_kept(manager: VersionManager) -> None:
    metrics = Metrics(cases=10, success_rate=0.9)
    version = manager.create(
        "triage", make_prompt(), kind="optimized", improvement=7.5, run_ids=["a", "b"], metrics=metrics, message="why"
    )
    assert (version.improvement, version.run_ids, version.metrics, version.message) == (7.5, ("a", "b"), metrics, "why")
    assert version.content_hash == make_prompt().content_hash
    assert manager.get("triage", "1.0.0") == version


def test_a_reference_is_a_version_latest_or_an_alias(manager: VersionManager) -> None:
    for text in "abc":
        manager.create("triage", make_prompt(text))
    manager.tag("triage", "1.0.0", "production")
    assert manager.get("triage").version == manager.get("triage", "latest").version == "1.0.2"
    assert manager.get("triage", "production").version == "1.0.0"
    child = manager.create("triage", make_prompt("d"), parent="production")
    assert (child.parent, child.version) == ("1.0.0", "1.0.3")


def test_unknown_names_list_what_exists(manager: VersionManager) -> None:
    with pytest.raises(UnknownNameError, match="unknown workflow 'triage'; none is known"):
        manager.get("triage")
    manager.create("triage", make_prompt())
    manager.tag("triage", "latest", "production")
    with pytest.raises(UnknownNameError, match="unknown workflow 'triaeg'; did you mean 'triage'"):
        manager.get("triaeg")
    with pytest.raises(
        UnknownNameError, match=r"unknown version of 'triage' 'xyz'; known: 1\.0\.0, latest, production"
    ):
        manager.get("triage", "xyz")
    with pytest.raises(UnknownNameError, match="xyz"):
        manager.create("triage", make_prompt(), parent="xyz")
    with pytest.raises(UnknownNameError, match="unknown alias of 'triage' 'produktion'; did you mean 'production'"):
        manager.untag("triage", "produktion")
    with pytest.raises(UserError, match="workflow_id is ''"):
        manager.create("", make_prompt())


def test_contents_are_found_and_a_release_wins_over_a_draft(manager: VersionManager) -> None:
    assert manager.find_by_content("triage", make_prompt("a").content_hash) is None
    manager.create("triage", make_prompt("a"), kind="draft")
    found = manager.find_by_content("triage", make_prompt("a").content_hash)
    assert found is not None
    assert found.kind == "draft"
    manager.create("triage", make_prompt("a"))
    manager.create("triage", make_prompt("b"))
    manager.create("triage", make_prompt("a"), kind="draft")
    found = manager.find_by_content("triage", make_prompt("a").content_hash)
    assert found is not None
    assert found.version == "1.0.0"


def test_rollback_is_a_new_head_with_the_old_contents(manager: VersionManager) -> None:
    metrics = Metrics(cases=3, success_rate=1.0)
    old = manager.create("triage", make_prompt("a"), metrics=metrics, run_ids=["r"])
    manager.create("triage", make_prompt("b"), bump="major")
    before = manager.list("triage")
    head = manager.rollback("triage", "1.0.0")
    assert (head.version, head.kind, head.parent) == ("2.0.1", "rollback", "2.0.0")
    assert head.prompt == old.prompt
    assert (head.metrics, head.run_ids, head.metadata) == (metrics, ("r",), {"restores": "1.0.0"})
    assert manager.list("triage") == (head, *before)
    assert manager.latest("triage") == head


def test_rollback_refuses_what_would_change_nothing_and_drafts(manager: VersionManager) -> None:
    manager.create("triage", make_prompt("a"))
    draft = manager.create("triage", make_prompt("b"), kind="draft")
    with pytest.raises(VersionConflictError, match="nothing to roll back"):
        manager.rollback("triage", "latest")
    with pytest.raises(VersionConflictError, match="is a draft that was never released"):
        manager.rollback("triage", draft.version)


def test_tags_move_with_compare_and_set_and_are_remembered(manager: VersionManager) -> None:
    manager.create("triage", make_prompt("a"))
    manager.create("triage", make_prompt("b"))
    assert manager.tag("triage", "1.0.0", "production").version == "1.0.0"
    with pytest.raises(VersionConflictError, match="look again"):
        manager.tag("triage", "latest", "production", expected_current="1.0.1")
    manager.tag("triage", "latest", "production", expected_current="1.0.0")
    assert manager.aliases("triage") == {"production": "1.0.1"}
    with pytest.raises(VersionConflictError):
        manager.untag("triage", "production", expected_current="1.0.0")
    manager.untag("triage", "production")
    assert manager.aliases("triage") == {}
    assert [move.version for move in manager.alias_history("triage", "production")] == ["1.0.0", "1.0.1", None]


@pytest.mark.parametrize("alias", ["", "latest", "1.0.0", "a b", "-x", "x" * 65, "a/b"])
def test_bad_alias_names_are_refused(manager: VersionManager, alias: str) -> None:
    manager.create("triage", make_prompt())
    with pytest.raises(UserError, match="alias "):
        manager.tag("triage", "latest", alias)


def test_comparison_shows_texts_and_metrics(manager: VersionManager) -> None:
    manager.create("triage", make_prompt("one\ntwo"), metrics=Metrics(cases=4, success_rate=0.5, cost_per_request=None))
    manager.create("triage", make_prompt("one\nthree"), metrics=Metrics(cases=4, success_rate=0.75, cost_per_request=1))
    comparison = manager.compare("triage", "1.0.0", "latest")
    assert comparison.diff.splitlines()[:2] == ["--- triage@1.0.0", "+++ triage@1.0.1"]
    assert {"-two", "+three", " one", " # user"} <= set(comparison.diff.split("\n"))
    by_name = {metric.name: metric for metric in comparison.metrics}
    assert by_name["success_rate"].difference == 0.25
    assert (by_name["cost_per_request"].b, by_name["cost_per_request"].difference) == (1, None)
    same = manager.compare("triage", "1.0.0", "1.0.0")
    assert same.diff == ""


def test_comparison_of_unmeasured_versions_has_no_metrics(manager: VersionManager) -> None:
    manager.create("triage", make_prompt("a"))
    manager.create("triage", make_prompt("b"))
    assert manager.compare("triage", "1.0.0", "1.0.1").metrics == ()


def test_a_diff_shows_every_line_even_with_odd_separators() -> None:
    a = Prompt(id="p", messages=(PromptMessage(role="user", content="x\u2028y\fz"),))
    b = Prompt(id="p", messages=(PromptMessage(role="system", content="x\u2028y\fz"),))
    assert diff_prompts(a, b).split("\n")[-3:] == ["-# user", "+# system", " x\u2028y\fz"]


def test_an_altered_record_is_named(manager: VersionManager) -> None:
    class Altered(InMemoryVersionRepository):
        def get(self, workflow_id: str, version: str) -> PromptVersion | None:
            found = super().get(workflow_id, version)
            return found and found.model_copy(update={"prompt": make_prompt("something else")})

    manager = VersionManager(Altered())
    manager.create("triage", make_prompt())
    with pytest.raises(StoreError, match=r"version 1\.0\.0 of 'triage' was altered"):
        manager.get("triage", "1.0.0")


@pytest.mark.parametrize("rivals", [1, 30])
def test_a_number_taken_meanwhile_is_not_taken_twice(rivals: int) -> None:
    class Raced(InMemoryVersionRepository):
        left = rivals

        def add(self, version: PromptVersion) -> None:
            if self.left:
                self.left -= 1
                super().add(make_version(version.version, "the rival's"))
            super().add(version)

    manager = VersionManager(Raced())
    mine = manager.create("triage", make_prompt("mine"))
    assert mine.version == f"1.0.{rivals}"
    assert [version.version for version in reversed(manager.list("triage"))] == [f"1.0.{n}" for n in range(rivals + 1)]


def test_a_repository_that_always_conflicts_is_not_asked_forever() -> None:
    class Stubborn(InMemoryVersionRepository):
        def add(self, version: PromptVersion) -> None:
            raise VersionConflictError("no")

    with pytest.raises(VersionConflictError, match="no"):
        VersionManager(Stubborn()).create("triage", make_prompt())
