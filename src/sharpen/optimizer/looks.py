"""The runs of a proof's looks as one run, as it is shown and stored. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from sharpen.executor.models import RunExecutionResult
from sharpen.executor.statistics import summarize

_LOOKS = "looks"


def joined(runs: Sequence[RunExecutionResult]) -> RunExecutionResult | None:
    """All runs as one, under the id of the first; their results follow each other. None without any.

    ``metadata.looks`` names the runs when there are several. It ended as the last one did.
    """
    if len(runs) < 2:
        return runs[0] if runs else None
    results = tuple(result for run in runs for result in run.task_results)
    return runs[0].model_copy(
        update={
            "finished_at": runs[-1].finished_at,
            "status": runs[-1].status,
            "stop_reason": runs[-1].stop_reason,
            "statistics": summarize(results, sum(run.statistics.total_tasks for run in runs)),
            "task_results": results,
            "metadata": {**runs[0].metadata, _LOOKS: [run.run_id for run in runs]},
        }
    )


def looks_of(run: RunExecutionResult) -> tuple[str, ...]:
    """The ids of the runs that ``run`` was joined from; its own for any other."""
    return tuple(run.metadata.get(_LOOKS, (run.run_id,)))
