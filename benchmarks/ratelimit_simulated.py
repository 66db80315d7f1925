"""How much of a server's limit is used, for limits drawn at random, in simulated time.

python benchmarks/ratelimit_simulated.py [--seeds 0:120] [--each] [--settings]

Seeds below 10,000 are for tuning; what is told to users (docs/limits.md) comes from above, which nothing was tuned on.
Prints a Markdown table: the share of what the server would have allowed (its first burst not counted as allowed), and
refused calls that were started after a refusal was known and before anything was accepted again.
``--settings`` draws short runs against usual limits instead (``ratelimit_settings``).
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path

from common import table

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "executor"))

from ratelimit_settings import Outcome, Setting
from simulated_servers import Run, Scenario


def percentile(values: list[float], share: float) -> float:
    """The value that so large a share of them is below."""
    return sorted(values)[int(share * (len(values) - 1))]


def rows(runs: list[Run]) -> list[list[str]]:
    """One row for each kind of limit, told or silent, and one for all."""
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        told = "told" if run.scenario.tells else "silent"
        groups[f"{run.scenario.kind}, {told}"].append(run)
    groups = dict(sorted(groups.items())) | {"all": runs}
    found = []
    for name, group in groups.items():
        shares = [run.share for run in group]
        repeats = [float(run.repeats) for run in group]
        late = [float(run.late_repeats) for run in group]
        found.append(
            [
                name, str(len(group)),
                *(f"{value:.0%}" for value in (percentile(shares, 0.5), percentile(shares, 0.1), min(shares))),
                f"{sum(share >= 0.9 for share in shares) / len(shares):.0%}",
                f"{sum(value == 0 for value in repeats) / len(repeats):.0%}",
                f"{percentile(repeats, 0.9):.0f} / {max(repeats):.0f}",
                f"{sum(value == 0 for value in late) / len(late):.0%}",
                f"{percentile(late, 0.9):.0f} / {max(late):.0f}",
            ]
        )  # fmt: skip
    return found


def setting_rows(outcomes: list[Outcome]) -> list[list[str]]:
    """One row for each kind of limit, for each way to say when to come back, for each duration, and one for all."""
    groups: dict[str, list[Outcome]] = {}
    for name in (lambda s: s.kind, lambda s: s.tells, lambda s: f"{s.seconds} s"):
        found: dict[str, list[Outcome]] = defaultdict(list)
        for outcome in outcomes:
            found[name(outcome.setting)].append(outcome)
        groups |= dict(sorted(found.items()))
    lines = []
    for title, group in (groups | {"all": outcomes}).items():
        lines.append([title, str(len(group))])
        for shares in ([one.share for one in group], [one.steady for one in group]):
            lines[-1] += [f"{value:.0%}" for value in (percentile(shares, 0.5), percentile(shares, 0.1), min(shares))]
            lines[-1].append(f"{sum(share >= 0.9 for share in shares) / len(shares):.0%}")
        for repeats in ([one.repeats for one in group], [one.late_repeats for one in group]):
            lines[-1].append(f"{sum(value == 0 for value in repeats) / len(repeats):.0%} / {max(repeats)}")
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", default="0:120")
    parser.add_argument("--each", action="store_true", help="print every run, the worst last")
    parser.add_argument("--settings", action="store_true", help="short runs against usual limits")
    options = parser.parse_args()
    first, last = map(int, options.seeds.split(":"))
    if options.settings:
        outcomes = [Setting.drawn(seed).run() for seed in range(first, last)]
        if options.each:
            for outcome in sorted(outcomes, key=lambda outcome: -outcome.share):
                print(outcome)
        titles = (
            "setting", "runs", "median", "10th percentile", "least", "≥ 90 %", "later: median", "10th percentile",
            "least", "≥ 90 %", "none repeated / most", "later",
        )  # fmt: skip
        print(table(titles, setting_rows(outcomes)))
        sys.exit()
    measured = [Scenario.drawn(seed).run() for seed in range(first, last)]
    if options.each:
        for run in sorted(measured, key=lambda run: -run.share):
            print(run)
    head = (
        "limit", "runs", "median", "10th percentile", "least", "≥ 90 %", "none repeated", "repeats, 90th / most",
        "none after learning", "then, 90th / most",
    )  # fmt: skip
    print(table(head, rows(measured)))
