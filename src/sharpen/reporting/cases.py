"""Cases beside what happened to them: the rows of a report, as plain data. Pure.

A page must open quickly whatever a model wrote, so long texts are cut; by how much depends on how many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sharpen.config.models import Case
from sharpen.executor.models import RunExecutionResult, TaskResult, TaskStatus
from sharpen.reporting.text import as_text, cut, for_page, one_line

State = Literal["passed", "failed", "skipped"]
TEXT_BUDGET = 4_000_000
"""Bytes that all texts of one page may take after escaping: a page of 5,000 cases stays below 10 MB."""
TEXT_LIMITS = (20_000, 8_000, 4_000, 2_000, 1_000, 500, 250, 100)
"""Characters kept of one text; the first limit with which the page stays within its budget is taken."""
REASON_LIMIT = 2_000
_UNSUCCESSFUL = frozenset(TaskStatus) - {TaskStatus.SUCCEEDED}


@dataclass(frozen=True, slots=True)
class Shown:
    """A text made safe to look at (not escaped); ``note`` says what was cut."""

    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class FailureView:
    """Why one answer did not pass: the assertion (or error kind) and its reason, as they came (not made safe)."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One task of a case. Latency in ms, cost in USD (None: unknown), of a remembered answer what it once cost."""

    state: State
    status: TaskStatus
    output: Shown | None
    failures: tuple[FailureView, ...]
    latency_ms: float | None
    tokens: int
    cost: float | None
    score: float | None
    attempts: int
    repeat: int
    cached: bool


@dataclass(frozen=True, slots=True)
class CaseView:
    """One row. ``after`` is empty where the candidate was not run; ``change`` compares both where it was.

    ``key`` is the case's id as it is, ``id`` the same made safe to look at.
    """

    key: str
    id: str
    inputs: tuple[tuple[str, Shown], ...]
    expected: Shown | None
    split: str
    before: tuple[AttemptView, ...]
    after: tuple[AttemptView, ...]
    before_state: State | None
    after_state: State | None
    change: Literal["fixed", "broken", ""]
    kinds: tuple[str, ...]
    preview: str

    @property
    def state(self) -> State:
        """How the case stands now: under the candidate where that was run, else under the baseline."""
        return self.after_state or self.before_state or "skipped"

    def with_inputs(self, case: Case | None, limit: int) -> CaseView:
        """The same row with the inputs of ``case``, each text cut to ``limit`` characters."""
        inputs = _inputs(case, limit)
        return replace(self, inputs=inputs, expected=_expected(case, limit), preview=_preview(inputs))

    @property
    def current(self) -> tuple[AttemptView, ...]:
        return self.after or self.before


def case_views(
    cases: Sequence[Case],
    before: RunExecutionResult | None,
    after: RunExecutionResult | None = None,
    split_of: Mapping[str, str] | None = None,
) -> list[CaseView]:
    """A row for each case, in the order of ``cases``; results of cases that are not among them follow at the end."""
    first, second = tasks_by_case(before), tasks_by_case(after)
    known = {case.id: case for case in cases}
    ids = list(dict.fromkeys((*known, *first, *second)))
    limit = text_limit(_texts(known.values(), first, second))
    return [
        _view(name, known.get(name), first.get(name, ()), second.get(name, ()), (split_of or {}).get(name, ""), limit)
        for name in ids
    ]


def case_view(tasks: tuple[TaskResult, ...], limit: int) -> CaseView:
    """A row for the results of one case of a single run, without its inputs; texts cut to ``limit`` characters."""
    return _view(tasks[0].case_id, None, tasks, (), "", limit)


def state_of(tasks: Sequence[TaskResult]) -> State | None:
    """A case passes when more than half of its repeats that ran pass (as in the search and the proof)."""
    if not tasks:
        return None
    ran = [task for task in tasks if task.status.completed]
    if not ran:
        return "skipped"
    return "passed" if sum(task.status is TaskStatus.SUCCEEDED for task in ran) > len(ran) / 2 else "failed"


def _change(before: Sequence[TaskResult], after: Sequence[TaskResult]) -> Literal["fixed", "broken", ""]:
    """By pass rates, as the proof counts; a case that lost a repeat under either prompt is no pair."""
    if not before or not after or not all(task.status.completed for task in (*before, *after)):
        return ""
    rates = [sum(t.status is TaskStatus.SUCCEEDED for t in tasks) / len(tasks) for tasks in (before, after)]
    return "fixed" if rates[1] > rates[0] else "broken" if rates[1] < rates[0] else ""


def failures_of(task: TaskResult) -> list[FailureView]:
    """Failed assertions that count (weight above 0), then the error unless it only repeats them."""
    failures = [
        FailureView(result.type, _reason(result.reason or "failed"))
        for result in task.assertion_results
        if not result.passed and result.weight > 0
    ]
    if task.error is not None and task.status in _UNSUCCESSFUL and not failures:
        said, status = task.error.message or task.status.value, f"HTTP {task.error.http_status}"
        if task.error.http_status and not said.startswith(status):  # our own targets begin with it
            said = f"{status}: {said}"
        failures.append(FailureView(task.error.kind.value, _reason(said)))
    return failures


def text_limit(texts: Iterable[str], budget: int = TEXT_BUDGET, limits: Sequence[int] = TEXT_LIMITS) -> int:
    """The largest of ``limits`` with which all texts together stay within ``budget`` bytes; the smallest otherwise."""
    pool = list(texts)
    for limit in limits:
        total = 0
        for text in pool:
            total += page_bytes(text[:limit])
            if total > budget:
                break
        else:
            return limit
    return limits[-1]


def page_bytes(text: str) -> int:
    """What a text takes on a page at most: & < > " ' grow by four bytes when they are escaped."""
    return len(text.encode("utf-8", "replace")) + 4 * sum(text.count(sign) for sign in "&<>\"'")


def tasks_by_case(run: RunExecutionResult | None) -> dict[str, tuple[TaskResult, ...]]:
    """The results of each case, of a run that is held in memory."""
    grouped: dict[str, list[TaskResult]] = {}
    for task in run.task_results if run else ():
        grouped.setdefault(task.case_id, []).append(task)
    return {case_id: tuple(tasks) for case_id, tasks in grouped.items()}


def _texts(cases: Iterable[Case], *runs: dict[str, tuple[TaskResult, ...]]) -> Iterator[str]:
    for case in cases:
        yield as_text(case.expected)
        yield from (as_text(value) for value in case.vars.values())
    for run in runs:
        for tasks in run.values():
            yield from (task.output or "" for task in tasks)


def _view(
    id: str,
    case: Case | None,
    first: tuple[TaskResult, ...],
    second: tuple[TaskResult, ...],
    split: str,
    limit: int,
) -> CaseView:
    before_state, after_state = state_of(first), state_of(second)
    inputs = _inputs(case, limit)
    kinds = {
        task.error.kind.value for task in second or first if task.error and task.status is not TaskStatus.SUCCEEDED
    }
    return CaseView(
        key=id,
        id=for_page(id),
        inputs=inputs,
        expected=_expected(case, limit),
        split=split,
        before=tuple(_attempt(task, limit) for task in first),
        after=tuple(_attempt(task, limit) for task in second),
        before_state=before_state,
        after_state=after_state,
        change=_change(first, second),
        kinds=tuple(sorted(kinds)),
        preview=_preview(inputs),
    )


def _inputs(case: Case | None, limit: int) -> tuple[tuple[str, Shown], ...]:
    return tuple((for_page(name), _shown(as_text(value), limit)) for name, value in case.vars.items()) if case else ()


def _expected(case: Case | None, limit: int) -> Shown | None:
    return _shown(as_text(case.expected), limit) if case and case.expected is not None else None


def _preview(inputs: Iterable[tuple[str, Shown]]) -> str:
    return one_line(" · ".join(shown.text[:160] for _, shown in inputs), 120)


def _attempt(task: TaskResult, limit: int) -> AttemptView:
    ran = task.status.completed
    return AttemptView(
        state="passed" if task.status is TaskStatus.SUCCEEDED else "failed" if ran else "skipped",
        status=task.status,
        output=None if task.output is None else _shown(task.output, limit),
        failures=tuple(failures_of(task)),
        latency_ms=task.execution_time * 1000 if ran else None,
        tokens=task.total_tokens,
        cost=task.price,
        score=task.score,
        attempts=task.attempts,
        repeat=task.repeat,
        cached=task.cached,
    )


def _shown(text: str, limit: int) -> Shown:
    kept, note = cut(text, limit)
    return Shown(for_page(kept), note)


def _reason(text: str) -> str:
    kept, note = cut(text, REASON_LIMIT)
    return kept + (f" ({note})" if note else "")
