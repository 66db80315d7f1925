"""A run of any size as a page can show it: every result counted, some cases shown. One pass over the results.

Shown are the cases that failed, up to a number, and a random sample of the others; how many are not is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from sharpen.config.case_set import cases_by_id
from sharpen.config.models import Case
from sharpen.config.reservoir import Reservoir
from sharpen.executor.models import ResultLog, RunExecutionResult, TaskResult
from sharpen.executor.result_log import repeated
from sharpen.reporting.cases import CaseView, State, case_view, case_views, page_bytes, state_of, tasks_by_case
from sharpen.reporting.chart_data import ChartFigures
from sharpen.reporting.time_breakdown import TimeAccumulator, TimeBreakdown, of_times

FAILING_SHOWN = 1_000
"""The first failing cases of a large run are on its page, up to so many."""
OTHERS_SHOWN = 200
"""So many of its other cases are, too: a uniform random sample."""
TEXT_LIMIT = 1_000
"""Characters kept of one text of a large run."""
PAGE_BYTES = 2_000_000
"""Bytes of answers and reasons after which a large run's page takes no more failing cases, and of inputs after which
each is cut to ``SHORT`` characters: together with what the page itself takes it stays below 10 MB."""
SHORT = 60
_AROUND = 300
"""Bytes of markup around an answer, a reason or an input, about."""
_LOOKED_UP = 100


@dataclass(frozen=True, slots=True)
class Digest:
    """``rows``: the cases shown, in case order. ``states`` counts all of them.

    ``note`` says what is left out (empty: nothing), ``command`` prints it.
    """

    rows: Sequence[CaseView]
    states: Counter[State]
    figures: ChartFigures
    time: TimeBreakdown
    note: str = ""
    command: str = ""


def digest(result: RunExecutionResult, cases: Collection[Case]) -> Digest:
    """Everything of a small run, the bounded digest of a large one."""
    figures, time = ChartFigures("This run", "next"), TimeAccumulator()
    if not isinstance(result.task_results, ResultLog):
        rows = case_views(tuple(cases), result)
        for tasks in tasks_by_case(result).values():
            figures.add(tasks)
            for task in tasks:
                time.add(task)
        return Digest(rows, Counter(row.state for row in rows), figures, of_times(result, time))
    states, chosen = Counter[State](), _Chosen()
    for number, tasks in enumerate(_case_by_case(result.task_results)):
        for task in tasks:
            time.add(task)
        figures.add(tasks)
        state = state_of(tasks) or "skipped"
        states[state] += 1
        chosen.offer(number, state, tasks)
    views = chosen.in_order()
    note = _note(states, Counter(view.state for view in views))
    rows = list(_with_inputs(views, cases))
    return Digest(rows, states, figures, of_times(result, time), note, f"sharpen runs export {result.run_id}")


def failing_cases(result: RunExecutionResult, cases: Collection[Case], shown: int) -> tuple[list[CaseView], int]:
    """The first failing cases of a run, and how many there are."""
    tasks = result.task_results
    found: Iterable[tuple[TaskResult, ...]]
    if not isinstance(tasks, ResultLog):
        found = tasks_by_case(result).values()
    elif repeated(tasks):
        found = _case_by_case(tasks)
    else:
        found = ((task,) for task in tasks.not_succeeded())
    views, number = [], 0
    for repeats in found:
        if state_of(repeats) == "failed":
            number += 1
            if number <= shown:
                views.append(case_view(repeats, TEXT_LIMIT))
    return list(_with_inputs(views, cases)), number


def _case_by_case(results: Iterable[TaskResult]) -> Iterator[tuple[TaskResult, ...]]:
    """The results of each case; repeats stand side by side."""
    for _, tasks in groupby(results, key=lambda task: task.case_id):
        yield tuple(tasks)


class _Chosen:
    """The cases that are shown, without their inputs."""

    def __init__(self) -> None:
        self._failing: list[tuple[int, CaseView]] = []
        self._others = Reservoir[tuple[int, CaseView]](OTHERS_SHOWN)
        self._room = PAGE_BYTES

    def offer(self, number: int, state: State, tasks: tuple[TaskResult, ...]) -> None:
        def view() -> tuple[int, CaseView]:
            return number, case_view(tasks, TEXT_LIMIT)

        if state == "failed":
            if len(self._failing) < FAILING_SHOWN and self._room > 0:
                self._failing.append(view())
                self._room -= _size(self._failing[-1][1])
        else:
            self._offer_other(view)

    def _offer_other(self, view: Callable[[], tuple[int, CaseView]]) -> None:
        others = self._others
        if others.number + 1 == others.next:
            others.offer(view())
        else:
            others.number += 1

    def in_order(self) -> list[CaseView]:
        return [view for _, view in sorted((*self._failing, *self._others.in_order()), key=lambda pair: pair[0])]


def _size(view: CaseView) -> int:
    """Bytes of its answers and reasons on a page."""
    answers = (attempt.output.text if attempt.output else "" for attempt in view.current)
    reasons = (failure.reason for attempt in view.current for failure in attempt.failures)
    return sum(_AROUND + page_bytes(text) for text in (*answers, *reasons))


def _with_inputs(views: Sequence[CaseView], cases: Collection[Case]) -> Iterator[CaseView]:
    room = PAGE_BYTES
    for first in range(0, len(views), _LOOKED_UP):
        some = views[first : first + _LOOKED_UP]
        known = cases_by_id(cases, [view.key for view in some])
        for view in some:
            full = view.with_inputs(known.get(view.key), TEXT_LIMIT if room > 0 else SHORT)
            texts = [shown for _, shown in full.inputs] + ([full.expected] if full.expected else [])
            room -= sum(_AROUND + page_bytes(shown.text) for shown in texts)
            yield full


def _note(states: Counter[State], shown: Counter[State]) -> str:
    failing, others = states["failed"], states.total() - states["failed"]
    other_shown = shown.total() - shown["failed"]
    parts = []
    if failing:
        first = "all" if shown["failed"] == failing else f"the first {shown['failed']:,} of"
        parts.append(f"{first} {failing:,} cases that failed")
    if others:
        drawn = ("all", "") if other_shown == others else (f"{other_shown:,} of", ", drawn at random")
        parts.append(f"{drawn[0]} {others:,} others{drawn[1]}")
    return f"Shown: {' and '.join(parts)}. Long texts are cut. All of them, whole:"
