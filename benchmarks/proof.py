"""The proof, simulated: how often an improvement is claimed that is none, and what it takes to prove one that is.

python benchmarks/proof.py [--searches 2000] [--save] [--picture FILE.svg]

Null worlds are searched whole, with sharpen's own race, selection, proof and ledger; see `proof_worlds.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from statistics import NormalDist, fmean
from typing import Any

import numpy as np
from proof_picture import power_picture
from proof_worlds import (
    ALPHA,
    NULLS,
    RULES,
    SEED_PROMPT,
    World,
    clustered,
    difficulty,
    real_answers,
    search,
)
from results import run_section

from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.proof.memory_ledger import MemoryLedger
from sharpen.optimizer.proof.sequential import ProofPlan, SequentialProof
from sharpen.optimizer.proof.sign_flip import SignFlipSequence
from sharpen.optimizer.proof.units import looks_of
from sharpen.optimizer.statistics import mcnemar_exact, wilson
from sharpen.optimizer.verification import verify

LEVEL = ALPHA / 2
ATTEMPTS = 8
BROKEN = 0.05
EFFECTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3)
SIZES = (40, 60, 120)
DRAWN = 60
Differences = Sequence[int]
_NORMAL = NormalDist()


# ------------------------------------------------------------------------------------------------------- false claims


async def null_searches(make: Callable[[int], World], searches: int) -> dict[str, Any]:
    """``searches`` independent ones: how many end with a winner on dev, and what is claimed of it."""
    winners = claimed = by_case = 0
    looked: list[float] = []
    for seed in range(searches):
        world = make(seed)
        found = await search(world)
        if found is None or found.outcome.winner is None or found.outcome.verification is None:
            continue
        winners += 1
        claimed += found.claimed
        looked.append(found.outcome.verification.holdout_cases / len(found.split.holdout))
        before = {one.case_id: one for one in world.outcomes(SEED_PROMPT, found.split.holdout)}
        winner = found.outcome.winner.candidate.prompt
        after = {one.case_id: one for one in world.outcomes(winner, found.split.holdout)}
        by_case += verify(found.split.holdout, before, after, alpha=ALPHA, rules=RULES).accepted
    return {
        "searches": searches,
        "winners": winners,
        "claimed": claimed,
        "by_case": by_case,
        "looked": fmean(looked) if looked else 0.0,
    }


async def repeated_searches(make: Callable[[int], World], data_sets: int, *, remembered: bool) -> dict[str, Any]:
    """Eight searches on each data set, each with ideas of its own: on how many is something claimed at last?"""
    claimed = ran = refused = 0
    for seed in range(data_sets):
        world, ledger, any_claim = make(seed), MemoryLedger(), False
        for attempt in range(ATTEMPTS):
            world.attempt = attempt
            found = await search(world, ledger if remembered else MemoryLedger(), f"s{attempt}")
            if found is None:
                refused += 1
                break
            ran += 1
            any_claim = any_claim or found.claimed
        claimed += any_claim
    return {"data_sets": data_sets, "claimed": claimed, "searches": ran, "refused": refused}


@cache
def real_table() -> np.ndarray | None:
    """(prompt, case) → right, of the first recorded task; None where none is recorded."""
    from search.table import load_table

    try:
        table = load_table("reviews")
    except FileNotFoundError:
        return None
    return np.asarray(table.right[[table.row[prompt] for prompt in table.task.instructions]])


# -------------------------------------------------------------------------------------------------------------- power


def obrien_fleming(level: float, share: float) -> float:
    """Lan & DeMets' spending function of that type, one-sided."""
    return 2 * (1 - _NORMAL.cdf(_NORMAL.inv_cdf(1 - level / 2) / math.sqrt(share))) if share < 1 else level


def in_looks(differences: Differences, spending: Callable[[float, float], float] | None = None) -> tuple[bool, int]:
    """(won, cases seen) of the sequential test alone, without giving up; ``spending``: None is sharpen's own."""
    test = SignFlipSequence(LEVEL, spending) if spending else SignFlipSequence(LEVEL)
    seen = 0
    for cut in looks_of(len(differences), LEVEL):
        found = test.look(differences[seen:cut], cut / len(differences))
        seen = cut
        if found.won:
            return True, seen
    return False, seen


def proved(differences: Differences) -> tuple[bool, int]:
    """(won, cases seen) of the proof as it is, which gives up early, too."""
    names = tuple(f"{n:04}" for n in range(len(differences)))
    before = {name: float(difference < 0) for name, difference in zip(names, differences, strict=True)}
    gain = dict(zip(names, differences, strict=True))
    proof = SequentialProof(ProofPlan(names, LEVEL, rules=RULES, keep=0))
    while case_ids := proof.next_units():
        for name in case_ids:
            after = before[name] + gain[name]
            proof.tell(CaseOutcome(name, before[name], before[name]), CaseOutcome(name, after, after))
    found = proof.verdict()
    return found.stopped == "win", found.holdout_cases


def bet(differences: Differences) -> tuple[bool, int]:
    """A betting e-process on the signs, mixed over nine stakes; it may stop after every case (Ville)."""
    stakes = np.arange(1, 10) / 10
    wealth = np.full(9, 1 / 9)
    for number, difference in enumerate(differences, 1):
        wealth *= 1 + stakes * difference
        if wealth.sum() >= 1 / LEVEL:
            return True, number
    return False, len(differences)


def fixed(differences: Differences) -> tuple[bool, int]:
    """The exact two-sided McNemar test on all cases at once."""
    better, worse = differences.count(1), differences.count(-1)
    return better > worse and mcnemar_exact(better, worse) <= ALPHA, len(differences)


TESTS: dict[str, Callable[[Differences], tuple[bool, int]]] = {
    "all cases at once (exact McNemar)": fixed,
    "sharpen's proof": proved,
    "the same, never giving up": in_looks,
    "O'Brien-Fleming spending": lambda differences: in_looks(differences, obrien_fleming),
    "betting e-process": bet,
}


def power_curves(trials: int) -> list[dict[str, Any]]:
    """For each number of cases and true effect: share of trials won and of cases seen, by test, on the same draws."""
    rows = []
    for cases in SIZES:
        for effect in EFFECTS:
            rng = np.random.default_rng([cases, int(1000 * effect)])
            chances = (BROKEN + effect, BROKEN, 1 - 2 * BROKEN - effect)
            draws = rng.choice([1, -1, 0], size=(trials, cases), p=chances).tolist()
            found = {name: [test(draw) for draw in draws] for name, test in TESTS.items()}
            rows.append(
                {
                    "cases": cases,
                    "effect": effect,
                    "won": {name: fmean(won for won, _ in ends) for name, ends in found.items()},
                    "seen": {name: fmean(seen for _, seen in ends) / cases for name, ends in found.items()},
                }
            )
    return rows


def margins(trials: int) -> list[dict[str, Any]]:
    """The claim "at most five points worse for fewer tokens" when that is just not so, and when quality is the same."""
    rows = []
    for cases in (100, 200, 400):
        for worse, label in ((0.05, "five points worse"), (0.0, "as good")):
            for changed in (0.0, 0.04):
                rng = np.random.default_rng([cases, int(1000 * worse), int(100 * changed)])
                chances = (changed / 2, changed / 2 + worse, 1 - changed - worse)
                won = [not_worse(rng.choice([1, -1, 0], size=cases, p=chances).tolist()) for _ in range(trials)]
                rows.append({"cases": cases, "truth": label, "changed": changed, "accepted": fmean(won)})
    return rows


def not_worse(differences: Differences) -> bool:
    """Accepted as non-inferior, with a fifth fewer tokens."""
    names = tuple(f"{n:04}" for n in range(len(differences)))
    gain = dict(zip(names, differences, strict=True))
    before = {name: 0.0 if gain[name] > 0 else 1.0 for name in names}
    proof = SequentialProof(ProofPlan(names, LEVEL, rules=RULES, baseline=before, claim="non_inferior", keep=0))
    while case_ids := proof.next_units():
        for name in case_ids:
            after = before[name] + gain[name]
            proof.tell(
                CaseOutcome(name, before[name], before[name], tokens=100.0),
                CaseOutcome(name, after, after, tokens=80.0),
            )
    return proof.verdict().accepted


# ------------------------------------------------------------------------------------------------------ what was found


def measure(searches: int = 2000) -> dict[str, Any]:
    """Everything above; ``searches`` null searches of each kind, and in proportion of all else."""
    worlds = dict(NULLS.values())
    if (right := real_table()) is not None:
        worlds["a real model's answers, dealt out anew"] = lambda seed: real_answers(seed, right)
    worlds["groups of five, of which nobody told"] = lambda seed: clustered(seed, told=False)
    return {
        "nulls": {label: asyncio.run(null_searches(make, searches)) for label, make in worlds.items()},
        "repeated": {
            "with the ledger": asyncio.run(repeated_searches(difficulty, searches // 4, remembered=True)),
            "without": asyncio.run(repeated_searches(difficulty, searches // 4, remembered=False)),
        },
        "power": power_curves(searches // 2),
        "margins": margins(searches // 4),
    }


def render(data: dict[str, Any]) -> str:
    """The tables as Markdown."""
    return "\n\n".join(
        (_nulls(data["nulls"]), _repeated(data["repeated"]), _power(data["power"]), _margins(data["margins"]))
    )


def _nulls(nulls: dict[str, Any]) -> str:
    rows = [
        "Whole searches among sixteen candidates or more, none of which is better than the prompt (alpha 0.05):",
        "",
        "| world | searches | better on dev | **claimed after the proof** | McNemar case by case | holdout looked at |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for label, found in nulls.items():
        number = found["searches"]
        rows.append(
            f"| {label} | {number} | {found['winners'] / number:.0%} | **{_rate(found['claimed'], number)}** "
            f"| {_rate(found['by_case'], number)} | {found['looked']:.0%} |"
        )
    return "\n".join(rows)


def _repeated(repeated: dict[str, Any]) -> str:
    rows = [
        f"Up to {ATTEMPTS} searches on one data set, each with new ideas that are no better; claimed at last:",
        "",
        "| | data sets | searches | refused in the end | **data sets with a false claim** |",
        "| --- | --- | --- | --- | --- |",
    ]
    for label, found in repeated.items():
        number = found["data_sets"]
        rows.append(
            f"| {label} | {number} | {found['searches']} | {found['refused']} | **{_rate(found['claimed'], number)}** |"
        )
    return "\n".join(rows)


def _power(power: list[dict[str, Any]]) -> str:
    rows = [
        f"Proved, and (share of the cases looked at), when the candidate breaks {BROKEN:.0%} of the cases and mends "
        "so many more:",
        "",
        "| cases | effect | " + " | ".join(TESTS) + " |",
        "| --- | --- |" + " --- |" * len(TESTS),
    ]
    for row in power:
        cells = " | ".join(f"{row['won'][name]:.1%} ({row['seen'][name]:.0%})" for name in TESTS)
        rows.append(f"| {row['cases']} | +{100 * row['effect']:.0f} | {cells} |")
    return "\n".join(rows)


def _margins(margins: list[dict[str, Any]]) -> str:
    rows = [
        'Accepted as "at most five points worse, for fewer tokens" (20 % fewer); beside it, what changes either way:',
        "",
        "| cases | truth | change either way | accepted |",
        "| --- | --- | --- | --- |",
    ]
    rows += [f"| {row['cases']} | {row['truth']} | {row['changed']:.0%} | {row['accepted']:.1%} |" for row in margins]
    return "\n".join(rows)


def _rate(count: int, number: int) -> str:
    low, high = wilson(count, number, 1.96)
    return f"{count / number:.1%} ({100 * low:.1f} to {100 * high:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--searches", type=int, default=2000)
    parser.add_argument("--save", action="store_true", help="keep the numbers in results.json and RESULTS.md")
    parser.add_argument("--picture", type=Path, help="draw the power curves there (SVG)")
    options = parser.parse_args()
    data = run_section("proof", keep=options.save, searches=options.searches)
    if options.picture:
        options.picture.write_text(power_picture(data["power"], DRAWN, tuple(TESTS)[:2] + tuple(TESTS)[-1:]))


if __name__ == "__main__":
    main()
