"""How a confidence sequence closed in, as inline SVG. Pure; see ``charts``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sharpen.reporting.charts import WIDTH, _axis, _nice, _Scale, _svg, _text

_LEFT, _TOP, _BASE = 46, 12, 190


def confidence_sequence(
    title: str, looks: Sequence[tuple[int, float, float, float]], show: Callable[[float], str]
) -> str:
    """The difference (up) by samples (right): ``(samples, estimate, low, high)`` of each look; a line at 0.

    Empty below two looks. What is wider than twice the last interval is cut off, or the end could not be seen.
    """
    if len(looks) < 2:
        return ""
    _, estimate, low, high = looks[-1]
    reach = 1.6 * max(high - low, abs(estimate), 1e-9)
    least = max(min(0.0, *(look[2] for look in looks)), min(low - reach, -reach / 4))
    most = min(max(0.0, *(look[3] for look in looks)), max(high + reach, reach / 4))
    scale = _Scale(0, looks[-1][0], _LEFT, WIDTH - 10)

    def up(value: float) -> float:
        share = (min(most, max(least, value)) - least) / (most - least)
        return round(_BASE - share * (_BASE - _TOP), 1)

    upper = [f"{scale(look[0])},{up(look[3])}" for look in looks]
    lower = [f"{scale(look[0])},{up(look[2])}" for look in reversed(looks)]
    middle = " ".join(f"{scale(look[0])},{up(look[1])}" for look in looks)
    step = _nice(max(looks[-1][0] / 5, 1))
    ticks = [(number * step, f"{number * step:,.0f}") for number in range(int(looks[-1][0] / step) + 1)]
    rise = _nice((most - least) / 4)
    levels = [number * rise for number in range(-8, 9) if least <= number * rise <= most]
    parts = [
        _axis(scale, ticks, _BASE),
        *(_text(_LEFT - 6, up(level) + 4, show(level) if level else "0", "tick", "end") for level in levels),
        f'<polygon points="{" ".join([*upper, *lower])}" fill="currentColor" fill-opacity="0.13"/>',
        f'<line class="zero" x1="{_LEFT}" x2="{WIDTH - 10}" y1="{up(0.0)}" y2="{up(0.0)}"/>',
        f'<polyline points="{middle}" fill="none" stroke="currentColor" stroke-width="1.8"/>',
        f'<circle cx="{scale(looks[-1][0])}" cy="{up(estimate)}" r="4" fill="currentColor"/>',
    ]
    words = f"{show(estimate)} after {looks[-1][0]:,} samples, always-valid interval {show(low)} to {show(high)}"
    return _svg(title, words, _BASE + 24, parts)
