"""A run's results, whether they are held in memory or read from where they are stored."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from sharpen.config.case_set import Lookup
from sharpen.config.models import Case
from sharpen.executor.models import ResultLog, TaskFigures, TaskResult, TaskStatus

__all__ = ["ResultLog", "TaskFigures", "figures_of", "not_succeeded", "repeated", "with_cases"]

BEGINNING = 1_000
"""Among so many results one shows whether a run repeats its cases."""
TOGETHER = 500
"""Results whose cases are looked up at once."""


def figures_of(results: Iterable[TaskResult]) -> Iterable[TaskFigures]:
    """The figures of results."""
    if isinstance(results, ResultLog):
        return results.figures()
    return (
        TaskFigures(r.status, r.execution_time, r.error.kind if r.error else None, r.cost, r.saved_cost)
        for r in results
    )


def not_succeeded(results: Iterable[TaskResult]) -> Iterable[TaskResult]:
    """The results that did not succeed."""
    if isinstance(results, ResultLog):
        return results.not_succeeded()
    return (result for result in results if result.status is not TaskStatus.SUCCEEDED)


def repeated(results: Iterable[TaskResult]) -> bool:
    """Whether a run's cases were run more than once; of a log only its beginning is read."""
    return any(result.repeat for result in (islice(results, BEGINNING) if isinstance(results, ResultLog) else results))


def with_cases(results: Iterable[TaskResult], cases: Collection[Case]) -> Iterator[tuple[TaskResult, Case | None]]:
    """Each result beside its case (None: not known), a few hundred cases looked up at a time."""
    waiting = iter(results)
    known = {} if isinstance(cases, Lookup) else {case.id: case for case in cases}
    while some := list(islice(waiting, TOGETHER)):
        if isinstance(cases, Lookup):
            known = dict(cases.of({result.case_id for result in some}))
        yield from ((result, known.get(result.case_id)) for result in some)
