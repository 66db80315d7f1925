"""Several looks as one run, as it is shown and stored."""

from pathlib import Path

from factories import make_outcome, make_run, make_task
from sharpen.executor.models import TaskStatus
from sharpen.optimizer.looks import joined, looks_of
from sharpen.storage.store import Store
from sharpen.testing.storage_suite import record


def test_the_looks_of_a_proof_are_one_run() -> None:
    first = make_run([make_task("a"), make_task("b", TaskStatus.FAILED)], run_id="look-1")
    second = make_run([make_task("c")], run_id="look-2")
    both = joined([first, second])
    assert both is not None
    assert both.run_id == "look-1"
    assert [task.case_id for task in both.task_results] == ["a", "b", "c"]
    assert (both.statistics.total_tasks, both.statistics.succeeded_tasks) == (3, 2)
    assert both.statistics.total_cost == first.statistics.total_cost + second.statistics.total_cost
    assert looks_of(both) == ("look-1", "look-2")
    assert joined([first]) is first
    assert looks_of(first) == ("look-1",)
    assert joined([]) is None


def test_their_results_are_stored_once_and_come_back_whole(tmp_path: Path) -> None:
    looks = [make_run([make_task(f"c{n}")], run_id=f"look-{n}") for n in range(3)]
    outcome = make_outcome(number=20, holdout_run=joined(looks))
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        for look in looks:
            record(store, look)
        store.optimizations.save(outcome)
        with store.database.read() as connection:
            from sqlalchemy import text

            stored = connection.execute(text("SELECT outcome FROM optimizations")).scalar()
        found = store.optimizations.get(outcome.run_id)
    assert stored is not None
    assert '"look-2"' in stored
    assert '"case_id":"c2"' not in stored
    assert found.holdout_run == outcome.holdout_run
