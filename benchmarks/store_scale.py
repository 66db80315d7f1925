"""A store of ten million results, and how long it takes to ask it something.

    python benchmarks/store_scale.py fill URL [--results 10000000]     (goes on where it was interrupted)
    python benchmarks/store_scale.py ask URL [--json FILE]
    python benchmarks/store_scale.py both [--results N] [--directory DIR]    SQLite, then PostgreSQL of the tests' own

The rows are made by the database itself, one statement for the results of a run, and look like those of a team that
runs ten workflows of 1,000 cases every day, with a search of 20 candidates now and then: repeats none, 200 bytes each.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from common import environment, table
from results import save
from sqlalchemy import Connection, func, insert, select, text

from sharpen.config.prompts import PromptTemplate
from sharpen.executor.statistics import summarize
from sharpen.storage import schema
from sharpen.storage.cases import content_hash_of
from sharpen.storage.copying import continue_numbers
from sharpen.storage.history import note_history
from sharpen.storage.prompts import save_prompt
from sharpen.storage.results import read_results
from sharpen.storage.store import Store
from sharpen.storage.types import exact_json

CASES, WORKFLOWS, TOGETHER = 1_000, 10, 20
MADE = 500
"""So many runs are made one by one, all others are copies of them at later times."""
REPEATS, LIMIT_MS = 25, 200
_BEGAN = datetime(2025, 1, 1, tzinfo=UTC)
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :cases - 1)"
_PROMPTS = [PromptTemplate.model_validate([{"role": "user", "content": f"Sort it. {n}"}]) for n in range(200)]
_RESULTS = text(
    f"""
    INSERT INTO results (run, case_id, repeat, status, output, finish_reason, score, execution_time, wait_time,
        attempts, prompt_tokens, completion_tokens, total_tokens, cost, saved_cost, cached, assertions, error_kind,
        error_message, error_http_status, error_retryable, judge_calls, judge_tokens, judge_cost, queue_time,
        limit_time, hedges)
    {_NUMBERS}
    SELECT :run, 'case-' || (10000 + i), 0,
        CASE WHEN h < :failing THEN 'failed' WHEN h > 990 THEN 'error' ELSE 'succeeded' END,
        'The message belongs to queue ' || (h % 7) || ', because it mentions an invoice that was not paid in time.',
        'stop', CASE WHEN h < :failing THEN 0.0 ELSE 1.0 END, 0.4 + h * 0.0011 + (i % 13) * 0.01, 0.0, 1,
        180 + h % 40, 20 + h % 10, 200 + h % 40 + h % 10, 0.00002 * (200 + h % 50), 0.0, 1 = 0,
        CASE WHEN h < :failing THEN :assertions END,
        CASE WHEN h > 990 THEN 'server' END, CASE WHEN h > 990 THEN 'HTTP 503' END,
        CASE WHEN h > 990 THEN 503 END, CASE WHEN h > 990 THEN 1 = 1 END, 0, 0, 0.0, 0.0, 0.0, 0
    FROM (SELECT i, (i * 7919 + :run * 104729) % 1000 AS h FROM n) AS hashed
    """
)
_MESSAGE = "Message {} of a customer of workflow {}: " + "please look at this. " * 8
_ASSERTIONS = '[{"type":"equals","passed":false,"score":0.0,"reason":"expected billing, got other"}]'
_LINKS = text(
    f'INSERT INTO run_cases (run, case_id, position, "case") {_NUMBERS} '
    "SELECT :run, 'case-' || (10000 + i), i, :first + i FROM n"
)


def fill(url: str, results: int) -> None:
    """Bring the store to so many results."""
    with Store.open(url) as store:
        _prepare(store)
        with store.database.read() as connection:
            done = connection.execute(select(func.count()).select_from(schema.runs)).scalar_one()
        began, wanted = time.perf_counter(), results // CASES
        while done < wanted:
            with store.database.write(quick=True) as connection:
                numbers = range(done, min(done + TOGETHER, wanted))
                if done < MADE:
                    for number in numbers:
                        _add_run(connection, number)
                else:
                    _copy_runs(connection, numbers)
            done = min(done + TOGETHER, wanted)
            if not done % 500:
                print(f"{done * CASES:>12,} results  {time.perf_counter() - began:7.0f} s", file=sys.stderr, flush=True)
        if store.database.engine.dialect.name == "postgresql":  # which does so by itself, sooner or later
            with store.database.write() as connection:
                continue_numbers(connection)
                connection.execute(text("ANALYZE"))


def _prepare(store: Store) -> None:
    """The cases and the prompts."""
    with store.database.write() as connection:
        if connection.execute(select(func.count()).select_from(schema.cases)).scalar_one():
            return
        cases = []
        for flow in range(WORKFLOWS):
            for i in range(CASES):
                inputs = {"message": _MESSAGE.format(i, flow)}
                case = {
                    "id": flow * CASES + i + 1,
                    "case_id": f"case-{10000 + i}",
                    "vars": inputs,
                    "expected": "billing",
                }
                hashed = content_hash_of(f"case-{10000 + i}", exact_json(inputs), exact_json("billing"))
                cases.append(case | {"content_hash": hashed})
        connection.execute(insert(schema.cases), cases)
        for prompt in _PROMPTS:
            save_prompt(connection, prompt)


def _add_run(connection: Connection, number: int) -> None:
    flow, day = number % WORKFLOWS, number // WORKFLOWS
    searched = day % 10 == 9  # every tenth day's runs are candidates of a search
    started = _BEGAN + timedelta(hours=9 * day, minutes=flow)
    values = {
        "run_id": f"{started:%Y%m%d-%H%M}-{number:06x}", "workflow_id": f"workflow-{flow}",
        "purpose": "candidate" if searched else "run", "parent_run_id": f"search-{day}" if searched else None,
        "status": "completed", "started_at": started, "finished_at": started + timedelta(minutes=5),
        "total_tasks": CASES, "manifest": {"workflow_id": f"workflow-{flow}", "text": "x" * 3_000},
        "target": {"kind": "openai", "model": f"model-{day // 100}", "params": {"temperature": 0}}, "metadata": {},
        "prompt_hash": _PROMPTS[(day // 20) % 200].content_hash, "dataset_hash": f"{flow:064x}",
    }  # fmt: skip
    run = connection.execute(schema.runs.insert().returning(schema.runs.c.id).values(values)).scalar_one()
    given = {"run": run, "cases": CASES, "failing": 40 + random.Random(number).randrange(30)}
    connection.execute(_RESULTS, given | {"assertions": _ASSERTIONS})
    connection.execute(_LINKS, given | {"first": flow * CASES + 1})
    found = summarize(tuple(read_results(connection, run)))
    connection.execute(
        schema.runs.update().where(schema.runs.c.id == run).values(statistics=found.model_dump(mode="json"))
    )
    note_history(connection, run)


def _copy_runs(connection: Connection, numbers: range) -> None:
    """Runs with the results of earlier ones, that began later; their keys are their numbers and one."""
    for number in numbers:
        base = number % MADE
        later = timedelta(hours=9 * (number - base) // WORKFLOWS)
        for small, key in ((schema.runs, "id"), (schema.history, "run")):
            row = dict(connection.execute(select(small).where(small.c[key] == base + 1)).one()._mapping)
            row |= {key: number + 1, "started_at": row["started_at"] + later}
            if small is schema.runs:
                row |= {
                    "run_id": f"{row['started_at']:%Y%m%d-%H%M}-{number:06x}",
                    "finished_at": row["finished_at"] + later,
                }
            connection.execute(small.insert(), row)
    given = {"shift": numbers.start - numbers.start % MADE, "first": numbers.start % MADE + 1, "number": len(numbers)}
    for copied in (schema.results, schema.run_cases):
        names = [f'"{name}"' for name in copied.columns.keys() if name != "run"]  # noqa: SIM118 - names, not columns
        connection.execute(
            text(
                f"INSERT INTO {copied.name} (run, {', '.join(names)}) SELECT run + :shift, {', '.join(names)} "
                f"FROM {copied.name} WHERE run >= :first AND run < :first + :number"
            ),
            given,
        )


def ask(url: str) -> dict[str, Any]:
    """What users ask, each several times with other runs and workflows; times in ms."""
    draw = random.Random(1)
    with Store.open(url) as store:
        with store.database.read() as connection:
            ids = connection.execute(select(schema.runs.c.run_id)).scalars().all()
            results = connection.execute(select(func.count()).select_from(schema.results)).scalar_one()

        def flow() -> str:
            return f"workflow-{draw.randrange(WORKFLOWS)}"

        def one_run() -> None:
            run = draw.choice(ids)
            store.runs.get(run)
            assert len(store.runs.load_result(run).task_results) == CASES

        questions: dict[str, Callable[[], Any]] = {
            "list: the newest 50 runs": lambda: store.runs.list(limit=50, purpose=("run", "baseline")),
            "list: of one workflow": lambda: store.runs.list(flow(), 50, purpose=("run", "baseline")),
            "list: of every purpose": lambda: store.runs.list(limit=50),
            "list: what was cut off": lambda: store.runs.list(limit=None, purpose="run", status=UNFINISHED),
            "one run: its record": lambda: store.runs.get(draw.choice(ids)[:-1]),
            "one run: with its 1,000 results": one_run,
            "history: a workflow's newest 50": lambda: store.history.of(flow(), limit=50),
            "trend: a workflow's runs, all": lambda: store.history.of(flow()),
        }
        found = {name: _timed(question) for name, question in questions.items()}
    niceness = os.getpriority(os.PRIO_PROCESS, 0)  # a busy machine answers those sooner that ask to be first
    return {"results": results, "runs": len(ids), "questions": found, "nice": niceness}


def _timed(question: Callable[[], Any]) -> dict[str, float]:
    times, work = [], []
    for _ in range(REPEATS):
        began, worked = time.perf_counter(), time.process_time()
        question()
        times.append((time.perf_counter() - began) * 1000)
        work.append((time.process_time() - worked) * 1000)
    return {
        "median_ms": statistics.median(times), "max_ms": max(times), "cpu_ms": statistics.median(work),
    }  # fmt: skip


def render(data: dict[str, Any]) -> str:
    """The table of the page: each question on each database."""
    names = list(data)
    head = ["question", *(f"{name}: {title}" for name in names for title in ("median ms", "max", "CPU"))]
    rows = []
    for question in data[names[0]]["questions"]:
        cells = [question]
        for name in names:
            times = data[name]["questions"][question]
            cells += [f"{times['median_ms']:.0f}", f"{times['max_ms']:.0f}", f"{times['cpu_ms']:.0f}"]
        rows.append(cells)
    sizes = "; ".join(
        f"{name}: {data[name]['results']:,} results of {data[name]['runs']:,} runs, {data[name]['bytes'] / 1e9:.1f} GB"
        for name in names
    )
    niceness = {data[name].get("nice", 0) for name in names} - {0}
    asked = f" The client ran at priority nice {min(niceness)}." if niceness else ""
    each = f"{sizes}; each question {REPEATS} times, with another run or workflow each time.{asked}"
    return f"{table(head, rows)}\n\n{each}"


def show(title: str, found: dict[str, Any]) -> None:
    print(f"{title}: {found['results']:,} results of {found['runs']:,} runs")
    for name, times in found["questions"].items():
        verdict = "" if times["max_ms"] < LIMIT_MS else f"  over {LIMIT_MS} ms"
        print(f"  {name:34} median {times['median_ms']:7.1f} ms  max {times['max_ms']:7.1f} ms{verdict}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("fill", "ask", "both"))
    parser.add_argument("url", nargs="?")
    parser.add_argument("--results", type=int, default=10_000_000)
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--save", action="store_true", help="keep the numbers of `both`")
    given = parser.parse_args()
    measured = environment()
    if given.command == "fill":
        fill(given.url, given.results)
        return
    if given.command == "ask":
        found = {"store": ask(given.url)}
    else:
        found = _both(given.results, given.directory)
    for title, one in found.items():
        show(title, one)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    if given.save:
        save("store_scale", found, measured)


def _both(results: int, directory: Path | None) -> dict[str, Any]:
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from servers.postgres import PostgresServer

    found = {}
    place = Path(tempfile.mkdtemp(prefix="sharpen-scale-", dir=directory))
    try:
        url = f"sqlite:///{place}/store.db"
        fill(url, results)
        found["SQLite"] = ask(url) | {"bytes": sum(path.stat().st_size for path in place.iterdir())}
    finally:
        shutil.rmtree(place)
    server = PostgresServer(autovacuum="on", shared_buffers="256MB", max_wal_size="4GB")
    server.start()
    try:
        url = server.database()
        fill(url, results)
        with Store.open(url) as store, store.database.read() as connection:
            size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
        found["PostgreSQL"] = ask(url) | {"bytes": size}
    finally:
        server.stop()
    return found


UNFINISHED: tuple[Any, ...] = ()

if __name__ == "__main__":
    from sharpen.executor.models import RunStatus

    UNFINISHED = tuple(status for status in RunStatus if status is not RunStatus.COMPLETED)
    main()
