"""Charts as inline SVG: pure functions from numbers to text. Colours and fonts come from the page's style sheet.

Every chart carries a title and a description in words. Texts are escaped here; nothing else that comes from a user
enters a chart. No ``style`` attribute is used, so that the page's content security policy can forbid them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from sharpen.reporting import figures as fig
from sharpen.reporting.text import for_page

WIDTH = 400
LABEL = 84  # room for a series' name
RIGHT = 54  # room for a value
TICK = 7  # a character beside an axis


Role = Literal["base", "next"]
"""Whose numbers these are: the baseline's or the candidate's (a lone run's too). Picks the colour."""
Bar = tuple[Role, float, str]
"""Whose, how much, and the label to show."""


@dataclass(frozen=True, slots=True)
class Series:
    """Named numbers."""

    name: str
    role: Role
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Rate:
    """``passed`` of ``total``."""

    name: str
    role: Role
    passed: float
    total: int


def wilson_interval(passed: float, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Score interval of a proportion (E. B. Wilson, JASA 22, 1927, p. 209); ``z`` 1.96 gives 95 %."""
    if total == 0:
        return 0.0, 1.0
    rate, square = passed / total, z * z
    middle = (rate + square / (2 * total)) / (1 + square / total)
    half = z / (1 + square / total) * math.sqrt(rate * (1 - rate) / total + square / (4 * total * total))
    return max(0.0, min(rate, middle - half)), min(1.0, max(rate, middle + half))


def pass_rates(rates: Sequence[Rate]) -> str:
    """One row for each prompt: the rate as a dot on 0–100 %, its 95 % Wilson interval as a line."""
    rows, words = [], []
    scale = _Scale(0, 1, LABEL, WIDTH - RIGHT)
    for index, item in enumerate(rates):
        y = 20 + index * 36
        rate = item.passed / item.total if item.total else 0.0
        low, high = wilson_interval(item.passed, item.total)
        x0, x1, x = scale(low), scale(high), scale(rate)
        rows += [
            _text(0, y + 4, item.name, "label"),
            f'<line class="track" x1="{scale(0)}" x2="{scale(1)}" y1="{y}" y2="{y}"/>',
            f'<line class="range {item.role}" x1="{x0}" x2="{x1}" y1="{y}" y2="{y}"/>',
            f'<circle class="dot {item.role}" cx="{x}" cy="{y}" r="5.5"/>',
            _text(WIDTH, y + 4, fig.percent(rate), "value", "end"),
        ]
        words.append(f"{item.name} {fig.percent(rate)} of {item.total:,}, {_interval(low, high)}")
    bottom = 20 + len(rates) * 36
    ticks = [(share, f"{share:.0%}") for share in (0, 0.25, 0.5, 0.75, 1)]
    return _svg("Pass rate", "; ".join(words), bottom + 8, [_axis(scale, ticks, bottom - 12), *rows])


def effect(value: float, low: float, high: float, level: str) -> str:
    """The difference of two pass rates with its interval, against no difference at all."""
    reach = max(0.1, math.ceil(max(abs(low), abs(high)) * 10) / 10)
    start = -reach if low < 0 else -reach / 5
    scale = _Scale(start, reach if high > 0 else reach / 5, 10, WIDTH - 10)
    tone = "good" if low > 0 else "bad" if high < 0 else "flat"
    step = next(size for size in (0.05, 0.1, 0.2, 0.25, 0.5) if (scale.high - scale.low) / size <= 6 or size == 0.5)
    first = math.ceil(scale.low / step - 1e-9)
    ticks = [
        (number * step, fig.signed(number * step * 100, 0))
        for number in range(first, math.floor(scale.high / step + 1e-9) + 1)
    ]
    parts = [
        _axis(scale, ticks, 44),
        f'<line class="zero" x1="{scale(0)}" x2="{scale(0)}" y1="6" y2="44"/>',
        f'<line class="range {tone}" x1="{scale(low)}" x2="{scale(high)}" y1="24" y2="24"/>',
        f'<line class="range {tone}" x1="{scale(low)}" x2="{scale(low)}" y1="18" y2="30"/>',
        f'<line class="range {tone}" x1="{scale(high)}" x2="{scale(high)}" y1="18" y2="30"/>',
        f'<circle class="dot {tone}" cx="{scale(value)}" cy="24" r="6"/>',
    ]
    words = f"{fig.points(value)}, {level} interval {fig.signed(low * 100)} to {fig.signed(high * 100)} points"
    return _svg("Difference of the pass rates", words, 66, parts)


def histogram(title: str, series: Sequence[Series], show: Callable[[float], str], bins: int = 24) -> str:
    """Shares of each series in common bins from 0; what is above twice the 95th percentile falls into the last bin.

    ``show`` writes a value for the axis and the description. Empty when there is nothing to draw.
    """
    pooled = sorted(value for item in series for value in item.values)
    if not pooled:
        return ""
    top_value = min(pooled[-1], 2 * pooled[math.ceil(len(pooled) * 0.95) - 1]) or 1.0
    step = _nice(max(top_value / bins, 1e-9))
    bins = max(1, math.ceil(top_value / step))
    shares = [_shares(item.values, step, bins) for item in series]
    top, base = max(max(row) for row in shares), 122
    scale = _Scale(0, bins * step, 4, WIDTH - 4)
    width = (scale(step) - scale(0)) / len(series)
    parts = []
    for position, (item, row) in enumerate(zip(series, shares, strict=True)):
        for index, share in enumerate(row):
            if share:
                height = share / top * 106
                x = scale(index * step) + position * width
                parts.append(
                    f'<rect class="bar {item.role}" x="{x:.1f}" y="{base - height:.1f}" '
                    f'width="{max(1.0, width - 1):.1f}" height="{height:.1f}" rx="1"/>'
                )
    tick = _nice(bins * step / 5)
    ticks = [(number * tick, show(number * tick) if number else "0") for number in range(int(bins * step / tick) + 1)]
    if pooled[-1] > bins * step:
        ticks = [*(pair for pair in ticks if pair[0] < bins * step - tick / 2), (bins * step, f"{show(bins * step)} +")]
    words = "; ".join(
        f"{item.name}: median {show(middle)} of {len(item.values):,}"
        for item in series
        if (middle := median(item.values)) is not None
    )
    return _svg(title, words, base + 24, [_axis(scale, ticks, base), *parts])


def _shares(values: Sequence[float], step: float, bins: int) -> list[float]:
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, int(value / step))] += 1
    return [number / max(1, len(values)) for number in counts]


def bars(title: str, groups: Sequence[tuple[str, Sequence[Bar]]], *, shared_scale: bool = True) -> str:
    """Horizontal bars from 0 under their group's name, which may be as long as the chart is wide.

    Groups of different units (``shared_scale=False``) are each drawn to their own scale.
    """
    overall = max((value for _, row in groups for _, value, _ in row), default=0.0)
    reach = WIDTH - 74
    parts, words, y = [], [], 4.0
    for name, row in groups:
        top = (overall if shared_scale else max((value for _, value, _ in row), default=0.0)) or 1.0
        parts.append(_text(0, y + 10, name, "label"))
        y += 18
        for role, value, shown in row:
            length = max(value / top * reach, 1.5 if value else 0.0)
            parts.append(f'<rect class="bar {role}" x="0" y="{y:g}" width="{length:.1f}" height="14" rx="2"/>')
            parts.append(_text(round(length + 6, 1), y + 11.5, shown, "value"))
            y += 18
        words.append(f"{name}: {', '.join(shown for _, _, shown in row)}")
        y += 10
    return _svg(title, "; ".join(words), max(y - 6, 10), parts)


def front(
    points: Sequence[tuple[str, float, float, bool]],
    baseline: tuple[float, float],
    what: str = "tokens per request",
    show: Callable[[float], str] = lambda tokens: f"{tokens:,.0f} tokens",
    tick: Callable[[float], str] = "{:g}".format,
) -> str:
    """Pass rate (up) against ``what`` (right): ``(name, rate, what, on the front)`` of each candidate.

    Those on the front carry their names, and those of them that nobody beats in these two are joined by a line;
    ``baseline`` is (rate, what) of the first prompt. ``show`` says a figure in words, ``tick`` on the axis.
    """
    base, top = 150, 14
    most = max([baseline[1], *(figure for _, _, figure, _ in points)]) or 1.0
    step = _nice(most / 5)
    scale = _Scale(0, math.ceil(most / step) * step, 34, WIDTH - 16)

    def up(rate: float) -> float:
        return round(base - rate * (base - top), 1)

    parts = [_axis(scale, [(n * step, tick(n * step)) for n in range(math.ceil(most / step) + 1)], base)]
    for share in (0, 0.5, 1):
        parts.append(f'<line class="track" x1="34" x2="{WIDTH - 16}" y1="{up(share)}" y2="{up(share)}"/>')
        parts.append(_text(30, up(share) + 4, f"{share:.0%}", "tick", "end"))
    best = _stairs((figure, rate) for _, rate, figure, on in points if on)
    if len(best) > 1:
        path = " ".join(f"{scale(figure)},{up(rate)}" for figure, rate in best)
        parts.append(f'<polyline class="front" points="{path}"/>')
    seed = (scale(baseline[1]), up(baseline[0]))
    for _, rate, figure, on in sorted(points, key=lambda point: point[3]):
        x, y = scale(figure), up(rate)
        parts.append(f'<circle class="dot {"next" if on else "other"}" cx="{x}" cy="{y}" r="{5 if on else 3}"/>')
    parts += _names([(name, scale(figure), up(rate)) for name, rate, figure, on in points if on], seed, base - 2)
    parts.append(f'<circle class="dot base" cx="{seed[0]}" cy="{seed[1]}" r="5"/>')
    words = "; ".join(f"{name}: {fig.percent(rate)} at {show(figure)}" for name, rate, figure, on in points if on)
    words = f"baseline: {fig.percent(baseline[0])} at {show(baseline[1])}; on the front {words or 'nobody'}"
    return _svg(f"Pass rate against {what}", words, base + 24, parts)


def _names(dots: Sequence[tuple[str, float, float]], seed: tuple[float, float], lowest: float) -> list[str]:
    """The names of ``(name, x, y)`` near their dots, none on another's: below, above, or further off with a line.

    ``seed``: where the first prompt's dot is; ``lowest``: where writing ends, at the axis.
    """
    parts: list[str] = []
    taken = [
        (x, y + 4, 5.0) for x, y in (seed, *(dot[1:] for dot in dots))
    ]  # middle, baseline and half the width of what nothing may cover
    for name, x, y in sorted(dots, key=lambda dot: dot[1:]):
        half = 3.6 * len(name) + 2
        middle = min(max(x, 34 + half), WIDTH - half)
        lines = [y + 17, y - 9, *(y + side * (17 + 13 * far) for far in range(1, 10) for side in (1, -1))]
        free = [
            line
            for line in lines
            if 10 <= line <= lowest
            and all(abs(line - other) >= 12 or abs(middle - at) >= half + width for at, other, width in taken)
        ]
        line = next(iter(free), min(lowest, y + 17))
        taken.append((middle, line, half))
        if line not in lines[:2]:
            end = line - 10 if line > y else line + 3
            parts.append(f'<line class="track" x1="{x}" x2="{round(middle, 1)}" y1="{y}" y2="{round(end, 1)}"/>')
        parts.append(_text(round(middle, 1), round(line, 1), name, "value", "middle"))
    return parts


def _stairs(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """(figure, rate) of those that nobody beats in both, from the least figure on."""
    found: list[tuple[float, float]] = []
    for figure, rate in sorted(points, key=lambda point: (point[0], -point[1])):
        if not found or rate > found[-1][1]:
            found.append((figure, rate))
    return found


def median(values: Sequence[float]) -> float | None:
    """The middle value; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def trend(
    name: str,
    values: Sequence[float | None],
    changes: Sequence[tuple[int, bool]],
    levels: Sequence[tuple[int, int, float]],
    *,
    text: Callable[[float], str],
    top: float | None = None,
) -> str:
    """One series over runs: a dot for each, the mean of each stretch between changes, a mark at each change.

    ``changes``: (place, for the better); ``levels``: (first place, end, mean). ``top`` is the highest value there can
    be; None: the highest there is. The axis begins at 0.
    """
    known = [value for value in values if value is not None]
    most = top or max(known, default=0.0) or 1.0
    labels = {share: text(share * most).replace(".0%", "%") if share else "0" for share in (0, 0.5, 1)}
    low, high, left = 142.0, 14.0, max(46, 8 + TICK * max(map(len, labels.values())))
    scale = _Scale(-0.5, max(len(values), 2) - 0.5, left, WIDTH - 8)

    def up(value: float) -> float:
        return round(low - min(1.0, value / most) * (low - high), 1)

    parts = []
    for share, label in labels.items():
        y = up(share * most)
        parts.append(f'<line class="track" x1="{left}" x2="{WIDTH - 8}" y1="{y}" y2="{y}"/>')
        parts.append(_text(left - 6, y + 4, label, "tick", "end"))
    for place, better in changes:
        x = scale(place - 0.5)
        parts.append(f'<line class="mark {_tone(better)}" x1="{x}" x2="{x}" y1="{high}" y2="{low}"/>')
    for start, end, mean in levels:
        y = up(mean)
        parts.append(f'<line class="range base" x1="{scale(start - 0.4)}" x2="{scale(end - 0.6)}" y1="{y}" y2="{y}"/>')
    size, dense = (3.5, "") if len(values) <= 60 else (2, " dense")  # rims of many would cover each other
    parts += [
        f'<circle class="dot next{dense}" cx="{scale(place)}" cy="{up(value)}" r="{size:g}"/>'
        for place, value in enumerate(values)
        if value is not None
    ]
    parts += [_text(left, low + 18, "oldest", "tick"), _text(WIDTH - 8, low + 18, "newest", "tick", "end")]
    span = f"from {text(known[0])} to {text(known[-1])}" if known else "without a figure"
    words = f"{fig.plural(len(values), 'run')} {span}, {fig.plural(len(changes), 'change')}"
    return _svg(name, words, low + 24, parts)


def _tone(better: bool) -> str:
    return "good" if better else "bad"


@dataclass(frozen=True, slots=True)
class _Scale:
    """A number of ``low``…``high`` → a horizontal position of ``left``…``right``."""

    low: float
    high: float
    left: float
    right: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.left + min(1.0, max(0.0, share)) * (self.right - self.left), 1)


def _nice(step: float) -> float:
    """The next step of the form 1, 2, 2.5 or 5 × 10^n: bins and ticks fall on round numbers."""
    size = 10.0 ** math.floor(math.log10(step))
    return next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= step * (1 - 1e-9))


def _interval(low: float, high: float) -> str:
    return f"95% interval {fig.percent(low)} to {fig.percent(high)}"


def _axis(scale: _Scale, ticks: Sequence[tuple[float, str]], y: float) -> str:
    parts = [f'<line class="axis" x1="{scale.left}" x2="{scale.right}" y1="{y}" y2="{y}"/>']
    for position, (value, label) in enumerate(ticks):
        x = scale(value)
        edge = "start" if x < 14 and position == 0 else "end" if x > WIDTH - 14 else "middle"
        parts.append(_text(x, y + 16, label, "tick", edge))
    return "".join(parts)


def _text(x: float, y: float, text: str, role: str, anchor: str = "start") -> str:
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text class="{role}" x="{x:g}" y="{y:g}"{place}>{escape(for_page(text))}</text>'


def _svg(title: str, words: str, height: float, parts: Sequence[str]) -> str:
    label = escape(f"{title}. {for_page(words)}")
    return f'<svg class="chart" role="img" viewBox="0 0 {WIDTH} {height:g}" aria-label="{label}">{"".join(parts)}</svg>'
