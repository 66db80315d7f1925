"""How the databases answer what is asked often: by an index, never by going through the results of all runs."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Select, select, text

from sharpen.config.models import Case
from sharpen.executor.models import RunStatus
from sharpen.storage.engine import Database
from sharpen.storage.experiments import kept_query
from sharpen.storage.history import history_query
from sharpen.storage.lookup import begins
from sharpen.storage.results import results_query
from sharpen.storage.runs import list_query
from sharpen.storage.schema import history, run_cases, runs
from sharpen.storage.store import Store
from sharpen.testing.experiment_suite import make_outcome
from sharpen.testing.storage_suite import make_result, make_run, record

LARGE = ("results", "run_cases", "cases", "responses")


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    with Store.open(store_url) as store:
        began = datetime(2026, 1, 1, tzinfo=UTC)
        for number in range(6):
            moment = began + timedelta(days=number)
            run = make_run(
                f"r{number}", [make_result(f"c{i}") for i in range(5)], f"w{number % 2}",
                started_at=moment, finished_at=moment,
            )  # fmt: skip
            record(store, run, cases=[Case(id=f"c{i}", vars={}) for i in range(5)])
        more = [
            {
                "run_id": f"m{number}", "workflow_id": f"w{number % 20}", "purpose": ("run", "candidate")[number % 2],
                "status": "completed", "started_at": began + timedelta(minutes=number), "total_tasks": 0,
                "manifest": {}, "target": {}, "metadata": {},
            }
            for number in range(400)
        ]  # fmt: skip
        with store.database.write() as connection:
            connection.execute(runs.insert(), more)
            if connection.dialect.name == "postgresql":  # which does so by itself, sooner or later
                connection.execute(text("ANALYZE"))
        yield store.database


def plan_of(database: Database, query: Select[Any]) -> str:
    """The plan of a query, for tables so large that no index would be left aside."""
    compiled = query.compile(database.engine, compile_kwargs={"literal_binds": True})
    with database.read() as connection:
        if connection.dialect.name == "postgresql":
            for method in ("seqscan", "bitmapscan"):
                connection.execute(text(f"SET LOCAL enable_{method} = off"))
            rows: Sequence[Any] = connection.exec_driver_sql(f"EXPLAIN {compiled}".replace("%%", "%")).scalars().all()
            return "\n".join(rows)
        return "\n".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}"))


def scans(plan: str, *tables: str) -> list[str]:
    """The lines of a plan that go through a whole table."""
    whole = [line for line in plan.splitlines() if line.startswith("SCAN ") and "USING" not in line]
    whole += [line for line in plan.splitlines() if "Seq Scan on " in line]
    return [line for line in whole for table in tables if f" {table}" in line]


PURPOSES = ("run", "baseline")
QUESTIONS = {
    "the newest runs": (list_query(None, 50, PURPOSES), "ix_runs_purpose_started_at"),
    "of a workflow": (list_query("w0", 50, PURPOSES), "ix_runs_workflow_id_"),
    "of every purpose": (list_query(None, 50), "ix_runs_started_at"),
    "of a workflow, of every purpose": (list_query("w0", 50), "ix_runs_workflow_id_"),
    "of a search": (list_query(None, None, parent_run_id="s1"), "ix_runs_parent_run_id"),
    "of a prompt": (list_query("w0", 1, PURPOSES, prompt_hash="x"), "ix_runs_prompt_hash"),
    "history": (history_query("w0", PURPOSES, None, 50), "ix_history_workflow_id_purpose_started_at"),
    "trend": (history_query("w0", PURPOSES), "ix_history_workflow_id_purpose_started_at"),
    "trend since": (
        history_query("w0", PURPOSES, datetime(2026, 1, 2, tzinfo=UTC)), "ix_history_workflow_id_purpose_started_at"
    ),
    "a run by its beginning": (select(runs).where(begins(runs.c.run_id, "r")).limit(2), "run_id"),
    "the runs of a case": (select(run_cases.c.run).where(run_cases.c.case == 1), "ix_run_cases_case"),
}  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS)
def test_lists_and_trends_use_an_index_and_never_see_a_result(database: Database, question: str) -> None:
    query, index = QUESTIONS[question]
    plan = plan_of(database, query)
    assert index in plan
    assert not scans(plan, "runs", "history", *LARGE), plan
    assert "results" not in plan


def test_one_run_reads_its_own_results_alone(database: Database) -> None:
    plan = plan_of(database, results_query(1))
    assert not scans(plan, *LARGE), plan
    assert "pk_results" in plan or "sqlite_autoindex_results_1 (run=?)" in plan


def test_what_was_cut_off_is_found_without_reading_every_run(database: Database) -> None:
    unfinished = [status for status in RunStatus if status is not RunStatus.COMPLETED]
    plan = plan_of(database, list_query(None, None, "run", status=unfinished))
    assert "ix_runs_status" in plan
    assert not scans(plan, "runs", *LARGE), plan


def test_deleting_looks_nobody_up_row_by_row(database: Database) -> None:
    """Whoever points at a row that goes is found by an index."""
    for column, value in ((run_cases.c.case, 1), (runs.c.prompt_hash, "x"), (history.c.run, 1)):
        plan = plan_of(database, select(column.table).where(column == value))
        assert not scans(plan, column.table.name), plan


def test_outcomes_are_known_again_without_reading_their_experiment(database: Database) -> None:
    plan = plan_of(database, kept_query("tone", [make_outcome(f"u{number}") for number in range(300)]))
    sqlite, postgresql = "(experiment=? AND unit_id=?", "(unit_id = ANY"
    assert sqlite in plan or postgresql in plan, plan
