"""What the saved results of a run cost: what a process that goes on with it counts towards its budget."""

from __future__ import annotations

from sqlalchemy import and_, case, func, or_, select

from sharpen.executor.models import TaskStatus
from sharpen.storage import schema
from sharpen.storage.engine import Database
from sharpen.storage.lookup import find_run
from sharpen.storage.records import Spending
from sharpen.storage.results import SYSTEMIC

_RESULTS = schema.results.c
_PAID, _JUDGED = _RESULTS.attempts > 0, _RESULTS.judge_calls > 0

_ASKED_AGAIN = or_(_RESULTS.status == TaskStatus.CANCELLED.value, _RESULTS.error_kind.in_(SYSTEMIC))
_TAKEN_OVER = and_(_RESULTS.output.is_not(None), func.coalesce(_ASKED_AGAIN, False))
"""Answered, and not judged to an end: the answer is remembered, and counted when the resumed run takes it over."""

_SUMS = select(
    func.sum(_RESULTS.attempts + _RESULTS.judge_calls),
    func.sum(case((_PAID, _RESULTS.total_tokens), else_=0) + _RESULTS.judge_tokens),
    func.sum(func.coalesce(_RESULTS.cost, 0.0) + func.coalesce(_RESULTS.judge_cost, 0.0)),
    func.sum(
        case((and_(_PAID, _RESULTS.cost.is_(None)), 1), else_=0)
        + case((and_(_JUDGED, _RESULTS.judge_cost.is_(None)), _RESULTS.judge_calls), else_=0)
    ),
).where(~_TAKEN_OVER)


def spent_by(database: Database, run_id: str) -> Spending:
    """Attempts, judge calls, tokens and cost of a run's results, those included that are asked again.

    Raises ``UnknownNameError``.
    """
    with database.read() as connection:
        run = find_run(connection, run_id).id
        calls, tokens, cost, unpriced = connection.execute(_SUMS.where(_RESULTS.run == run)).one()
    return Spending(calls=calls or 0, tokens=tokens or 0, cost=cost or 0.0, unpriced_calls=unpriced or 0)
