"""What the user sees while something runs: a live bar in a terminal, a line now and then elsewhere.

Both observers must share one console (stderr), so that printed lines and the bar do not overwrite one another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from sharpen.executor.models import RunExecutionResult, RunStatistics, TaskResult
from sharpen.executor.ports import RunStart
from sharpen.reporting import figures as fig
from sharpen.reporting.tally import Tally
from sharpen.reporting.terminal import fitting, styled

PLAIN_EVERY_S = 5.0
_NAMES = {"baseline": "Baseline", "candidate": "Candidates", "holdout": "Held-out cases"}


class RunProgress:
    """Watches runs (``RunObserver``), one or several at a time; also a context manager, which takes the bar away.

    Nothing is shown when ``quiet``. Runs that overlap (the candidates of a search) are shown as one.
    """

    def __init__(
        self,
        console: Console,
        quiet: bool = False,
        every_s: float = PLAIN_EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._quiet = quiet
        self._every_s = every_s
        self._clock = clock
        self._active: set[str] = set()
        self._runs = 0
        self._name = ""
        self._tally = Tally(clock)
        self._live: Live | None = None
        self._told = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def run_started(self, start: RunStart) -> None:
        if self._quiet:
            return
        if not self._active:
            self._tally, self._runs = Tally(self._clock), 0
        self._active.add(start.run_id)
        self._runs += 1
        self._tally.total += start.total_tasks
        self._name = _NAMES.get(start.purpose, start.workflow_id)
        self._told = self._clock()
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            if self._live is None:
                self._live = Live(self, console=self._console, refresh_per_second=8, transient=True)
                with _unharmed():
                    self._live.start()
        elif self._runs == 1 and start.purpose not in ("candidate", "holdout"):  # a search announces these itself
            self._say(f"{self._name}: {fig.plural(start.total_tasks, 'test')}")

    def attempt_failed(self, case_id: str, kind: str, retry_in_s: float | None) -> None:  # noqa: ARG002 - the seam's
        if retry_in_s is not None:
            self._tally.retries += 1

    def task_finished(self, result: TaskResult, statistics: RunStatistics) -> None:
        if self._quiet:
            return
        self._tally.add(result)
        if self._runs == 1:
            self._tally.adopt(statistics)
        if self._live is None and self._clock() - self._told >= self._every_s:
            self._told = self._clock()
            self._say(self._line())

    def run_finished(self, result: RunExecutionResult) -> None:
        if self._quiet:
            return
        self._active.discard(result.run_id)
        if not self._active:
            self._stop()
            if self._runs == 1:
                self._say(self._line())

    def interrupted(self, reason: str) -> None:
        """Say, ``quiet`` or not, why it does not end at once."""
        self._say(f"{reason}: the calls under way are finished first; once more stops at once")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        tally = self._tally
        grid = Table.grid(padding=(0, 1), expand=False)
        bar = ProgressBar(total=max(1, tally.total), completed=tally.done, width=max(10, options.max_width - 45))
        grid.add_row(
            styled(console, self._name[:28], "bold"), bar, styled(console, f"{tally.done:,}/{tally.total:,}", "default")
        )
        yield grid
        yield styled(console, fitting("  ", tally.parts(), options.max_width), "dim")

    def _line(self) -> str:
        counted = f"{self._name}: {self._tally.done:,}/{self._tally.total:,}, "
        return fitting(counted, self._tally.parts(), self._console.width)

    def _say(self, text: str) -> None:
        with _unharmed():
            self._console.print(styled(self._console, text, "dim"), soft_wrap=True)

    def _stop(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            with _unharmed():
                live.stop()


class SearchProgress:
    """Watches a search (``SearchObserver``): one line for each phase and each measured candidate."""

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet

    def phase(self, name: str, detail: str = "") -> None:
        self._say(f"{name}: {detail}" if detail else name, "bold")

    def candidate(self, candidate_id: str, strategy: str, success_rate: float, cases: int, status: str) -> None:
        if status == "holdout":  # its figures mix both splits; the held-out run tells its own
            return
        what = f"{candidate_id}  {strategy}: {fig.percent(success_rate)} of {fig.plural(cases, 'case')}"
        self._say(f"  {what}", "default")

    def _say(self, text: str, style: str) -> None:
        if not self._quiet:
            with _unharmed():
                self._console.print(styled(self._console, text, style), soft_wrap=True)


@contextmanager
def _unharmed() -> Iterator[None]:
    """A run that was paid for must not die because nobody reads its progress (closed pipe, closed stream)."""
    with suppress(OSError, ValueError):
        yield
