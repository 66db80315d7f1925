"""A workflow's history in the terminal: a chart that reads at 80 columns, what changed, and the prompts one by one."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from sharpen.history.trends import Series, Trend
from sharpen.reporting import trend_rows
from sharpen.reporting.terminal import is_unicode, print_indented, print_line, styled, table

HEIGHT = 6
"""Lines of the success chart; each holds eight steps."""
NARROW = 70
"""Of fewer columns the table of prompts keeps what matters most."""
_STEPS = " ▁▂▃▄▅▆▇█"
_PLAIN_STEPS = "  .:-=+*#"
_LABEL = 20


def print_history(console: Console, trend: Trend) -> None:
    """The whole history. An empty one says so: of a workflow that is known, it begins too late."""
    if not trend.runs:
        console.print(styled(console, f"No run of {trend.workflow_id} has ended since then.", "dim"))
        return
    console.print(styled(console, f"{trend.workflow_id}: {trend_rows.summary(trend)}", "bold"))
    console.print()
    _print_chart(console, trend)
    if trend.changes:
        console.print(styled(console, "Changes", "bold"))
    for change in trend.changes:
        text = trend_rows.change_text(change)
        sign, style = ("✓", "green") if text.better else ("✗", "red")
        print_line(console, f"{sign if is_unicode(console) else '+' if text.better else '-'} {text.headline}", style)
        print_line(console, text.where, "dim", indent=4)
        print_line(console, text.causes, indent=4)
    if trend.changes:
        console.print()
    columns = trend_rows.COLUMNS if console.width >= NARROW else ("prompt", "runs", "success", "not passed")
    kept = [trend_rows.COLUMNS.index(name) for name in columns]
    rows = [[row[place] for place in kept] for row in trend_rows.stretches(trend)]
    print_indented(console, table(console, columns, rows, numbers=trend_rows.NUMBERS))


def _print_chart(console: Console, trend: Trend) -> None:
    """Success as columns of 0 to 100 %, the other figures as one line each, prompts and changes below."""
    spans = _spans(trend)
    widest = max((len(span) + 2 for span in spans.values()), default=0)  # cut off, a figure would be another one
    room = max(4, console.width - _LABEL - widest)
    groups = buckets(len(trend.runs), room)
    rates = _means(trend, Series.SUCCESS, groups)
    for row, text in enumerate(columns_of(rates, HEIGHT, unicode=is_unicode(console))):
        label = {0: "Success rate  100%", HEIGHT - 1: "0%"}.get(row, "")
        console.print(styled(console, f"{label:>{_LABEL - 2}} {_bar(console)}{text}"), no_wrap=True, overflow="crop")
    marks = {run.run_id: number for number, run in enumerate(trend.runs)}
    changed = {marks[change.run_id] for change in trend.changes if change.series is Series.SUCCESS}
    pointer = "▲" if is_unicode(console) else "^"
    under = "".join(pointer if changed & set(group) else " " for group in groups)
    if under.strip():
        console.print(styled(console, f"{'':{_LABEL}}{under.rstrip()}", "bold"), no_wrap=True, overflow="crop")
    prompts = f"{'prompt ':>{_LABEL}}{_prompts(trend, groups)}"
    console.print(styled(console, prompts, "dim"), no_wrap=True, overflow="crop")
    for series, span in spans.items():
        line = spark(_means(trend, series, groups), unicode=is_unicode(console))
        text = f"{trend_rows.NAMES[series]:>{_LABEL - 2}}  {line}"
        console.print(styled(console, f"{text}  {span}"), no_wrap=True, overflow="crop")
    console.print()


def _spans(trend: Trend) -> dict[Series, str]:
    """From where to where each figure goes that is drawn as one line."""
    found = {}
    for series in (Series.P95, Series.TOKENS, Series.COST):
        known = trend.totals(series)
        if not known or (series is Series.COST and not any(known)):
            continue
        low, high = trend_rows.shown(series, min(known)), trend_rows.shown(series, max(known))
        found[series] = low if low == high else f"{low} to {high}"
    return found


def buckets(number: int, room: int) -> list[range]:
    """Places 0 … number − 1 in at most ``room`` groups of neighbours, as even as can be."""
    size = max(1, -(-number // room))
    return [range(start, min(number, start + size)) for start in range(0, number, size)]


def columns_of(rates: Sequence[float | None], height: int, *, unicode: bool = True) -> list[str]:
    """Columns of 0..1 as ``height`` lines, the highest first; None leaves a gap."""
    steps = _STEPS if unicode else _PLAIN_STEPS
    filled = [None if rate is None else max(1, round(rate * height * 8)) for rate in rates]
    return [
        "".join(" " if full is None else steps[min(8, max(0, full - 8 * row))] for full in filled)
        for row in reversed(range(height))
    ]


def spark(values: Sequence[float | None], *, unicode: bool = True) -> str:
    """Values on one line, the lowest as the lowest step, the highest as the highest; None leaves a gap."""
    steps = (_STEPS if unicode else _PLAIN_STEPS)[1:]
    known = [value for value in values if value is not None]
    low, span = (min(known), max(known) - min(known)) if known else (0.0, 0.0)
    if known and span <= max(map(abs, known)) * 1e-9:
        span = 0.0  # means of equal figures, rounded
    last = len(steps) - 1
    return "".join(
        " " if value is None else steps[round((value - low) / span * last) if span else last // 2] for value in values
    )


def _means(trend: Trend, series: Series, groups: Sequence[range]) -> list[float | None]:
    found: list[float | None] = []
    for group in groups:
        known = [value for place in group if (value := trend.runs[place].value(series)) is not None]
        found.append(sum(known) / len(known) if known else None)
    return found


def _prompts(trend: Trend, groups: Sequence[range]) -> str:
    """The name of each prompt under the first column where it ran, where there is room for it."""
    line, before = "", None
    for column, group in enumerate(groups):
        run = trend.runs[group[0]]
        if run.prompt != before and len(line) <= column - (1 if line else 0):
            line = f"{line:<{column}}{trend_rows.prompt_name(run)}"
        before = run.prompt
    return line


def _bar(console: Console) -> str:
    return "│" if is_unicode(console) else "|"
