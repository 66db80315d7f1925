"""What is old goes, what a version rests on stays; on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from sharpen.config.models import Case
from sharpen.executor.models import RunStatus
from sharpen.optimizer.models import Decision
from sharpen.optimizer.ports import ProofKey
from sharpen.storage import pruning, schema
from sharpen.storage.checking import check_store
from sharpen.storage.pruning import PrunedStore, prune, vacuum
from sharpen.storage.records import SearchRecord
from sharpen.storage.store import Store
from sharpen.testing.holdout_suite import grant
from sharpen.testing.storage_suite import make_outcome, make_result, make_run, record, start_of
from sharpen.testing.version_suite import make_version

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CASES = [Case(id=name, vars={"text": name * 50}) for name in ("a", "b", "c")]


def add_run(store: Store, run_id: str, days: int, prompt: str = "?", **fields: object) -> None:
    began = NOW - timedelta(days=days)
    run = make_run(
        run_id, [make_result(case.id, output="x" * 300) for case in CASES], started_at=began, finished_at=began
    )
    record(store, run, cases=CASES, prompt=[{"role": "user", "content": prompt}], **fields)
    store.decisions.save(run_id, Decision(should_optimize=False, strategy="clarity_focus"))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url) as opened:
        for days in (300, 200, 100, 5):
            add_run(opened, f"old-{days}", days, prompt=f"p{days}")
        add_run(opened, "proved-baseline", 250, purpose="baseline", parent_run_id="s-proved")
        add_run(opened, "proved-holdout", 250, purpose="holdout", parent_run_id="s-proved", prompt="better")
        add_run(opened, "proved-candidate", 250, purpose="candidate", parent_run_id="s-proved", prompt="worse")
        add_run(opened, "vain-baseline", 240, purpose="baseline", parent_run_id="s-vain")
        add_run(opened, "vain-candidate", 240, purpose="candidate", parent_run_id="s-vain", prompt="vain")
        for name in ("s-proved", "s-vain"):
            outcome = make_outcome().model_copy(update={"run_id": name, "started_at": NOW - timedelta(days=240)})
            opened.optimizations.save(outcome)
        opened.versions.add(make_version().model_copy(update={"run_ids": ("proved-baseline",)}))
        opened.versions.set_alias("triage", "production", "1.0.0")
        opened.searches.begin(SearchRecord(id="s-left", workflow_id="triage", started_at=NOW - timedelta(days=230)))
        opened.holdout.open(ProofKey("s-vain", "triage"), ["k"], grant("k"))
        yield opened


def pruned(store: Store, days: int = 90, **options: bool | int) -> PrunedStore:
    return prune(store.database, store.locks, NOW - timedelta(days=days), **options)  # type: ignore[arg-type] # of its own names


def with_results(store: Store) -> set[str]:
    return {run.run_id for run in store.runs.list(limit=None) if store.results.count(run.run_id)}


def test_old_results_go_and_the_lines_and_what_versions_rest_on_stay(store: Store) -> None:
    before = {point.run_id: point for point in store.history.of("triage")}
    told = pruned(store)
    assert with_results(store) == {"old-5", "proved-baseline", "proved-holdout"}
    assert {run.run_id for run in store.runs.list(limit=None)} == {
        "old-300", "old-200", "old-100", "old-5", "proved-baseline", "proved-holdout", "vain-baseline"
    }  # fmt: skip
    assert (told.thinned, told.runs, told.results, told.searches, told.justifying) == (4, 2, 18, 1, 2)
    assert {point.run_id: point for point in store.history.of("triage")} == before
    assert store.runs.get("old-300").statistics == store.runs.load_result("old-300").statistics
    assert store.runs.get("old-300").metadata["pruned_at"]
    assert {one for one, _ in store.decisions.list()} == {"old-5", "proved-baseline", "proved-holdout"}
    assert store.versions.get_alias("triage", "production") == "1.0.0"
    assert store.holdout.memory("triage")["k"].looks == 1
    assert {one.run_id for one in store.optimizations.list()} == {"s-proved", "s-vain"}
    assert (told.cases, told.prompts) == (0, 2)  # the newest run has the same cases; "worse" and "vain" are gone
    assert check_store(store.database, full=True).passed


def test_a_second_time_there_is_nothing_left_to_do(store: Store) -> None:
    pruned(store)
    again = pruned(store)
    assert (again.thinned, again.runs, again.results, again.cases, again.prompts) == (0, 0, 0, 0, 0)


def test_a_run_that_only_speaks_of_it_is_not_taken_for_one_that_was_pruned(store: Store) -> None:
    with store.database.write() as connection:
        told = {"note": "the run of which pruned_at is asked"}
        connection.execute(schema.runs.update().where(schema.runs.c.run_id == "old-300").values(metadata=told))
    pruned(store)
    assert "old-300" not in with_results(store)
    assert store.runs.get("old-300").metadata.keys() == {"note", "pruned_at"}


def test_forgotten_runs_leave_no_line(store: Store) -> None:
    pruned(store)
    told = pruned(store, forget=True)
    assert {run.run_id for run in store.runs.list(limit=None)} == {"old-5", "proved-baseline", "proved-holdout"}
    assert (told.runs, told.optimizations) == (4, 1)
    assert [one.run_id for one in store.optimizations.list()] == ["s-proved"]
    assert len(store.history.of("triage")) == 2
    assert check_store(store.database, full=True).passed


def test_cases_that_nobody_uses_any_more_go(store: Store) -> None:
    told = pruned(store, days=1, forget=True)
    assert told.cases == 0  # a version rests on runs of them
    with store.database.write() as connection:
        connection.execute(schema.versions.update().values(document={"run_ids": []}))
    assert pruned(store, days=1, forget=True).cases == 3
    with store.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(schema.cases)).scalar() == 0


def test_the_newest_of_each_workflow_can_be_kept(store: Store) -> None:
    told = pruned(store, keep=3)
    assert with_results(store) >= {"old-5", "old-100", "old-200"}
    assert (told.newest, told.thinned) == (2, 2)


def test_a_rehearsal_changes_nothing(store: Store) -> None:
    before = with_results(store)
    told = pruned(store, rehearsal=True)
    assert told.rehearsal
    assert (told.thinned, told.runs, told.results, told.searches) == (4, 2, 18, 1)
    assert with_results(store) == before
    real = pruned(store)
    assert (real.thinned, real.runs, real.results, real.searches) == (4, 2, 18, 1)


def test_what_somebody_works_on_stays(store: Store, store_url: str) -> None:
    with Store.open(store_url) as other, other.locks.hold("run:old-300"), other.locks.hold("optimization:s-vain"):
        told = pruned(store)
    assert with_results(store) >= {"old-300", "vain-baseline", "vain-candidate"}
    assert told.in_use == 3


def test_an_ab_test_that_somebody_works_on_stays(store: Store, store_url: str) -> None:
    add_run(store, "ab-run", 230, purpose="ab", parent_run_id="t1")
    with Store.open(store_url) as other, other.locks.hold("ab:t1"):
        assert pruned(store).in_use == 1
    assert "ab-run" in with_results(store)
    assert pruned(store).in_use == 0
    assert "ab-run" not in with_results(store)


def test_a_search_that_somebody_works_on_stays_though_none_of_its_runs_is_old(store: Store, store_url: str) -> None:
    with Store.open(store_url) as other, other.locks.hold("optimization:s-left"):
        assert pruned(store).searches == 0
    assert pruned(store).searches == 1


async def test_an_old_run_that_never_ended_is_gone(store: Store) -> None:
    run = make_run("left", [make_result("a")], started_at=NOW - timedelta(days=400))
    sink = store.sink()
    await sink.start_run(start_of(run))
    await sink.save_result("left", run.task_results[0])
    await sink.sync()
    assert store.runs.get("left").status is RunStatus.RUNNING
    pruned(store)
    assert "left" not in {one.run_id for one in store.runs.list(limit=None)}


def test_large_runs_go_in_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "_ROWS", 2)
    assert pruned(store).results == 18
    assert check_store(store.database, full=True).passed


def test_the_space_is_free_and_can_be_given_back(store: Store) -> None:
    for number in range(30):
        add_run(store, f"older-{number}", 365 + number)
    told = pruned(store)
    vacuum(store.database)
    file = store.database.file
    if file is None:
        assert told.freed_bytes is None
    else:
        assert told.freed_bytes
        with store.database.read() as connection:
            assert connection.exec_driver_sql("PRAGMA freelist_count").scalar() == 0
    assert check_store(store.database).passed
