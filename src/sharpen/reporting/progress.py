"""What the user sees while something runs: a live display in a terminal, a line now and then elsewhere.

Both observers must share one console (stderr), so that printed lines and the display do not overwrite one another.
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

from sharpen.executor.limits import LimiterState
from sharpen.executor.models import RunExecutionResult, RunStatistics, TaskResult
from sharpen.executor.ports import RunStart
from sharpen.reporting import figures as fig
from sharpen.reporting import progress_text as text
from sharpen.reporting.tally import Speed, Tally
from sharpen.reporting.terminal import fitting, styled

PLAIN_EVERY_S = 5.0
REFRESH_PER_S = 8
_NAMES = {"baseline": "Baseline", "candidate": "Candidates", "holdout": "Held-out cases", "ab": "A/B test"}
_NO_LIMIT = 10_000  # cells of a line in a log file, which wraps nowhere
_LABEL = 9  # cells of a line's label, in the live display


class RunProgress:
    """Watches runs (``RunObserver``), one or several at a time; also a context manager, which takes the display away.

    Nothing is shown when ``quiet``. Runs that overlap (the candidates of a search) are shown as one. The event loop
    only counts; drawing is done by a thread of Rich's, a few times a second.
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
        self._limits: Callable[[], LimiterState] | None = None
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
        self._limits = start.limits
        self._name = _NAMES.get(start.purpose, start.workflow_id)
        self._told = self._clock()
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            if self._live is None:
                self._live = Live(self, console=self._console, refresh_per_second=REFRESH_PER_S, transient=True)
                with _unharmed():
                    self._live.start()
        elif self._runs == 1 and start.purpose not in ("candidate", "holdout", "ab"):  # a search announces these itself
            self._say(f"{self._name}: {fig.plural(start.total_tasks, 'test')}")

    def attempt_failed(self, case_id: str, kind: str, retry_in_s: float | None) -> None:  # noqa: ARG002 - the seam's
        if retry_in_s is not None:
            self._tally.retry(kind)

    def task_finished(self, result: TaskResult, statistics: RunStatistics) -> None:
        if self._quiet:
            return
        self._tally.add(result, statistics if self._runs == 1 else None)
        if self._live is None and self._clock() - self._told >= self._every_s:
            self._told = self._clock()
            self._say(self._line(self._tally.recent()))

    def run_finished(self, result: RunExecutionResult) -> None:
        if self._quiet:
            return
        self._active.discard(result.run_id)
        if not self._active:
            self._stop()
            self._limits = None
            if self._runs == 1:
                self._say(self._line(self._tally.overall))

    def interrupted(self, reason: str) -> None:
        """Say, ``quiet`` or not, why it does not end at once."""
        self._say(f"{reason}: the calls under way are finished first; once more stops at once")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        tally, speed, width = self._tally, self._tally.recent(), options.max_width
        done = f"{tally.done:,}/{tally.total:,}"
        forecast = text.left(tally, speed)
        name = self._name[:28]
        taken = len(name) + len(done) + 21  # 21: gaps, and the longest forecast, so that the bar keeps its length
        grid = Table.grid(padding=(0, 1), expand=False)
        grid.add_row(
            styled(console, name, "bold"),
            ProgressBar(total=max(1, tally.total), completed=tally.done, width=max(8, width - taken)),
            styled(console, done, "default"),
            styled(console, forecast, "default"),
        )
        yield grid
        for label, parts in self._details(tally, speed):
            yield styled(console, fitting(f"  {label:<{_LABEL}}", parts, width), "dim")

    def _details(self, tally: Tally, speed: Speed) -> Iterator[tuple[str, list[str]]]:
        yield "results", text.results(tally, speed)
        yield "spent", text.spent(tally)
        if self._limits is not None:
            yield "now", text.now(tally, self._limits())
        if retries := text.retries(tally):
            yield "retries", retries

    def say(self, what: str) -> None:
        """A line for people, ``quiet`` or not."""
        self._say(what)

    def _line(self, speed: Speed) -> str:
        counted = f"{self._name}: {self._tally.done:,}/{self._tally.total:,}, "
        parts = text.line(self._tally, speed, self._limits() if self._limits else None)
        return fitting(counted, parts, self._console.width if self._console.is_terminal else _NO_LIMIT)

    def _say(self, what: str) -> None:
        with _unharmed():
            self._console.print(styled(self._console, what, "dim"), soft_wrap=True)

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
