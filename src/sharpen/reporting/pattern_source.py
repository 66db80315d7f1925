"""The error patterns of a single run of any size. Of a large one a bounded sample of its cases is looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby

from sharpen.config.case_set import cases_by_id, sampled
from sharpen.config.models import Case
from sharpen.config.reservoir import Reservoir
from sharpen.executor.models import ResultLog, RunExecutionResult, RunStatus, TaskResult
from sharpen.executor.result_log import repeated
from sharpen.optimizer.error_patterns import ErrorPatterns, find_patterns
from sharpen.optimizer.outcomes import outcomes_of
from sharpen.optimizer.ports import CaseOutcome, LabelledCase
from sharpen.optimizer.proof.units import group_of

FAILURES = 5_000
"""So many failing cases of a large run are looked at, a uniform random sample; about a thousand passing ones beside."""


def patterns_of_run(result: RunExecutionResult, cases: Collection[Case]) -> ErrorPatterns | None:
    """What went wrong in a run, over all of its cases; None when nothing did.

    Of a run whose results are read from the store, failing cases are drawn at random and passing ones are those of
    the data set's own sample: ``basis`` says so. ``cases`` that are not known have no inputs to tell of.
    """
    tasks = result.task_results
    statistics = result.statistics
    if statistics.completed_tasks == statistics.succeeded_tasks:
        return None
    if not isinstance(tasks, ResultLog):
        outcomes = {outcome.case_id: outcome for outcome in outcomes_of(tasks)}
        found = find_patterns(_labelled(outcomes, cases), outcomes, basis="all cases of the run")
    else:
        found = _of_log(result, tasks, cases)
    return found if found.failures else None


def _of_log(result: RunExecutionResult, tasks: ResultLog, cases: Collection[Case]) -> ErrorPatterns:
    drawn = Reservoir[CaseOutcome](FAILURES)
    passing: dict[str, CaseOutcome] = {}
    if result.status is RunStatus.COMPLETED:  # else who did not fail may not have run
        passing = {case.id: CaseOutcome(case.id, 1.0, 1.0) for case in sampled(cases)}
    found: Iterable[TaskResult] = tasks if repeated(tasks) else tasks.not_succeeded()
    for case_id, repeats in groupby(found, key=lambda task: task.case_id):
        group = tuple(repeats)
        if len(group) == 1 and not group[0].status.completed:
            passing.pop(case_id, None)
            continue
        (outcome,) = outcomes_of(group)
        if outcome.ran and outcome.passed:
            continue
        passing.pop(case_id, None)
        if outcome.ran:
            drawn.offer(outcome)
    outcomes = {outcome.case_id: outcome for outcome in drawn.in_order()} | passing
    statistics, failures = result.statistics, drawn.number
    ran = statistics.completed_tasks if not repeated(tasks) else max(failures, len(cases))
    looked_at = "all" if failures <= FAILURES else f"a random {FAILURES:,} of"
    beside = f" beside {len(passing):,} passing ones, drawn at random" if passing else ""
    return find_patterns(
        _labelled(outcomes, cases),
        outcomes,
        basis=f"{looked_at} {failures:,} failing cases{beside}",
        totals=(ran, failures),
    )


def _labelled(outcomes: dict[str, CaseOutcome], cases: Collection[Case]) -> Sequence[LabelledCase]:
    known = cases_by_id(cases, outcomes.keys())
    return [_of_case(case_id, known.get(case_id)) for case_id in outcomes]


def _of_case(case_id: str, case: Case | None) -> LabelledCase:
    if case is None:
        return LabelledCase(case_id, {})
    group = group_of(case.group, case.metadata, case.vars)
    return LabelledCase(case_id, dict(case.vars), case.expected, dict(case.metadata), group)
