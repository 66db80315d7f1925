"""Lists in the terminal: runs and versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from rich.console import Console
from rich.text import Text

from sharpen.executor.models import RunStatistics, RunStatus
from sharpen.reporting import figures as fig
from sharpen.reporting.comparison import rate_of_ran
from sharpen.reporting.terminal import styled, table
from sharpen.reporting.text import one_line
from sharpen.versions.models import PromptVersion

_STATUS = {RunStatus.BUDGET_EXHAUSTED: "budget spent"}


class RunLine(Protocol):
    """What the list of runs needs of a run."""

    @property
    def run_id(self) -> str: ...
    @property
    def workflow_id(self) -> str: ...
    @property
    def status(self) -> RunStatus: ...
    @property
    def purpose(self) -> str: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def total_tasks(self) -> int: ...
    @property
    def statistics(self) -> RunStatistics | None: ...


def print_runs_table(console: Console, runs: Sequence[RunLine]) -> None:
    """One line for each run, in the order given."""
    if not runs:
        console.print(styled(console, "No runs yet.", "dim"))
        return
    several = len({run.workflow_id for run in runs}) > 1
    if not several:
        console.print(styled(console, runs[0].workflow_id, "bold"))
    rows = [
        (
            run.run_id,
            run.workflow_id if several else f"{run.started_at:%m-%d %H:%M}",
            run.purpose,
            Text(_STATUS.get(run.status, run.status.value), "green" if run.status is RunStatus.COMPLETED else "yellow"),
            fig.percent(rate_of_ran(run.statistics)) if run.statistics else fig.NOTHING,
            f"{run.total_tasks:,}",
        )
        for run in runs
    ]
    columns = ("run", "workflow" if several else "started", "purpose", "status", "passed", "tests")
    console.print(table(console, columns, rows, numbers=columns[-2:], flexible="workflow"))


def print_versions_table(
    console: Console, versions: Sequence[PromptVersion], aliases: Mapping[str, str] | None = None
) -> None:
    """One line for each version, in the order given. ``aliases``: name → version, of a single workflow."""
    if not versions:
        console.print(styled(console, "No versions yet.", "dim"))
        return
    named: dict[str, list[str]] = {}
    for alias, version in (aliases or {}).items():
        named.setdefault(version, []).append(alias)
    several = len({version.workflow_id for version in versions}) > 1
    rows = [
        (
            *((one_line(item.workflow_id, 20),) if several else ()),
            item.version,
            item.kind,
            fig.percent(item.metrics.success_rate) if item.metrics else fig.NOTHING,
            f"{fig.signed(item.improvement)}" if item.improvement is not None else fig.NOTHING,
            f"{item.created_at:%Y-%m-%d}",
            ", ".join([*named.get(item.version, ()), item.message] if item.message else named.get(item.version, ())),
        )
        for item in versions
    ]
    columns = (
        *(("workflow",) if several else ()),
        "version",
        "kind",
        "success",
        "points",
        "created",
        "notes",
    )
    console.print(table(console, columns, rows, numbers=("success", "points"), flexible="notes"))
