"""A run's results as lines of text: for other tools, and for the scripted target to replay."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from sharpen.config.models import Case
from sharpen.errors import UnknownNameError
from sharpen.executor.models import TaskResult
from sharpen.executor.result_log import with_cases
from sharpen.json_stream import Rows, chunks
from sharpen.storage.cases import StoredCases
from sharpen.storage.lookup import find_run
from sharpen.storage.records import StoredCase
from sharpen.storage.results import read_results
from sharpen.storage.store import Store
from sharpen.storage.stored_results import StoredResults


def export_run(store: Store, run_id: str, format: str = "jsonl") -> Iterator[str]:
    """Lines of a run's results in case order, without line ends (a CSV record may hold line breaks in quotes).

    They are made as they are asked for: a run may be larger than memory.

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
        return _lines(_document(store, run_id))
    return FORMATS[format](_read(store, run_id), store.cases.stored(run_id))


def _document(store: Store, run_id: str) -> Iterator[str]:
    decision = store.decisions.get(run_id)
    inputs = (StoredCase(id=case.id, vars=case.vars, expected=case.expected) for case in store.cases.stored(run_id))
    document = {
        "run": store.runs.get(run_id).model_dump(mode="json"),
        "cases": Rows(inputs, _plain),
        "results": Rows(_read(store, run_id), _plain),
        "decision": decision.model_dump(mode="json") if decision else None,
    }
    return chunks(document)


def _plain(model: BaseModel) -> Any:
    return model.model_dump(mode="json")


def _lines(parts: Iterable[str]) -> Iterator[str]:
    """Text in parts of any length, line by line."""
    rest = ""
    for part in parts:
        *whole, rest = (rest + part).split("\n")
        yield from whole
    yield rest


def _read(store: Store, run_id: str) -> Iterator[TaskResult]:
    with store.database.read() as connection:
        run = find_run(connection, run_id)
        if not run.dataset_hash:
            yield from read_results(connection, run.id)
            return
    yield from StoredResults(store.database, run.id)


def _jsonl(results: Iterable[TaskResult], cases: StoredCases) -> Iterator[str]:
    for result, case in with_cases(results, cases):
        line = {
            "case_id": result.case_id,
            "repeat": result.repeat,
            "vars": case.vars if case else {},
            "expected": case.expected if case else None,
        }
        yield json.dumps({**line, **result.model_dump(mode="json")}, ensure_ascii=False)


def _recorded(results: Iterable[TaskResult], _cases: StoredCases) -> Iterator[str]:
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


def _csv(results: Iterable[TaskResult], cases: StoredCases) -> Iterator[str]:
    names = list(dict.fromkeys(name for case in cases for name in case.vars))
    yield _csv_record(
        ["case_id", "repeat", *(f"vars.{name}" for name in names), "expected", *_CSV_FIELDS, *_CSV_REASONS]
    )
    for result, known in with_cases(results, cases):
        case = known or Case(id=result.case_id)
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


FORMATS: dict[str, Callable[[Iterable[TaskResult], StoredCases], Iterator[str]]] = {
    "jsonl": _jsonl,
    "recorded": _recorded,
    "csv": _csv,
}
