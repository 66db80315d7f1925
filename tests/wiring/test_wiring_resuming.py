"""A search that is cut off at any of its calls goes on, and ends as the one that nobody cut off."""

from __future__ import annotations

import json
import logging
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from search_kit import Died, Model, cut_off, go_on, plan, repeated, search, store_of, story

from sharpen.errors import LockedError, RunAborted, StoreError, UnknownNameError, UserError
from sharpen.storage.optimizations import OptimizationRepository
from sharpen.versions.version_manager import VersionManager
from sharpen.wiring import (
    find_optimization,
    identify,
    load_plan,
    optimize_plan,
    resumables,
    resume_optimization,
    resume_run,
)
from sharpen.wiring.steps import covered

REWRITER = {"kind": "python", "function": "search_kit:rewrite"}
REWRITING = {"strategies": ["rewrite"], "rewriter": REWRITER}
JUDGE = {"type": "llm-rubric", "value": "is short", "judge": {"kind": "python", "function": "search_kit:judge"}}
EQUALS = {"type": "equals", "value": "{{ expected }}"}
NO_CACHE = {"concurrency": 1, "max_retries": 0, "cache": False}
SEARCHES: dict[str, dict[str, Any]] = {
    "rules": {},
    "no cache": {"execution": NO_CACHE},
    "rewriter, no cache": {"optimize": REWRITING, "execution": NO_CACHE},
    "small budget": {"optimize": REWRITING | {"strategies": ["format_focus", "rewrite"], "budget": {"max_calls": 36}}},
    "two generations, weights": {
        "target": {"kind": "python", "function": "search_kit:answer_sometimes"},
        "optimize": {
            "strategies": ["format_focus", "rewrite", "crossover"],
            "rewriter": REWRITER,
            "weights": {"tokens": 0.1},
        },
    },
    "judge": {"assertions": [EQUALS, JUDGE]},
    "judge, no cache": {"assertions": [EQUALS, JUDGE], "execution": NO_CACHE},
    "four at a time": {"execution": {"concurrency": 4, "max_retries": 0}},
}


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that is migrated already: copying it takes a tenth of the time."""
    path = plan(tmp_path_factory.mktemp("empty"))
    with store_of(path):
        pass
    return path.parent / "store.db"


@pytest.mark.no_cover
def test_cut_off_at_any_call_it_ends_the_same(tmp_path: Path, empty_store: Path) -> None:
    whole = search(plan(tmp_path / "whole", optimize=REWRITING))
    asked, expected = Model.asked, story(whole)
    assert len(asked) == whole.calls == 14 + 3 + 4 + 6  # baseline, three angles, the one usable candidate, proof
    assert whole.version == "2.0.0"
    for call in range(1, len(asked) + 1):
        path = plan(tmp_path / f"cut-{call}", optimize=REWRITING)
        shutil.copy(empty_store, path.parent / "store.db")
        before = cut_off(path, call)
        assert story(go_on(path)) == expected, f"cut off at call {call}"
        assert before + Model.asked[1:] == asked, f"only call {call}, which was under way, was made again"


@pytest.mark.no_cover
@pytest.mark.parametrize("kind", SEARCHES)
def test_cut_off_again_and_again_it_ends_the_same(kind: str, tmp_path: Path, empty_store: Path) -> None:
    """Every process makes a few calls and dies."""
    whole = search(plan(tmp_path / "whole", **SEARCHES[kind]))
    asked, expected = Model.asked, story(whole)
    assert len(asked) == whole.calls
    path = plan(tmp_path / "cut", **SEARCHES[kind])
    shutil.copy(empty_store, path.parent / "store.db")
    before, deaths, outcome = cut_off(path, 3), 1, None
    while outcome is None:
        try:
            outcome = go_on(path, dies_at=5 + deaths % 3)
        except Died:
            deaths += 1
        before = before + Model.asked
    assert story(outcome) == expected
    assert deaths >= 4
    in_flight = 4 if kind == "four at a time" else 1
    assert repeated(before, [], asked).total() <= deaths * (in_flight + 1)  # one more may be on its way into the store


def test_a_spent_budget_is_raised_and_nothing_is_paid_twice(tmp_path: Path) -> None:
    whole = search(plan(tmp_path / "whole"))
    asked, expected = Model.asked, story(whole)
    path = plan(tmp_path / "cut", execution={"concurrency": 1, "budget": {"max_calls": 10}})
    stopped = search(path)
    before = Model.asked
    assert stopped.calls == len(before) == 10
    assert stopped.stop_reason is not None
    assert go_on(path).stop_reason == stopped.stop_reason
    assert Model.asked == [], "what was spent counts"
    assert story(go_on(path, None, "execution.budget.max_calls=600")) == expected
    assert before + Model.asked == asked
    with store_of(path) as store:
        assert store.searches.list() == (), "it came to its end"
        assert resume_optimization(stopped.run_id, store) is None


@pytest.mark.parametrize("others", [False, True], ids=["alone", "with versions of others"])
@pytest.mark.parametrize("seed", [0, 1], ids=["version", "draft"])
def test_a_version_is_kept_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: bool, seed: int) -> None:
    """Killed between the version and the outcome that names it."""
    split = {"seed": seed, "train": 0.15, "dev": 0.4, "holdout": 0.45}
    keys: dict[str, Any] = {"optimize": {"strategies": ["format_focus"], "split": split}}
    if seed:
        keys["target"] = {"kind": "python", "function": "search_kit:answer_sometimes"}
    path = plan(tmp_path / "cut", **keys)

    def die(*_: object) -> None:
        raise Died

    save = OptimizationRepository.save
    monkeypatch.setattr(OptimizationRepository, "save", die)
    with pytest.raises(Died):
        search(path)
    monkeypatch.setattr(OptimizationRepository, "save", save)
    with store_of(path) as store:
        manager = VersionManager(store.versions)
        kept = manager.list("routing")
        assert [version.kind for version in kept] == ["draft" if seed else "optimized", "baseline"]
        if others:
            manager.create("routing", kept[1].prompt.with_messages(kept[1].prompt.messages * 2))
    outcome = go_on(path)
    assert Model.asked == []
    assert (outcome.draft if seed else outcome.version) == kept[0].version
    with store_of(path) as store:
        assert len(VersionManager(store.versions).list("routing")) == 2 + others


def test_a_key_that_is_revoked_ends_it_and_says_how_to_go_on(tmp_path: Path) -> None:
    whole = search(plan(tmp_path / "whole"))
    expected = story(whole)
    path = plan(tmp_path / "cut")
    Model.reset()
    Model.fails = set(range(20, 100))
    with store_of(path) as store, pytest.raises(RunAborted, match=r"kept, `sharpen resume run-\S+ --store .* goes on"):
        optimize_plan(load_plan(path), store)
    gone = [number for number in range(1, len(Model.asked) + 1) if number in Model.fails]
    outcome = go_on(path)
    assert outcome.version == whole.version
    assert outcome.calls == whole.calls + len(gone), "calls that failed were made, too"
    assert story(outcome)["candidates"] == expected["candidates"]


def test_nothing_is_left_of_a_search_without_an_answer(tmp_path: Path) -> None:
    path = plan(tmp_path)
    Model.reset()
    Model.fails = set(range(1, 100))
    with store_of(path) as store:
        with pytest.raises(RunAborted) as aborted:
            optimize_plan(load_plan(path), store)
        assert "sharpen resume" not in str(aborted.value)
        assert store.searches.list() == ()


def test_a_step_that_is_not_what_it_was_is_run_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = plan(tmp_path, execution=NO_CACHE)
    before = cut_off(path, 20)
    with store_of(path) as store, store.database.write() as connection:
        connection.exec_driver_sql("UPDATE runs SET purpose = 'other' WHERE purpose = 'baseline'")
        (search_id,) = (found.id for found in store.searches.list())
    with caplog.at_level(logging.WARNING, "sharpen.search"):
        outcome = go_on(path)
    assert outcome.baseline_run.run_id == f"{search_id}-01b"
    assert f"step {search_id}-01 is not what it was" in caplog.text
    assert set(before[:14]) <= set(Model.asked), "the baseline anew"


def test_what_may_change_and_what_may_not(tmp_path: Path) -> None:
    path = plan(tmp_path)
    cut_off(path, 5)
    for refused in ("workflow_id=other", "rules.min_success_rate=0.1", "optimize.alpha=0.5", "execution.repeats=2"):
        with pytest.raises(UserError, match="would make another search of it"):
            go_on(path, None, refused)
    assert go_on(path, None, "execution.concurrency=3").version == "2.0.0"


def test_other_cases_are_another_search(tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_text(
        "".join(json.dumps({"vars": {"message": f"The parcel {n}."}, "expected": "shipping"}) + "\n" for n in range(14))
    )
    path = plan(tmp_path, dataset="cases.jsonl")
    cut_off(path, 5)
    with (tmp_path / "cases.jsonl").open("a") as file:
        file.write(json.dumps({"vars": {"message": "one more"}, "expected": "shipping"}) + "\n")
    with pytest.raises(StoreError, match=r"no longer the one that optimization 'run-\S+' began with"):
        go_on(path)


def test_what_can_go_on_is_listed(tmp_path: Path) -> None:
    path = plan(tmp_path)
    cut_off(path, 5)
    with store_of(path) as store:
        (search_id,) = (found.id for found in store.searches.list())
        (found,) = resumables(store)
        assert (found.kind, found.id, found.state) == ("optimization", search_id, "killed")
        assert found.command.startswith(f"sharpen resume {search_id} --store ")
        assert identify(store, search_id[:-2]) == ("optimization", search_id)
        assert identify(store, f"{search_id}-01") == identify(store, f"{search_id}-0") == ("run", f"{search_id}-01")
        with pytest.raises(UnknownNameError):
            identify(store, "nothing")
        with pytest.raises(UserError, match=f"`sharpen resume {search_id} .*` goes on with all of it"):
            resume_run(f"{search_id}-01", store)
        with pytest.raises(UserError, match="did not come to its end"):
            find_optimization(store, search_id)
        with store.locks.hold(f"optimization:{search_id}"):
            assert [found.state for found in resumables(store)] == ["under way"]
            with pytest.raises(LockedError):
                resume_optimization(search_id, store)
    go_on(path)
    with store_of(path) as store:
        assert resumables(store) == ()


def test_two_that_begin_the_same_are_ambiguous(tmp_path: Path) -> None:
    first, second = plan(tmp_path), plan(tmp_path, workflow_id="other")
    cut_off(first, 5)
    cut_off(second, 5)
    with store_of(first) as store:
        with pytest.raises(UserError, match="ambiguous"):
            identify(store, "run-")
        assert len(resumables(store)) == 2


def test_the_time_that_was_used_before_counts(tmp_path: Path) -> None:
    path = plan(tmp_path / "cut", execution={"concurrency": 1, "budget": {"max_calls": 10}})
    stopped = search(path)
    with store_of(path) as store:
        (step,) = store.runs.list(parent_run_id=stopped.run_id)
        ((begun, ended),) = store.spans(step.run_id)
        assert (begun, ended) == (step.started_at, step.finished_at)
    took = (ended - begun).total_seconds()
    assert took > 0
    again = go_on(path, None, "execution.budget.max_calls=600", f"optimize.budget.max_seconds={took / 2}")
    assert Model.asked == []
    assert again.stop_reason is not None
    assert "(max_seconds) is spent" in again.stop_reason
    with store_of(path) as store:
        assert len(store.spans(step.run_id)) == 2, "the first process's, and the one that asked nothing"
    assert go_on(path, None, "execution.budget.max_calls=600", "optimize.budget.max_seconds=600").stop_reason is None


def test_steps_side_by_side_take_their_time_once() -> None:
    def at(second: int) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)

    assert covered([]) == 0
    assert covered([(at(5), at(9)), (at(0), at(2)), (at(1), at(3)), (at(6), at(7))]) == 7
