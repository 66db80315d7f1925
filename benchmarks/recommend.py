"""What `sharpen recommend` is worth, by replay: ``python benchmarks/recommend.py [--json FILE]``.

Every search of a history is recommended an order by the others, never by one of its own workflow; what comes first is
compared with what `auto` tries first by the rules. Histories: see ``recommending/histories.py``. Where there are
held-out answers, gains are counted on those, on which nothing was chosen. A minute or two; no model is asked.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from recommending import histories
from recommending.histories import History
from recommending.record import dev_cases
from search.table import load_table
from search.tasks import Prompt, Task

from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.racing.merit import Form
from sharpen.optimizer.racing.race import Race
from sharpen.optimizer.recommending.evidence import Observation
from sharpen.optimizer.recommending.ordering import reorder
from sharpen.optimizer.recommending.posterior import Posterior
from sharpen.optimizer.recommending.replay import MIN_SEARCHES, Choice, choices_of, replay, trusted
from sharpen.optimizer.search import interleave

BUDGETS = (25, 50, 100, 200)
ENTER = 16
SHUFFLES = 30
PATHS = 60
LONGEST = 60


def first_choice(found: History) -> dict[str, Any]:
    """Gains of the first strategy by the recommendation and by the rules, in points; means over workflows."""
    posterior = Posterior(found.searches)
    told, choices = replay(posterior), choices_of(posterior)
    advantage = _by_workflow(choices, lambda one: _true(found, one, 0) - _true(found, one, 0, ruled=True))
    low, high = _interval(advantage)
    rules = _by_workflow(choices, lambda one: _true(found, one, 0, ruled=True))
    best = _by_workflow(choices, lambda one: max(_gain(found, one, seen) for seen in one.rules))
    ruled, ahead = statistics.fmean(rules), statistics.fmean(advantage)
    return {
        "history": found.name,
        "searches": told.searches,
        "workflows": told.workflows,
        "gate": trusted(told),
        "rules": _points(ruled),
        "recommended": _points(ruled + ahead),
        "best": _points(statistics.fmean(best)),
        "advantage": _points(ahead),
        "low": _points(low),
        "high": _points(high),
        "changed": told.changed,
        "covered": told.covered,
        "held_out": bool(found.truth),
    }


def opened(make: Callable[[int], History], times: int) -> dict[str, Any]:
    """How often the gate opens, and what the recommendation would have gained had it been followed all the same."""
    gates, advantages = 0, []
    for seed in range(times):
        found = make(seed)
        posterior = Posterior(found.searches)
        gates += trusted(replay(posterior))
        advantages.append(_mean_advantage(found, choices_of(posterior)))
    return {"times": times, "opened": gates, "advantage": _points(statistics.fmean(advantages))}


def grown(gain: histories.Gain, paths: int, longest: int) -> dict[str, Any]:
    """The gate asked after every search of a growing history: when it opens first, and how often it ever does."""
    first = []
    for seed in range(paths):
        every = histories.simulated(longest, gain, seed).searches
        first.append(next((n for n in range(MIN_SEARCHES, longest + 1) if trusted(replay(Posterior(every[:n])))), None))
    when = [n for n in first if n is not None]
    return {
        "paths": paths, "searches": longest, "ever_opened": len(when) / paths,
        "median_searches_until": statistics.median(when) if len(when) > paths / 2 else None,
    }  # fmt: skip


def raced(found: History, budgets: Sequence[int]) -> list[dict[str, Any]]:
    """Holdout accuracy of the race's winner, families entering by the rules and as recommended (the gate apart)."""
    rows: dict[int, dict[str, list[tuple[float, float]]]] = {budget: defaultdict(list) for budget in budgets}
    posteriors = {
        task: Posterior([one for one in found.searches if one.workflow_id != task])
        for task in {one.workflow_id for one in found.searches}
    }
    for search in found.searches:
        table = load_table(search.workflow_id)
        start = table.task.instructions[int(search.search_id.rsplit("-", 1)[1])]
        others = posteriors[search.workflow_id]
        known = {seen.strategy for one in others.history for seen in one.observations}
        order = reorder(search.rules, others.expect(search.features, search.rules), known)
        held = table.columns["holdout"]
        for budget in budgets:
            accuracy = [
                float(table.right[table.row[_race(table, start, names, budget)], held].mean())
                for names in (search.rules, order)
            ]
            rows[budget][search.workflow_id].append((accuracy[0], accuracy[1]))
    told = []
    for budget, tasks in rows.items():
        gains = [statistics.fmean(after - before for before, after in pairs) for pairs in tasks.values()]
        low, high = _interval(gains)
        means = [[statistics.fmean(pair[k] for pair in pairs) for pairs in tasks.values()] for k in (0, 1)]
        ruled, recommended = map(statistics.fmean, means)
        told.append(
            {
                "budget": budget,
                "rules": _points(ruled),
                "recommended": _points(recommended),
                "advantage": _points(statistics.fmean(gains)),
                "low": _points(low),
                "high": _points(high),
            }
        )
    return told


def _race(table: Any, start: Prompt, styles: Sequence[str], budget: int) -> Prompt:
    task: Task = table.task
    every = [(histories.family(style), Prompt(text)) for style, text in task.candidates]
    grouped = [[prompt for family, prompt in every if family == name and prompt != start] for name in styles]
    entered = [start, *interleave(grouped)][: ENTER + 1]  # type: ignore[type-var,list-item]  # prompts, not candidates
    by_name = {str(number): prompt for number, prompt in enumerate(entered)}
    dev = dev_cases(task, 100)
    form = Form(case.target for case in dev)
    race = Race([case.id for case in dev], list(by_name), budget)
    while heat := race.next():
        for name in heat.contenders:
            for case_id in heat.cases:
                row, column = table.row[by_name[name]], table.column[case_id]
                right = float(table.right[row, column])
                seen = CaseOutcome(case_id, right, right, output=table.texts[table.answers[row, column]])
                race.tell(name, case_id, right, form.credit(seen))
    return by_name[race.leader or "0"]


def _true(found: History, choice: Choice, place: int, *, ruled: bool = False) -> float:
    return _gain(found, choice, (choice.rules if ruled else choice.recommended)[place])


def _gain(found: History, choice: Choice, seen: Observation) -> float:
    return found.truth.get((choice.search_id, seen.strategy), seen.gain)


def _mean_advantage(found: History, choices: Sequence[Choice]) -> float:
    return statistics.fmean(_by_workflow(choices, lambda one: _true(found, one, 0) - _true(found, one, 0, ruled=True)))


def _by_workflow(choices: Sequence[Choice], value: Callable[[Choice], float]) -> list[float]:
    grouped: dict[str, list[float]] = defaultdict(list)
    for choice in choices:
        grouped[choice.workflow_id].append(value(choice))
    return [statistics.fmean(values) for values in grouped.values()]


def _interval(values: Sequence[float]) -> tuple[float, float]:
    """95 %, Student's over workflows."""
    from scipy.stats import t

    if len(values) < 2:
        return -1.0, 1.0
    half = float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    centre = statistics.fmean(values)
    return centre - half, centre + half


def _points(share: float) -> float:
    return round(100 * share, 1)


def measure(shuffles: int, paths: int) -> dict[str, Any]:
    """Everything, as it is told in docs/recommend.md."""
    bank, shipped = histories.bank(), histories.strategies()
    real = [bank, histories.by_prompt(bank), shipped, histories.by_prompt(shipped)]
    told: dict[str, Any] = {}

    def add(name: str, found: object) -> None:
        told[name] = found
        print(json.dumps({name: found}), file=sys.stderr, flush=True)

    add("first_choice", [first_choice(found) for found in real])
    add("race", raced(bank, BUDGETS))
    for found in real[1::2]:
        add(f"features shuffled: {found.name}", opened(partial(histories.shuffled_features, found), shuffles))
    for found in real:
        add(f"gains shuffled: {found.name}", opened(partial(histories.shuffled_gains, found), shuffles))
    add("grown: nothing to learn", grown(histories.nothing, paths, LONGEST))
    add("grown: a strategy for each kind of prompt", grown(histories.by_kind, paths, LONGEST))
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--shuffles", type=int, default=SHUFFLES)
    parser.add_argument("--paths", type=int, default=PATHS)
    options = parser.parse_args()
    told = measure(options.shuffles, options.paths)
    text = json.dumps(told, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
