"""How far false alarms of ``sharpen history`` are apart, and how soon it sees a change: the tables of docs/history.md.

    python benchmarks/change_points.py

Seeded: the same numbers each time. Under a minute on one core.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

import numpy as np
from common import table

from sharpen.history.change_points import Shift, count_shifts, value_shifts

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "history"))

from test_change_points import WORLDS, run_length

SERIES, THRESHOLDS, CUT = 200, (20, 50), 8
"""Series of each kind without a change; each is cut off at ``CUT`` times the threshold."""
CHANGES, AFTER = 100, 60
"""Series of each kind with a change, and runs after it."""
RATES = ((0.9, 0.5, 40), (0.9, 0.7, 40), (0.9, 0.8, 200), (0.9, 0.85, 200), (0.9, 0.8, 40))
"""Success before and after, of so many cases."""
BEFORE = (40, 20, 10, 5)
"""Runs before a latency doubles."""


def without_a_change() -> list[list[str]]:
    """Mean run length to a false alarm; ``>`` where nearly all series were cut off before they had one."""
    rows = []
    for world in WORLDS:
        row = [world]
        for threshold in THRESHOLDS:
            rng, longest = np.random.default_rng(11), CUT * threshold
            lengths = [run_length(*WORLDS[world](rng), threshold, longest) for _ in range(SERIES)]
            cut = sum(length == longest for length in lengths)
            row.append(f"{'> ' if cut > 0.9 * SERIES else ''}{np.mean(lengths):.0f}")
        rows.append(row)
    return rows


def with_a_change() -> list[list[str]]:
    """Median of the runs until it is noted, the first run after the change included."""
    rng = np.random.default_rng(2)
    rows = []
    for before, after, of in RATES:
        delays = []
        for _ in range(CHANGES):
            passed = [*rng.binomial(of, before, 20), *rng.binomial(of, after, AFTER)]
            delays.append(_delay(count_shifts([int(k) for k in passed], [of] * len(passed)), 20))
        rows.append([f"success {before:.0%} to {after:.0%} of {of} cases, after 20 runs", f"{median(delays):g}"])
    for runs in BEFORE:
        delays = []
        for seed in range(CHANGES):
            values = [*rng.lognormal(0.0, 0.1, runs), *rng.lognormal(0.7, 0.1, AFTER)]
            delays.append(_delay(value_shifts(values, seed=seed), runs))
        rows.append([f"p95 latency doubles after {runs} runs", f"{median(delays):g}"])
    return rows


def _delay(shifts: tuple[Shift, ...], change: int) -> int:
    return next((shift.noticed - change + 1 for shift in shifts if shift.noticed >= change), AFTER + 1)


def main() -> None:
    """Print the two tables."""
    print(table(["without a change", *(f"threshold {threshold}" for threshold in THRESHOLDS)], without_a_change()))
    print()
    print(table(["change", "runs until it is noted"], with_a_change()))


if __name__ == "__main__":
    main()
