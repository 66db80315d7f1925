"""What was cut off and can go on: runs, optimizations and A/B tests, and the commands that finish them."""

from __future__ import annotations

import re
from collections.abc import Collection

from sharpen.executor.models import AwareDatetime, Record, RunStatus
from sharpen.optimizer.models import OptimizationOutcome
from sharpen.storage.store import Store
from sharpen.wiring.stores import store_option

UNDER_WAY = "under way"
_UNFINISHED = tuple(status for status in RunStatus if status is not RunStatus.COMPLETED)
_LIMIT = re.compile(r"\((max_\w+)\)")


class Resumable(Record):
    """A run, an optimization or an A/B test that did not come to its end.

    ``state``: under way, killed, or how its run ended.
    """

    id: str
    kind: str
    workflow_id: str
    started_at: AwareDatetime
    state: str
    stop_reason: str | None = None
    command: str


def resumables(store: Store) -> tuple[Resumable, ...]:
    """All that did not come to its end, newest first; also what a living process works on."""
    option = store_option(store)
    runs = store.runs.list(limit=None, purpose="run", status=_UNFINISHED)
    begun = [("optimization", "optimization", one.id, one.workflow_id, one.started_at) for one in store.searches.list()]
    begun += [("A/B test", "ab", one.id, one.workflow_id, one.started_at) for one in store.ab_tests.unfinished()]
    held = store.locks.held()  # looked at last: whoever has begun by now holds its lock
    found = [
        Resumable(
            id=run.run_id,
            kind="run",
            workflow_id=run.workflow_id,
            started_at=run.started_at,
            state=_state(held, f"run:{run.run_id}", run.status),
            stop_reason=run.stop_reason,
            command=f"sharpen resume {run.run_id}{option}",
        )
        for run in runs
    ]
    for kind, lock, name, workflow, started_at in begun:
        stopped = [run for run in store.runs.list(limit=None, parent_run_id=name) if run.stop_reason]
        status = stopped[0].status if stopped else RunStatus.RUNNING
        found.append(
            Resumable(
                id=name,
                kind=kind,
                workflow_id=workflow,
                started_at=started_at,
                state=_state(held, f"{lock}:{name}", status),
                stop_reason=stopped[0].stop_reason if stopped else None,
                command=f"sharpen resume {name}{option}",
            )
        )
    return tuple(sorted(found, key=lambda one: (one.started_at, one.id), reverse=True))


def _state(held: Collection[str], lock: str, status: RunStatus) -> str:
    if lock in held:
        return UNDER_WAY
    return "killed" if status is RunStatus.RUNNING else status.value.replace("_", " ")


def identify(store: Store, ref: str) -> tuple[str, str]:
    """("run", "optimization" or "experiment", id) of what ``ref`` names or begins.

    Raises ``UnknownNameError``, or ``UserError`` when several begin so.
    """
    return store.searches.identify(ref)


def goes_on(outcome: OptimizationOutcome, store: Store) -> str | None:
    """The command that goes on with a search that was stopped before its end; None for any other."""
    if store.searches.find(outcome.run_id) is None:
        return None
    raised = larger_budget(outcome.stop_reason, "optimize")
    return f"sharpen resume {outcome.run_id}{store_option(store)}{raised}"


def larger_budget(stop_reason: str | None, block: str) -> str:
    """What a command lacks that goes on where a budget was spent: what was spent counts. Else empty."""
    limit = _LIMIT.search(stop_reason or "")
    return f" --set {block}.budget.{limit[1]}=MORE" if limit else ""
