"""What the tests of safety share: a plan on a real server, its store, and reports without their times."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ledger_server import LedgerServer

from sharpen.storage.store import Store
from sharpen.wiring import export_run

CASES, CONCURRENCY = 60, 8
TIMES = frozenset({"run_id", "time", "started_at", "finished_at", "executed_at", "avg_execution_time"}) | {
    *("execution_time", "wait_time", "queue_time", "limit_time"),
    *(f"{which}_response_time_ms" for which in ("avg", "p50", "p95", "p99")),
}
"""What differs between any two runs of one plan."""


def right(prompt: str) -> str:
    """What the server answers."""
    return str(int(prompt.split()[1]) % 7)


def project(
    directory: Path, server: LedgerServer, cache: bool = True, cases: int = CASES, padding: str = "", **keys: Any
) -> Path:
    """A plan on ``server``; every tenth case expects the wrong answer."""
    plan = {
        "workflow_id": "killed",
        "prompt": {"user": "Case {{ n }}" + padding},
        "target": {
            "kind": "openai",
            "model": "m",
            "base_url": server.base_url,
            "price": {"input_usd_per_mtok": 100, "output_usd_per_mtok": 1000},
        },
        "dataset": [
            {"id": f"c{n:03}", "vars": {"n": n}, "expected": "wrong" if n % 10 == 9 else right(f"Case {n}")}
            for n in range(cases)
        ],
        "assertions": [{"type": "equals", "value": "{{ expected }}"}],
        "execution": {"concurrency": CONCURRENCY, "cache": cache},
    } | keys
    directory.mkdir(exist_ok=True)
    (directory / "plan.json").write_text(json.dumps(plan), "utf-8")
    return directory


def without_times(value: Any) -> Any:
    """A document without what differs between any two runs."""
    if isinstance(value, dict):
        return {key: without_times(inner) for key, inner in value.items() if key not in TIMES}
    return [without_times(inner) for inner in value] if isinstance(value, list) else value


def store_of(directory: Path) -> Store:
    return Store.open(f"sqlite:///{directory}/.sharpen/sharpen.db")


def run_ids(directory: Path) -> list[str]:
    """The runs of a project; none when it has no store yet."""
    if not (directory / ".sharpen/sharpen.db").exists():
        return []
    with store_of(directory) as store:
        return [run.run_id for run in store.runs.list()]


def rows_of(directory: Path, run_id: str) -> list[Any]:
    """A run's exported rows, from a store that is whole."""
    with store_of(directory) as store, store.database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        return [without_times(json.loads(line)) for line in export_run(run_id, store, "jsonl")]
