"""What the saved results of a run cost: what a process that goes on with it counts towards its budget."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, delete, func, or_, select, update

from sharpen.errors import ErrorKind
from sharpen.executor.models import RunStatus, TaskStatus
from sharpen.storage import schema
from sharpen.storage.engine import Database
from sharpen.storage.lookup import find_run
from sharpen.storage.records import Spending
from sharpen.storage.results import SYSTEMIC

Span = tuple[datetime, datetime]
_SPANS, _SINCE = "spans", "since"
_RESULTS = schema.results.c
_PAID, _JUDGED = _RESULTS.attempts > 0, _RESULTS.judge_calls > 0

_ASKED_AGAIN = func.coalesce(
    or_(_RESULTS.status == TaskStatus.CANCELLED.value, _RESULTS.error_kind.in_(SYSTEMIC)), False
)
_REFUSED = func.coalesce(_RESULTS.error_kind.in_((ErrorKind.BAD_REQUEST, ErrorKind.MALFORMED_COMPLETION)), False)
"""In a run that was aborted: what was the set-up's mistake, not the case's."""
_TAKEN_OVER = and_(_RESULTS.output.is_not(None), _ASKED_AGAIN)
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
    """Attempts, judge calls, tokens and cost of a run so far, in all its processes. Raises ``UnknownNameError``.

    Calls that were in flight when a process was killed are known to nobody, and not counted.
    """
    with database.read() as connection:
        run = find_run(connection, run_id)
        return _carried(run) + _sum(connection, _RESULTS.run == run.id)


def take_up(database: Database, run_id: str) -> Spending:
    """Make a run ready to be gone on with: drop the results that are asked again, and keep what they cost.

    What the run has spent so far is returned. Raises ``UnknownNameError``, ``StoreError``.
    """
    with database.write() as connection:
        run = find_run(connection, run_id)
        again = or_(_ASKED_AGAIN, _REFUSED) if run.status == RunStatus.ABORTED else _ASKED_AGAIN
        dropped = and_(_RESULTS.run == run.id, again)
        carried = _carried(run) + _sum(connection, dropped)
        kept = carried.model_dump(mode="json") | {
            _SPANS: [[begun.isoformat(), ended.isoformat()] for begun, ended in _spans(run)],
            _SINCE: datetime.now(UTC).isoformat(),
        }
        runs = schema.runs
        connection.execute(update(runs).where(runs.c.id == run.id).values(carried=kept))
        connection.execute(delete(schema.results).where(dropped))
        return carried + _sum(connection, _RESULTS.run == run.id)


def spans_of(database: Database, run_id: str) -> tuple[Span, ...]:
    """When processes worked on a run, from its start (or its being taken up) to its end. Raises ``UnknownNameError``.

    When a process that was killed had got to is known to nobody: its time is not in it.
    """
    with database.read() as connection:
        return _spans(find_run(connection, run_id))


def _spans(run: Row[Any]) -> tuple[Span, ...]:
    carried = run.carried or {}
    earlier = [
        (datetime.fromisoformat(begun), datetime.fromisoformat(ended)) for begun, ended in carried.get(_SPANS, ())
    ]
    since = datetime.fromisoformat(carried[_SINCE]) if _SINCE in carried else run.started_at
    if run.finished_at is not None and run.finished_at > since:
        earlier.append((since, run.finished_at))
    return tuple(earlier)


def _carried(run: Row[Any]) -> Spending:
    carried = run.carried or {}
    return Spending.model_validate({key: value for key, value in carried.items() if key not in (_SPANS, _SINCE)})


def _sum(connection: Connection, where: ColumnElement[bool]) -> Spending:
    calls, tokens, cost, unpriced = connection.execute(_SUMS.where(where)).one()
    return Spending(calls=calls or 0, tokens=tokens or 0, cost=cost or 0.0, unpriced_calls=unpriced or 0)
