"""A time breakdown in words and rows, for every kind of report. Pure."""

from __future__ import annotations

from sharpen.reporting import figures as fig
from sharpen.reporting.time_breakdown import TimeBreakdown

TIME_COLUMNS = ("Where the time went", "In all", "Per test", "Share")
ERROR_COLUMNS = ("What errors cost", "Attempts", "Time lost", "Tokens", "Cost", "Tests lost")
_WHERE = {
    "queue": "Queue, for a free slot",
    "rate limit": "Rate limit",
    "back-off": "Back-off before retries",
    "failed attempts": "Failed attempts",
    "server": "Server, answers",
}


def summary(found: TimeBreakdown) -> str:
    """Wall time and how well the allowed concurrency was used."""
    if not found.tasks:
        return "Nothing was called, or its results are no longer kept."
    text = f"{time_of(found.wall_s)} passed"
    if not found.wall_s:
        return f"The run did not come to its end; its tests took {time_of(found.task_s)} between them."
    if found.concurrency is None:
        return f"{text} since the run was last resumed; its tests took {time_of(found.task_s)} between them."
    of = f" of {found.allowed:,} allowed" if found.allowed is not None else ""
    number = f"{found.concurrency:,.1f}" if found.concurrency < 100 else f"{found.concurrency:,.0f}"
    return f"{text}, with {number}{of} calls under way on average."


def time_rows(found: TimeBreakdown) -> list[tuple[str, str, str, str]]:
    """Rows for ``TIME_COLUMNS``; none when nothing was called."""
    if not found.tasks:
        return []
    return [
        (
            _WHERE[part.name],
            time_of(part.total_s),
            fig.NOTHING if part.mean_s is None else time_of(part.mean_s),
            fig.percent(part.share),
        )
        for part in found.parts
    ]


def error_rows(found: TimeBreakdown) -> list[tuple[str, str, str, str, str, str]]:
    """Rows for ``ERROR_COLUMNS``. Kinds that only ended tests (an assertion said no) cost no attempt."""
    return [
        (
            error.kind.replace("_", " "),
            f"{error.attempts:,}",
            time_of(error.time_s) if error.attempts else fig.NOTHING,
            fig.count(error.tokens) if error.attempts else fig.NOTHING,
            fig.usd(error.cost) if error.attempts else fig.NOTHING,
            f"{error.tasks:,}",
        )
        for error in found.errors
    ]


def time_of(seconds: float) -> str:
    """``0``, ``12 ms``, ``3.42 s``, ``2 min 05 s``."""
    if not seconds:
        return "0"
    return fig.milliseconds(seconds * 1000) if seconds < 59.5 else fig.duration(seconds)
