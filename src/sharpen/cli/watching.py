"""Who watches what a command executes: progress for people, log events and telemetry for machines."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from sharpen.events import emit
from sharpen.executor.ports import CallTracer, RunObserver
from sharpen.executor.watching import observer_of, tracer_of
from sharpen.optimizer.forecast import SearchForecast
from sharpen.optimizer.ports import SearchObserver
from sharpen.reporting.console_check import print_forecast
from sharpen.reporting.progress import RunProgress, SearchProgress
from sharpen.reporting.terminal import make_console
from sharpen.telemetry.log_observer import LogObserver
from sharpen.telemetry.log_options import LogFormat, LogLevel
from sharpen.telemetry.log_output import logging_to_stderr
from sharpen.telemetry.otel_setup import opentelemetry

_LOG = logging.getLogger("sharpen.run")


@dataclass(frozen=True, slots=True)
class Watch:
    """What a command hands to ``wiring``. ``interrupted`` and ``taken_over`` are told a sentence for people.

    ``forecast`` is told before a search what it will take.
    """

    observer: RunObserver | None
    search: SearchObserver
    tracer: CallTracer | None
    interrupted: Callable[[str], None]
    taken_over: Callable[[str], None]
    forecast: Callable[[SearchForecast], None]


@contextmanager
def watching(
    quiet: bool, log_format: LogFormat | None = None, log_level: LogLevel | None = None, otel: bool | None = None
) -> Iterator[Watch]:
    """All on stderr. Where log events are JSON, nothing else is written there while something runs."""
    console = make_console(stderr=True)
    with ExitStack() as stack:
        logged = stack.enter_context(logging_to_stderr(log_format, log_level))
        hidden = quiet or log_format is LogFormat.JSON
        progress = RunProgress(console, hidden)
        trouble = _log_unsent if logged else progress.say

        def foretell(forecast: SearchForecast) -> None:
            if not hidden:
                print_forecast(console, forecast)

        telemetry = stack.enter_context(opentelemetry(otel, on_trouble=trouble))
        stack.enter_context(progress)
        log = LogObserver() if logged else None
        observers: list[RunObserver] = [] if hidden else [progress]
        tracers: list[CallTracer] = []
        if log is not None:
            observers.append(log)
            tracers.append(log)
        if telemetry is not None:
            observers.append(telemetry)
            tracers.append(telemetry)
        yield Watch(
            observer=observer_of(observers),
            search=log or SearchProgress(console, hidden),
            tracer=tracer_of(tracers),
            interrupted=log.interrupted if log else progress.interrupted,
            taken_over=_log_takeover if log else progress.say,
            forecast=foretell,
        )


def _log_unsent(_: str) -> None:
    emit(logging.getLogger("sharpen.telemetry"), logging.WARNING, "telemetry_not_sent")


def _log_takeover(_: str) -> None:
    emit(_LOG, logging.WARNING, "lock_taken_over")
