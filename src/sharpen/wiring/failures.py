"""What went wrong in a stored run, as far as it may be told: held-out cases are nobody's to tune by."""

from __future__ import annotations

from sharpen.errors import UnknownNameError
from sharpen.executor.models import RunExecutionResult
from sharpen.optimizer.error_patterns import ErrorPatterns
from sharpen.reporting.pattern_source import patterns_of_run
from sharpen.storage.store import Store


def stored_patterns(result: RunExecutionResult, store: Store) -> ErrorPatterns | None:
    """All failures of a run of its own; of a search's baseline those of train and dev, as the search kept them.

    None when nothing failed, for other steps of a search, and for the baseline of one that has not come to its end.
    """
    record = store.runs.get(result.run_id)
    if record.purpose == "run":
        return patterns_of_run(result, store.cases.stored(result.run_id))
    if record.purpose != "baseline" or record.parent_run_id is None:
        return None
    try:
        return store.optimizations.get(record.parent_run_id).patterns
    except UnknownNameError:
        return None
