"""Task results of one prompt → one outcome for each case, repeats folded. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from sharpen.executor.models import TaskResult, TaskStatus
from sharpen.optimizer.ports import CaseOutcome


def outcomes_of(results: Iterable[TaskResult], case_ids: Sequence[str] | None = None) -> tuple[CaseOutcome, ...]:
    """One outcome for each of ``case_ids`` (left out: for each case met), in that order.

    Rates, latency, tokens and cost are means over the repeats that ran; output, reasons, error kind and
    how the answer ended are those of the first repeat that did not pass, else of the first one.
    """
    by_case: dict[str, list[TaskResult]] = defaultdict(list)
    for result in results:
        by_case[result.case_id].append(result)
    return tuple(_fold(case_id, by_case.get(case_id, [])) for case_id in (case_ids or tuple(by_case)))


def _fold(case_id: str, results: Sequence[TaskResult]) -> CaseOutcome:
    calls = sum(result.attempts + result.judge.calls for result in results)
    ran = [result for result in results if result.status.completed]
    if len(ran) < len(results) or not ran:  # a case that lost a repeat has no rate that can be compared
        return CaseOutcome(case_id=case_id, pass_rate=0.0, score=0.0, ran=False, calls=calls)
    n = len(ran)
    passed = [result.status is TaskStatus.SUCCEEDED for result in ran]
    shown = next((result for result, ok in zip(ran, passed, strict=True) if not ok), ran[0])
    costs = [result.price for result in ran]  # a remembered answer makes no prompt cheaper
    judging = [result.judge.cost for result in ran]
    return CaseOutcome(
        case_id=case_id,
        pass_rate=sum(passed) / n,
        score=math.fsum(_score(result) for result in ran) / n,
        output=shown.output,
        reasons=reasons_of(shown),
        error_kind=shown.error.kind if shown.error else None,
        latency_ms=math.fsum(result.execution_time for result in ran) * 1000 / n,
        tokens=sum(result.total_tokens for result in ran) / n,
        cost=None if None in costs else math.fsum(cost or 0.0 for cost in costs) / n,
        calls=calls,
        judge_tokens=sum(result.judge.tokens for result in ran) / n,
        judge_cost=None if None in judging else math.fsum(cost or 0.0 for cost in judging) / n,
        finish_reason=shown.finish_reason,
        failed_assertions=tuple(check.type for check in shown.assertion_results if not check.passed),
    )


def reasons_of(result: TaskResult) -> tuple[str, ...]:
    """Why a task did not pass, in words."""
    failed = tuple(check.reason or check.type for check in result.assertion_results if not check.passed)
    if not failed and result.error is not None:
        return (result.error.message or str(result.error.kind),)
    return failed


def _score(result: TaskResult) -> float:
    if result.score is not None:
        return result.score
    return 1.0 if result.status is TaskStatus.SUCCEEDED else 0.0
