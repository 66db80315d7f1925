"""Power and cost of a proof against the true effect, as an SVG that stands by itself. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT, LEFT, TOP, PLOT = 900, 380, 56, 64, 250
COLOURS = ("#4e79a7", "#d1495b", "#59a14f", "#b07aa1")
FONT = "font-family='system-ui, sans-serif'"


def power_picture(rows: Sequence[dict[str, Any]], cases: int, names: Sequence[str]) -> str:
    """Left: the share of trials that are proved; right: the share of cases that were looked at, by true effect."""
    chosen = [row for row in rows if row["cases"] == cases]
    parts = [_text(LEFT, 24, f"Proving an improvement on {cases} held-out cases", "font-weight='600'", 16)]
    for place, (key, heading) in enumerate((("won", "proved, %"), ("seen", "held-out cases looked at, %"))):
        left = LEFT + place * 410
        parts.append(_text(left, 48, heading, "fill='#555'"))
        parts += _frame(left, [100 * row["effect"] for row in chosen])
        for name, colour in zip(names, COLOURS, strict=False):
            points = [(_x(left, 100 * row["effect"]), _y(100 * row[key][name])) for row in chosen]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            parts.append(f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2.5'/>")
            parts += [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5' fill='{colour}'/>" for x, y in points]
    for number, (name, colour) in enumerate(zip(names, COLOURS, strict=False)):
        parts.append(_text(LEFT + 270 * number, HEIGHT - 8, f"● {name}", f"fill='{colour}' font-weight='600'"))
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' role='img' "
        f"aria-label='{escape(_said(chosen, names), quote=True)}'>"
        f"<rect width='{WIDTH}' height='{HEIGHT}' fill='#fff'/>{''.join(parts)}</svg>\n"
    )


def _frame(left: int, effects: Sequence[float]) -> list[str]:
    lines = []
    for share in (0, 25, 50, 75, 100):
        lines.append(f"<path d='M{left} {_y(share):.1f}h340' stroke='#e4e4e4'/>")
        lines.append(_text(left - 8, _y(share) + 4, str(share), "fill='#555' text-anchor='end'"))
    below = TOP + PLOT + 18
    lines += [
        _text(_x(left, effect), below, f"+{effect:.0f}", "fill='#555' text-anchor='middle'") for effect in effects
    ]
    return [*lines, _text(left + 170, below + 18, "true gain, points", "fill='#555' text-anchor='middle'")]


def _said(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> str:
    """The picture in words."""
    return "; ".join(
        f"{name}: " + ", ".join(f"+{100 * row['effect']:.0f} points {row['won'][name]:.0%}" for row in rows)
        for name in names
    )


def _x(left: int, effect: float) -> float:
    return left + 340 * effect / 30


def _y(share: float) -> float:
    return TOP + PLOT * (1 - share / 100)


def _text(x: float, y: float, text: str, more: str, size: int = 12) -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' {FONT} style='font-size:{size}px' {more}>{escape(text)}</text>"
