"""A run's results as lines of text: for other tools, and for the scripted target to replay."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sharpen.errors import UnknownNameError
from sharpen.executor.models import TaskResult
from sharpen.storage.lookup import find_run
from sharpen.storage.records import StoredCase
from sharpen.storage.results import read_results
from sharpen.storage.store import Store

Inputs = dict[str, StoredCase]


def export_run(store: Store, run_id: str, format: str = "jsonl") -> Iterator[str]:
    """Lines of a run's results in case order, without line ends (a CSV record may hold line breaks in quotes).

    ``jsonl``: each result whole, with its case's ``vars`` and ``expected``. ``csv``: the same as flat columns,
    ``vars.NAME`` for each variable. ``recorded``: what the scripted target replays, one line for each answer; results
    without an answer are left out, for there is nothing to replay. ``json``: one document with everything that the
    store knows of the run: plan, prompt, target, cases, results, decision.
    Raises ``UnknownNameError`` for an unknown run or format, at the call and not at the first line.
    """
    if format not in (*FORMATS, "json"):
        raise UnknownNameError("export format", format, [*FORMATS, "json"])
    with store.database.read() as connection:
        run_id = find_run(connection, run_id).run_id
    if format == "json":
        return iter(_document(store, run_id).splitlines())
    return FORMATS[format](_read(store, run_id), store.cases.of_run(run_id))


def _document(store: Store, run_id: str) -> str:
    decision = store.decisions.get(run_id)
    document = {
        "run": store.runs.get(run_id).model_dump(mode="json"),
        "cases": [case.model_dump(mode="json") for case in store.cases.of_run(run_id).values()],
        "results": [result.model_dump(mode="json") for result in _read(store, run_id)],
        "decision": decision.model_dump(mode="json") if decision else None,
    }
    return json.dumps(document, ensure_ascii=False, indent=2)


def _read(store: Store, run_id: str) -> Iterator[TaskResult]:
    with store.database.read() as connection:
        yield from read_results(connection, find_run(connection, run_id).id)


def _jsonl(results: Iterable[TaskResult], inputs: Inputs) -> Iterator[str]:
    for result in results:
        case = inputs.get(result.case_id, StoredCase(id=result.case_id))
        line = {"case_id": case.id, "repeat": result.repeat, "vars": case.vars, "expected": case.expected}
        yield json.dumps({**line, **result.model_dump(mode="json")}, ensure_ascii=False)


def _recorded(results: Iterable[TaskResult], _inputs: Inputs) -> Iterator[str]:
    for result in results:
        if result.output is not None:
            line = {
                "case_id": result.case_id,
                "output": result.output,
                "prompt_tokens": result.prompt_tokens,
                "completion_tokens": result.completion_tokens,
                "latency_ms": result.execution_time * 1000,
            }
            yield json.dumps(line, ensure_ascii=False)


_CSV_FIELDS = (
    "status", "score", "output", "finish_reason", "execution_time", "wait_time", "attempts", "prompt_tokens",
    "completion_tokens", "total_tokens", "cost", "saved_cost", "cached",
)  # fmt: skip


_CSV_REASONS = ("failed_assertions", "error_kind", "error_message")


def _csv(results: Iterable[TaskResult], inputs: Inputs) -> Iterator[str]:
    names = list(dict.fromkeys(name for case in inputs.values() for name in case.vars))
    yield _csv_record(
        ["case_id", "repeat", *(f"vars.{name}" for name in names), "expected", *_CSV_FIELDS, *_CSV_REASONS]
    )
    for result in results:
        case = inputs.get(result.case_id, StoredCase(id=result.case_id))
        failed = "; ".join(f"{a.type}: {a.reason}" for a in result.assertion_results if not a.passed)
        yield _csv_record(
            [result.case_id, result.repeat, *(_cell(case.vars.get(name)) for name in names), _cell(case.expected)]
            + [_cell(getattr(result, name)) for name in _CSV_FIELDS]
            + [failed, result.error.kind if result.error else "", result.error.message if result.error else ""]
        )


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | bool) else value


def _csv_record(cells: list[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


FORMATS: dict[str, Callable[[Iterable[TaskResult], Inputs], Iterator[str]]] = {
    "jsonl": _jsonl,
    "recorded": _recorded,
    "csv": _csv,
}
