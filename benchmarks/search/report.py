"""The page of the search benchmark: what was found for how many calls, what was claimed, and what claimed wrongly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from common import judged, table

from search.picture import accuracy_against_calls
from search.summary import (
    Interval,
    Line,
    Measure,
    Runs,
    best,
    claimed,
    claimed_no_better,
    mean,
    shipped,
    upper_bound,
)
from search.table import Table
from search.tasks import HELD_OUT

OURS, ALONE = "sharpen", "sharpen-search"
"""The search with its proof inside the budget, and one that spends the whole budget on searching and claims nothing."""
NAMES = {
    "sharpen": "**sharpen**",
    "sharpen-search": "sharpen, search alone",
    "halving": "successive halving",
    "race": "plain paired race",
    "uniform": "even shares",
    "everything": "whole dev set, one by one",
    "gepa": "GEPA",
    "gepa-small": "GEPA, small validation set",
    "mipro": "MIPROv2",
    "copro": "COPRO",
    "capo": "CAPO",
    "bootstrap-random": "bootstrap random search",
}
MAIN = (100, 200, 400, 800)
NEAREST = "halving"
"""The peer to beat."""
NULLS = {
    "null-sim": "simulated",
    "null-dealt": "real answers, dealt anew",
    "null-groups": "real answers, dealt by groups of five cases",
    "null-wording": "real model, one instruction in 12 wordings",
}
LEADS: tuple[tuple[str, Measure, str], ...] = (
    (ALONE, best, "best candidate, search alone"),
    (OURS, best, "best candidate, its proof paid for"),
    (OURS, shipped, "what is claimed"),
)
"""By which sharpen is to be ahead."""
CANDIDATES = 25
DEV = 100
OF_EVERYTHING, OF_GEPA, FALSE = 0.15, 0.25, 0.05
"""Goals: share of the exhaustive search's calls, of GEPA's 800, and of claims that are no improvement."""
QUARTER = int(OF_GEPA * MAIN[-1])
"""Calls at which GEPA's accuracy at its last budget is to be reached."""


def page(lines: Sequence[Line], tables: Mapping[str, Table], about: str, picture: str) -> str:
    """The whole page as Markdown. ``about``: versions and machine; ``picture``: the path of the chart, or nothing."""
    tasks = [name for name in tables if not name.startswith("null_")]
    runs = Runs(lines, tasks)
    shown = [name for name in NAMES if runs.mean(name, "weak", MAIN[-1], best) is not None]
    parts = [
        _introduction(tasks),
        *([_goals(runs, lines, tables)] if runs.budgets(OURS, "weak") else []),
        "## The tasks\n\n" + _tasks([tables[name] for name in tasks]),
        f"## What the search finds\n\n![Accuracy against calls]({picture})\n\n"
        if picture
        else "## What the search finds",
        "Mean holdout accuracy (%) of the prompt a search ends with, from the careless seed:\n\n"
        + _accuracies(runs, shown, "weak", best),
        "## What is claimed\n\nThe same searches, the seed counted wherever no improvement is claimed. The calls of "
        "sharpen's proof are part of its budget; a peer claims whatever it returns.\n\n"
        + _accuracies(runs, [name for name in shown if name != ALONE], "weak", shipped),
        "## Differences\n\nsharpen's best candidate less the peer's, in points, paired by seed, with a 95 % t interval "
        "over the seeds' means (the tasks are taken as given):\n\n" + _differences(runs, shown, best),
        *(
            ["The search alone, without a proof in its budget:\n\n" + _differences(runs, shown, best, ALONE)]
            if ALONE in shown
            else []
        ),
        "The same for what is claimed:\n\n" + _differences(runs, shown, shipped),
        f"And on other tasks? The differences to {NAMES[NEAREST]} with tasks and seeds drawn anew (pigeonhole "
        "bootstrap, 95 %):\n\n" + _elsewhere(runs),
        "## Calls needed\n\n" + _calls_needed(runs, shown, [tables[name] for name in tasks]),
        "## From the best prompt\n\nStarted from the best instruction there is: searches that replaced it (claimed) by "
        "one no better on the holdout.\n\n" + _shares(runs, "strong", claimed_no_better),
        "## Nothing to be found\n\nSearches that claim an improvement where no candidate is better than another.\n\n"
        + _nulls(lines, tables),
        "## Task by task\n\n" + _each_task(lines, tasks, shown),
    ]
    if any(line["start"] == "demos" for line in lines):
        own = [name for name in tasks if tables[name].task.demo_sets]
        parts.append(
            "## With demonstrations\n\nOn the project's own tasks, each recorded set of demonstrations under the seed "
            "is one more candidate (bootstrap random search has these alone):\n\n"
            + _accuracies(Runs(lines, own), list(NAMES), "demos", best)
        )
    return "\n\n".join([*parts, f"*{about}*"]) + "\n"


def chart(lines: Sequence[Line], tables: Mapping[str, Table]) -> str:
    """The picture: every method's best candidate from the careless seed."""
    tasks = [name for name in tables if not name.startswith("null_")]
    runs = Runs(lines, tasks)
    drawn = {
        label.strip("*"): [
            (budget, 100 * found)
            for budget in runs.budgets(name, "weak")
            if (found := runs.mean(name, "weak", budget, best)) is not None and MAIN[0] <= budget <= MAIN[-1]
        ]
        for name, label in NAMES.items()
    }
    drawn = {label: points for label, points in drawn.items() if points}
    ceiling = 100 * mean([exhaustive(tables[name]) for name in tasks])
    title = f"The best candidate after so many calls, mean of {len(tasks)} tasks"
    return accuracy_against_calls(title, drawn, OURS, (f"all {CANDIDATES * DEV:,} calls: {ceiling:.1f}", ceiling))


def exhaustive(found: Table) -> float:
    """Holdout accuracy of the instruction that is best on the whole dev set; the mean of those that tie there."""
    on_dev = [found.accuracy(prompt, "dev") for prompt in found.task.instructions]
    winners = [p for p, rate in zip(found.task.instructions, on_dev, strict=True) if rate == max(on_dev)]
    return mean([found.accuracy(prompt, "holdout") for prompt in winners])


# ------------------------------------------------------------------------------------------------------------ sections


def _goals(runs: Runs, lines: Sequence[Line], tables: Mapping[str, Table]) -> str:
    """What was to be reached, and whether it was."""
    tasks = runs.tasks
    target = mean([exhaustive(tables[name]) for name in tasks])
    gepa = runs.mean("gepa", "weak", 800, best)
    rows, ours_run = [], [name for name in (ALONE, OURS) if runs.budgets(name, "weak")]
    for ours in ours_run:
        near = f"{NAMES[ours].strip('*')}: within a point of evaluating everything"
        rows.append(_goal_of_calls(runs, ours, near, target - 0.01, CANDIDATES * DEV, OF_EVERYTHING))
        if gepa is not None:
            like = f"{NAMES[ours].strip('*')}: GEPA's accuracy at 800 calls"
            row = _goal_of_calls(runs, ours, like, gepa, 800, OF_GEPA)
            gap = runs.unpaired(ours, "gepa", "weak", QUARTER, best, MAIN[-1])
            row[1] += f"; at {QUARTER} {_interval(gap)} points" if gap else ""
            rows.append(row)
    for ours, measure, name in LEADS:
        if ours not in ours_run:
            continue
        leads = [
            (one, peer, budget)
            for peer in NAMES
            for budget in MAIN
            if peer not in (OURS, ALONE) and (one := runs.difference(ours, peer, "weak", budget, measure))
        ]
        worst, peer, budget = min(leads, key=lambda lead: lead[0].mean)
        said = f"least lead {_interval(worst)} points, over {NAMES[peer]} at {budget}"
        rows.append([f"above every peer at {MAIN[0]} to {MAIN[-1]} calls: {name}", said, judged(worst.mean, "≥", 1e-6)])
    for name, start, measure in (
        ("from the best prompt, replaced by one no better", ("strong",), claimed_no_better),
        ("claims where nothing can be found", ("null-sim", "null-dealt", "null-groups"), claimed),
    ):
        mine = [line for line in lines if line["method"] == OURS and line["start"] in start and line["task"] in tasks]
        if mine:
            count = round(sum(measure(line) for line in mine))
            said = f"{count / len(mine):.1%} of {len(mine):,} (≤ {upper_bound(count, len(mine)):.1%})"
            rows.append([f"{name}: at most {FALSE:.0%}", said, judged(count / len(mine), "≤", FALSE)])
    return "## The goals\n\n" + table(("goal", "measured", ""), rows)


def _goal_of_calls(runs: Runs, ours: str, name: str, target: float, of: int, share: float) -> list[str]:
    calls = runs.calls_to(ours, "weak", target)
    measured = "not reached" if calls is None else f"{calls:,} calls"
    verdict = judged(float("inf") if calls is None else calls / of, "≤", share)
    return [f"{name} ({_percent(target)} %) for at most {share:.0%} of {of:,} calls", measured, verdict]


def _introduction(tasks: Sequence[str]) -> str:
    return f"""# The search benchmark

Written by `make bench-search`; nothing on this page is typed by hand. The embedded model (SmolLM2-135M-Instruct)
answered every instruction of a bank on every case of a task once, at temperature 0. Searches replay those answers, so
that each costs milliseconds and everybody is told the same. Every method gets the same proposals in the same order
(fixed by the seed of the run) and is charged one call for each (prompt, case) it asks for. None sees the
200 holdout cases on which this page judges; a proof must save its own cases out of the 150 it is given.

What this leaves out: proposals do not react to what was observed, so that reflection, the strength of GEPA and COPRO
with a strong model, plays no part. Search and acceptance are compared, nothing else. `sharpen optimize` runs the prompt
on all cases before it searches, for its report, and refuses a budget that this takes; here the seed is asked only where
race and proof compare it, as the peers ask it, and the proof takes a share of the budget in place of the plan's split.

Nothing was tuned on {", ".join(f"`{name}`" for name in tasks if name in HELD_OUT) or "tasks held out"}."""


def _tasks(tables: Sequence[Table]) -> str:
    rows = []
    for found in tables:
        rates = np.array([found.accuracy(prompt, "holdout") for prompt in found.task.instructions])
        demos = [found.accuracy(prompt, "holdout") for prompt in found.task.with_demos]
        rows.append([
            f"`{found.task.name}`{' (held out)' if found.task.name in HELD_OUT else ''}",
            _percent(rates[0]), _percent(float(np.median(rates))), _percent(rates.max()), _percent(exhaustive(found)),
            int((rates >= rates.max() - 0.01).sum()), _percent(max(demos)) if demos else "–",
            found.task.licence or "not in this repository",
        ])  # fmt: skip
    head = (
        "task", "seed", "median", "best", "best on dev", "within a point of the best", "seed with demonstrations",
        "licence",
    )  # fmt: skip
    return table(head, rows) + (
        "\n\nHoldout accuracy (%) of the 25 instructions: what a search can find, and what evaluating all of them on "
        "all 100 dev cases finds (2,500 calls)."
    )


def _accuracies(runs: Runs, methods: Iterable[str], start: str, measure: Measure) -> str:
    rows = []
    for method in methods:
        found = [runs.mean(method, start, budget, measure) for budget in MAIN]
        if all(value is None for value in found):
            continue
        lines = runs.lines(method, start, MAIN[-1])
        used = f"{mean([line['calls'] for line in lines]):.0f}" if lines else "–"
        seeds = len(runs.by_seed(method, start, MAIN[-1], measure))
        rows.append([NAMES[method], *(_percent(value) for value in found), used, seeds])
    return table(("", *(f"{budget} calls" for budget in MAIN), "used of 800", "seeds"), rows)


def _differences(runs: Runs, methods: Iterable[str], measure: Measure, ours: str = OURS) -> str:
    rows = []
    for method in methods:
        if method in (OURS, ALONE):
            continue
        found = [runs.difference(ours, method, "weak", budget, measure) for budget in MAIN]
        if any(found):
            ahead = [_ahead(runs, ours, method, task, budget, measure) for task in runs.tasks for budget in MAIN]
            rows.append([NAMES[method], *(_interval(one) for one in found), f"{sum(ahead)} of {len(ahead)}"])
    head = ("less", *(f"{budget} calls" for budget in MAIN), "ahead or equal (tasks × budgets)")
    return table(head, rows) if rows else "*sharpen was not run.*"


def _elsewhere(runs: Runs) -> str:
    rows = []
    for ours, measure, name in LEADS:
        found = [runs.bootstrap(ours, NEAREST, "weak", budget, measure) for budget in MAIN]
        if any(found):
            rows.append([name, *(_interval(one) for one in found), max(one.seeds for one in found if one)])
    return table(("", *(f"{budget} calls" for budget in MAIN), "seeds"), rows) if rows else "*sharpen was not run.*"


def _ahead(runs: Runs, ours: str, peer: str, task: str, budget: int, measure: Measure) -> bool:
    """Whether sharpen's mean over the seeds on one task is at least the peer's."""
    mine, theirs = (
        [measure(line) for line in runs.lines(method, "weak", budget) if line["task"] == task]
        for method in (ours, peer)
    )
    return mean(mine) >= mean(theirs) - 1e-9


def _calls_needed(runs: Runs, methods: Sequence[str], tables: Sequence[Table]) -> str:
    target = mean([exhaustive(found) for found in tables])
    whole = CANDIDATES * DEV
    gepa = runs.mean("gepa", "weak", 800, best)
    rows = []
    for method in methods:
        near = runs.calls_to(method, "weak", target - 0.01)
        like = runs.calls_to(method, "weak", gepa) if gepa is not None else None
        rows.append([NAMES[method], _needed(near, whole), _needed(like, 800)])
    head = (
        "",
        f"within a point of evaluating all ({_percent(target)} %)",
        f"GEPA's accuracy at 800 ({_percent(gepa)} %)",
    )
    grids = {", ".join(map(str, runs.budgets(method, "weak"))) for method in methods}
    said = (
        f"Smallest budget of those measured ({'; or '.join(sorted(grids))}) from which on the mean over tasks and "
        "seeds is that high."
    )
    return "\n\n".join([table(head, rows), said, *_level(runs)])


def _level(runs: Runs) -> list[str]:
    """A curve that comes near another's end may miss it by chance: with a quarter of GEPA's calls, how far from it?"""
    rows = []
    for method in (ALONE, OURS, NEAREST):
        found = [
            asked(method, "gepa", "weak", QUARTER, best, MAIN[-1])
            for asked in (runs.unpaired, runs.difference, runs.bootstrap)
        ]
        if all(found):
            rows.append([NAMES[method], *(_interval(one) for one in found), found[1].seeds if found[1] else 0])
    head = ("", "all seeds of each (Welch)", "paired by seed", "tasks and seeds drawn anew", "seeds in common")
    said = f"The best candidate at {QUARTER} calls less GEPA's at {MAIN[-1]}, in points with 95 % intervals:"
    return [said, table(head, rows)] if rows else []


def _shares(runs: Runs, start: str, measure: Measure) -> str:
    rows = []
    budgets = sorted({budget for method in NAMES for budget in runs.budgets(method, start)})
    for method, name in NAMES.items():
        found = [runs.share(method, start, budget, measure) for budget in budgets]
        if any(found):
            rows.append([name, *(_share(one) for one in found)])
    return table(("", *(f"{budget} calls" for budget in budgets)), rows)


def _nulls(lines: Sequence[Line], tables: Mapping[str, Table]) -> str:
    parts = []
    for start, name in NULLS.items():
        tasks = [task for task in tables if task.startswith("null_") == (start == "null-wording")]
        if any(line["start"] == start for line in lines):
            parts.append(f"**{name}** (`{start}`)\n\n{_shares(Runs(lines, tasks), start, claimed)}")
            if start == "null-wording":
                parts += [_spread(tables[task]) for task in tasks]
                parts.append(_shares(Runs(lines, tasks), start, claimed_no_better))
    parts.append("In brackets: the one-sided 95 % upper bound of the share (Clopper and Pearson).")
    return "\n\n".join(parts)


def _spread(found: Table) -> str:
    """Wordings are no exact null: what they differ by, and so which claims count as false."""
    rates = [found.accuracy(prompt, "holdout") for prompt in found.task.instructions]
    return (
        f"These wordings do differ a little in truth: the first reaches {_percent(rates[0])} % of the holdout, all of "
        f"them {_percent(min(rates))} to {_percent(max(rates))} %. Claims that the holdout does not bear out:"
    )


def _each_task(lines: Sequence[Line], tasks: Sequence[str], methods: Iterable[str]) -> str:
    rows = []
    for method in methods:
        found = [Runs(lines, [task]).mean(method, "weak", 400, best) for task in tasks]
        if any(value is not None for value in found):
            values = [_percent(value) for value in found]
            unseen = [v for v, task in zip(found, tasks, strict=True) if task in HELD_OUT and v is not None]
            rows.append([NAMES[method], *values, _percent(mean(unseen)) if unseen else "–"])
    return "Best candidate at 400 calls.\n\n" + table(("", *(f"`{task}`" for task in tasks), "held out"), rows)


# --------------------------------------------------------------------------------------------------------------- cells


def _percent(value: Any) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _interval(found: Interval | None) -> str:
    if found is None:
        return "–"
    return f"{100 * found.mean:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


def _needed(calls: int | None, whole: int) -> str:
    return "not reached" if calls is None else f"{calls:,} ({calls / whole:.0%})"


def _share(found: tuple[int, int] | None) -> str:
    if found is None:
        return "–"
    count, total = found
    return f"{count / total:.1%} of {total:,} (≤ {upper_bound(count, total):.1%})"
