"""Which store, workflow and version the names on a command line stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharpen.errors import StoreError, UnknownNameError, UserError
from sharpen.optimizer.models import Prompt
from sharpen.wiring import list_versions, open_store, store_option, version_manager, version_names

PROMPT = Prompt.model_validate({"id": "p", "messages": [{"role": "user", "content": "Which queue? {{ message }}"}]})


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def with_versions(*workflows: str, url: str = "sqlite:///versions.db") -> None:
    with open_store(url, Path("plan.yaml")) as store:
        for workflow in workflows:
            version_manager(store).create(workflow, PROMPT)


def test_a_plan_s_store_stands_beside_it_and_is_made(directory: Path) -> None:
    with open_store(plan=Path("project/plan.yaml")) as store:
        assert store.url == f"sqlite:///{directory}/project/.sharpen/sharpen.db"
    assert (directory / "project" / ".sharpen" / "sharpen.db").exists()


def test_the_option_wins_over_the_variable_and_the_variable_over_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARPEN_STORE", "sqlite:///variable.db")
    with open_store(plan=Path("plan.yaml")) as store:
        assert store.url == "sqlite:///variable.db"
    with open_store("sqlite:///option.db", Path("plan.yaml")) as store:
        assert store.url == "sqlite:///option.db"


def test_without_a_plan_nothing_is_made(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError, match=f"no store in '{directory}'; expected --store URL"):
        open_store()
    with pytest.raises(StoreError, match=r"there is no store 'sqlite:///typo\.db'"):
        open_store("sqlite:///typo.db")
    monkeypatch.setenv("SHARPEN_STORE", "sqlite:///gone.db?timeout=5")
    with pytest.raises(StoreError, match="there is no store"):
        open_store()
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("url", ["sqlite:///:memory:", "sqlite://", "nonsense"])
def test_what_is_no_file_is_for_the_store_to_refuse(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_store(url)
    assert "there is no store" not in str(caught.value)


def test_a_store_that_is_found_anyway_needs_no_option(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(plan=Path("plan.yaml")) as here, open_store(plan=Path("other dir/plan.yaml")) as elsewhere:
        assert store_option(here) == ""
        assert store_option(elsewhere) == " --store 'sqlite:///other dir/.sharpen/sharpen.db'"
    monkeypatch.setenv("SHARPEN_STORE", "sqlite:///mine.db")
    with open_store(plan=Path("plan.yaml")) as named, open_store("sqlite:///two.db", Path("plan.yaml")) as other:
        assert store_option(named) == ""
        assert store_option(other) == " --store sqlite:///two.db"


@pytest.mark.parametrize(
    ("names", "workflow", "expected"),
    [
        (["1.0.0", "live"], None, ("only", ("1.0.0", "live"))),
        (["only", "1.0.0", "live"], None, ("only", ("1.0.0", "live"))),
        (["only", "1.0.0"], None, ("only", ("1.0.0", "latest"))),
        (["1.0.0"], "only", ("only", ("1.0.0", "latest"))),
    ],
)
def test_names_of_a_store_with_one_workflow(
    names: list[str], workflow: str | None, expected: tuple[str, tuple[str, ...]]
) -> None:
    with_versions("only")
    with open_store("sqlite:///versions.db") as store:
        assert version_names(store, names, (None, "latest"), workflow) == expected


def test_names_left_out_take_their_defaults() -> None:
    with_versions("only")
    with open_store("sqlite:///versions.db") as store:
        assert version_names(store, None, ("latest",), None) == ("only", ("latest",))
        with pytest.raises(UserError, match=r"0 names given \(none\); expected 1"):
            version_names(store, [], (None,), None)
        with pytest.raises(UserError, match=r"too many names: '1 2'; expected 1"):
            version_names(store, ["1", "2"], (None,), "only")


def test_with_several_workflows_one_must_be_named() -> None:
    with_versions("b", "a")
    with open_store("sqlite:///versions.db") as store:
        assert version_names(store, ["a", "1.0.0"], (None,), None) == ("a", ("1.0.0",))
        with pytest.raises(UserError, match=r"which workflow\? the store holds 2: a, b; expected --workflow NAME"):
            version_names(store, ["1.0.0"], (None,), None)
        with pytest.raises(UnknownNameError, match="unknown workflow 'c'; known: a, b"):
            version_names(store, ["c", "1.0.0"], (None,), None)


def test_versions_of_all_workflows_newest_first() -> None:
    with_versions("b", "a", "b")
    with open_store("sqlite:///versions.db") as store:
        assert [(version.workflow_id, version.version) for version in list_versions(store, None)] == [
            ("b", "1.0.1"),
            ("a", "1.0.0"),
            ("b", "1.0.0"),
        ]
        assert [version.version for version in list_versions(store, "b")] == ["1.0.1", "1.0.0"]
        with pytest.raises(UnknownNameError, match="unknown workflow 'c'; known: a, b"):
            list_versions(store, "c")


def test_a_store_without_versions_says_how_they_come_about() -> None:
    with_versions()
    with open_store("sqlite:///versions.db") as store:
        assert list_versions(store, None) == ()
        for ask in (lambda: list_versions(store, "w"), lambda: version_names(store, [], ("latest",), None)):
            with pytest.raises(UserError, match="the store holds no version yet; `sharpen optimize PLAN` makes"):
                ask()
