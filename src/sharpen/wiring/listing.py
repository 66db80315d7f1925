"""The list of runs; apart from the other queries, which bring all that judges a run with them."""

from __future__ import annotations

from sharpen.errors import UnknownNameError
from sharpen.storage.records import RunSummary
from sharpen.storage.store import Store

SHOWN_PURPOSES = ("run", "baseline")


def list_runs(store: Store, workflow: str | None, limit: int, every_purpose: bool) -> tuple[RunSummary, ...]:
    """Runs, newest first; a search's candidate runs only with ``every_purpose``.

    Raises ``UnknownNameError`` for a workflow of which nothing was ever run.
    """
    found = store.runs.list(workflow, limit, purpose=None if every_purpose else SHOWN_PURPOSES)
    if not found and workflow is not None and workflow not in (known := store.runs.workflows()):
        raise UnknownNameError("workflow", workflow, known)
    return found
