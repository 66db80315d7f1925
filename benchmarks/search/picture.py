"""Accuracy against calls, a line for each method, as an SVG that stands by itself. Pure: from numbers to text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

WIDTH, HEIGHT = 860, 470
LEFT, RIGHT, TOP, BOTTOM = 56, 236, 64, 52
COLOURS = ("#4e79a7", "#b07aa1", "#59a14f", "#9c755f", "#76b7b2", "#edc948", "#bab0ac", "#2b3a55", "#8cd17d", "#499894")
OURS = "#d1495b"
FONT = "font-family='system-ui, sans-serif'"
NEAR = 16
"""Pixels between two names at the right, and at least so many between the marks of two budgets."""
REACH = 20.0
"""Points below the ceiling that are drawn: all of the difference between searches that found something is there."""

Points = Sequence[tuple[int, float]]
"""Calls and accuracy in points."""


def accuracy_against_calls(title: str, lines: Mapping[str, Points], ours: str, ceiling: tuple[str, float]) -> str:
    """``ours`` is drawn last and strong, other lines of ours (``"NAME, …"``) thin and dashed in its colour.

    The ceiling is a dashed line with its name. What is far below is cut off.
    """
    calls = sorted({budget for points in lines.values() for budget, _ in points})
    values = [value for points in lines.values() for _, value in points]
    low = 5 * math.floor(max(min(values), ceiling[1] - REACH) / 5)
    high = 5 * math.ceil(max([*values, ceiling[1]]) / 5 + 0.2)

    def x(budget: float) -> float:
        place = math.log(budget / calls[0]) / math.log(calls[-1] / calls[0])
        return LEFT + place * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [_text(LEFT, 24, title, size=16, weight="600"), _text(LEFT, 42, "mean holdout accuracy, %", colour="#555")]
    for value in range(low, high + 1, 5):
        parts.append(_line(LEFT, y(value), WIDTH - RIGHT, y(value), "#e4e4e4"))
        parts.append(_text(LEFT - 8, y(value) + 4, str(value), anchor="end", colour="#555"))
    below = HEIGHT - BOTTOM + 20
    marked = [one for one, after in pairwise([*calls, math.inf]) if after == math.inf or x(after) - x(one) > 2 * NEAR]
    parts += [_text(x(budget), below, str(budget), anchor="middle", colour="#555") for budget in marked]
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "calls of the model", anchor="middle", colour="#555"))
    parts.append(_line(LEFT, y(ceiling[1]), WIDTH - RIGHT, y(ceiling[1]), "#888", "stroke-dasharray='5 4'"))
    parts.append(_text(LEFT + 4, y(ceiling[1]) - 6, ceiling[0], colour="#555"))
    order = sorted(lines, key=lambda name: (name == ours, name))
    mine = {name for name in order if name == ours or name.startswith(f"{ours}, ")}
    colour = dict(zip([name for name in order if name not in mine], COLOURS, strict=False)) | dict.fromkeys(mine, OURS)
    parts.append(f"<clipPath id='inside'><rect x='0' y='0' width='{WIDTH}' height='{HEIGHT - BOTTOM}'/></clipPath>")
    parts.append("<g clip-path='url(#inside)'>")
    for name in order:
        path = " ".join(f"{x(budget):.1f},{y(value):.1f}" for budget, value in lines[name])
        width = 3.5 if name == ours else 1.8
        dashes = " stroke-dasharray='6 3'" if name in mine and name != ours else ""
        parts.append(f"<polyline points='{path}' fill='none' stroke='{colour[name]}' stroke-width='{width}'{dashes}/>")
        for budget, value in lines[name]:
            radius = 4 if name == ours else 2.5
            parts.append(f"<circle cx='{x(budget):.1f}' cy='{y(value):.1f}' r='{radius}' fill='{colour[name]}'/>")
    parts.append("</g>")
    ends = sorted(((y(lines[name][-1][1]), name) for name in order), key=lambda end: end[0])
    for place, (_, name) in zip(_apart([end for end, _ in ends]), ends, strict=True):
        label = f"{name} {lines[name][-1][1]:.1f}"
        weight = "700" if name == ours else "400"
        parts.append(_text(WIDTH - RIGHT + 10, place + 4, label, colour=colour[name], weight=weight))
    said = "; ".join(f"{name}: {', '.join(f'{b} calls {v:.1f}' for b, v in lines[name])}" for name in order)
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' role='img' "
        f"aria-label='{escape(f'{title}. {said}', quote=True)}'>"
        f"<rect width='{WIDTH}' height='{HEIGHT}' fill='#fff'/>{''.join(parts)}</svg>\n"
    )


def _apart(places: Sequence[float]) -> list[float]:
    """The places, in order, moved down until no two are nearer than a line of text, then up as far as they must."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + NEAR) if moved else place)
    over = max(0.0, moved[-1] - (HEIGHT - BOTTOM)) if moved else 0.0
    return [place - over for place in moved]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, more: str = "") -> str:
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}' {more}/>"


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, colour: str = "#222", weight: str = "400"
) -> str:
    place = f"x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-size='{size}' font-weight='{weight}'"
    return f"<text {place} fill='{colour}' {FONT}>{escape(text)}</text>"
