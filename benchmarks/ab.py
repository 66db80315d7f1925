"""How often A/B tests are wrong when one looks after every observation, how much they find, and what they save.

    python benchmarks/ab.py [--experiments 10000] [--json FILE]

Every experiment is simulated with the stopping rule of ``sharpen.experiments`` itself, looked at after each single
observation. About half a minute of one core.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from sharpen.experiments import bets
from sharpen.experiments.asymptotic import FEWEST, TIGHTEST
from sharpen.experiments.planning import Endings, fixed_size, log_wealths, simulate
from sharpen.experiments.sequential import Rule
from sharpen.experiments.split_check import CONCENTRATION, LEVEL

OBSERVATIONS = 1000
AA = (("two prompts, 30 % of the cases differ", 0.30), ("5 % differ", 0.05), ("every case differs", 1.0))
ONLINE_AA = (("online, 50 % succeed", 0.5), ("online, 10 % succeed", 0.1))
WORLDS = ((0.10, 0.30), (0.05, 0.15), (0.20, 0.40), (0.05, 0.05))
"""(effect of interest, share of cases that differ)."""
TRUE = (-1.0, 0.0, 1.0, 1.5, 2.0)
"""The true effect, in effects of interest."""


def no_difference(experiments: int) -> list[dict[str, Any]]:
    """A/A: any win or loss is false. ``as_run``: futility ends most of them; ``never_stopping``: nothing does."""
    worlds = [*AA, *((name, 2 * rate * (1 - rate)) for name, rate in ONLINE_AA)]
    rows = []
    for number, (name, share) in enumerate(worlds):
        rule = Rule()
        stopped = simulate(rule, share / 2, share / 2, range(1, OBSERVATIONS + 1), experiments, seed=number)
        rows.append(
            {
                "world": name,
                "never_stopping": ever_wrong(rule, share, experiments, seed=number),
                "as_run": float((stopped.won | stopped.lost).mean()),
                "peeking_at_p": peeking_at_p(share, experiments, seed=number),
            }
        )
    return [*rows, three_variants(experiments)]


def wealth_table(rule: Rule, most: int) -> Any:
    """Log wealth against "no better", by cases that got better (row) and worse (column): no others count."""
    stake, weight = bets.stakes(rule.effect)
    up, down = np.log1p(stake), np.log1p(-stake)
    table = np.empty((most + 1, most + 1))
    column = np.arange(most + 1)
    for row in range(most + 1):
        logs = weight + row * up + column[:, None] * down
        table[row] = np.logaddexp.reduce(logs, axis=1)
    return table


def ever_wrong(rule: Rule, share: float, experiments: int, seed: int) -> float:
    """Share of experiments that ever win or lose in so many observations, though nothing differs."""
    random = np.random.default_rng(seed)
    table = wealth_table(rule, OBSERVATIONS) >= rule.log_threshold
    better, worse = np.zeros(experiments, dtype=int), np.zeros(experiments, dtype=int)
    wrong = np.zeros(experiments, dtype=bool)
    for _ in range(OBSERVATIONS):
        drawn = random.random(experiments)
        better += drawn < share / 2
        worse += (drawn >= share / 2) & (drawn < share)
        wrong |= table[better, worse] | table[worse, better]
    return float(wrong.mean())


def peeking_at_p(share: float, experiments: int, seed: int) -> float:
    """What looking at p < 0.05 of McNemar's test (normal approximation) after every observation does."""
    random = np.random.default_rng(seed)
    better, changed, wrong = np.zeros(experiments), np.zeros(experiments), np.zeros(experiments, dtype=bool)
    for _ in range(OBSERVATIONS):
        differs = random.random(experiments) < share
        changed += differs
        better += differs & (random.random(experiments) < 0.5)
        enough = changed >= 10
        wrong |= enough & (np.abs(2 * better - changed) > 1.96 * np.sqrt(changed))
    return float(wrong.mean())


def three_variants(experiments: int) -> dict[str, Any]:
    """Two variants against one control that all do the same: any false verdict among them."""
    random = np.random.default_rng(99)
    rule, rate = Rule(comparisons=2), 0.5
    table = wealth_table(rule, OBSERVATIONS) >= rule.log_threshold
    better, worse = np.zeros((2, experiments), dtype=int), np.zeros((2, experiments), dtype=int)
    wrong = np.zeros(experiments, dtype=bool)
    for _ in range(OBSERVATIONS):
        control = random.random(experiments) < rate
        variants = random.random((2, experiments)) < rate
        better += variants & ~control
        worse += control & ~variants
        wrong |= (table[better, worse] | table[worse, better]).any(axis=0)
    return {"world": "three variants that do the same", "never_stopping": float(wrong.mean())}


def power_and_saving(experiments: int) -> list[dict[str, Any]]:
    """What is found, and how many samples it took, against a fixed-size test planned for the same effect."""
    rows = []
    for effect, share in WORLDS:
        rule = Rule(effect=effect)
        fixed = fixed_size(rule, share)
        longest = 4 * fixed
        looks = range(1, longest + 1, max(1, fixed // 100))
        for times in TRUE:
            true = times * effect
            if abs(true) > share:
                continue
            found = simulate(rule, (share + true) / 2, (share - true) / 2, looks, experiments // 5, seed=7)
            ended = np.minimum(found.over, longest)
            rows.append(
                {
                    "effect": effect,
                    "changed": share,
                    "true": true,
                    "win": float(found.won.mean()),
                    "loss": float(found.lost.mean()),
                    "futility": float((~found.won & ~found.lost & np.isfinite(found.futility)).mean()),
                    "samples": float(ended.mean()),
                    "fixed": fixed,
                    "saved": float(1 - ended.mean() / fixed),
                }
            )
    return rows


def coverage(experiments: int) -> list[dict[str, Any]]:
    """How often the interval ever misses the true difference, looked at after every observation."""
    experiments //= 4
    rows = []
    for number, (true, share) in enumerate(((0.0, 0.3), (0.1, 0.3), (0.3, 0.5))):
        random = np.random.default_rng(20 + number)
        rule, counts = Rule(), np.zeros((experiments, 3))
        missed = np.zeros(experiments, dtype=bool)
        cells = ((share + true) / 2, (share - true) / 2, 1 - share)
        for _ in range(OBSERVATIONS // 2):
            counts += random.multinomial(1, cells, experiments)
            for values, mean in (((1.0, 0.0, 0.5), (1 + true) / 2), ((0.0, 1.0, 0.5), (1 - true) / 2)):
                missed |= log_wealths(counts, values, mean, rule.effect) >= rule.log_threshold
        rows.append({"true": true, "changed": share, "missed": float(missed.mean())})
    return rows


def split_alarms(experiments: int) -> list[dict[str, Any]]:
    """The check of the split: false alarms at 50 : 50, and how many units a bug takes to be found."""
    rows = []
    for share, units in ((0.5, 5000), (0.52, 30_000), (0.55, 10_000)):
        random = np.random.default_rng(3)
        number = experiments if share == 0.5 else experiments // 20
        first = np.full(number, math.inf)
        log, ones = np.zeros(number), np.zeros(number)
        for n in range(units):
            here = random.random(number) < share
            prior = CONCENTRATION / 2
            seen = np.where(here, ones, n - ones)
            log += np.log((prior + seen) / (CONCENTRATION + n) / 0.5)
            ones += here
            first = np.where((log >= -math.log(LEVEL)) & np.isinf(first), n + 1, first)
        caught = np.isfinite(first)
        middle = float(np.median(first)) if caught.mean() > 0.5 else None
        rows.append({"share": share, "units": units, "alarms": float(caught.mean()), "median": middle})
    return rows


def latency_guardrail(experiments: int) -> list[dict[str, Any]]:
    """The asymptotic interval on skewed paired latencies just at the margin: false alarms at level 0.05."""
    rows = []
    level = 0.1  # two-sided: 0.05 on the side that alarms
    rho = math.sqrt((-2 * math.log(level) + math.log(1 - 2 * math.log(level))) / TIGHTEST)
    for sigma in (0.3, 0.6, 1.0):
        random = np.random.default_rng(11)
        total, squares = np.zeros(experiments), np.zeros(experiments)
        alarm = np.zeros(experiments, dtype=bool)
        for n in range(1, OBSERVATIONS + 1):
            control, variant = random.lognormal(0, sigma, (2, experiments))
            excess = 1.2 * variant - 1.2 * control  # exactly the 20 % that are allowed
            total += excess
            squares += excess**2
            if n < FEWEST:
                continue
            mean = total / n
            deviation = np.sqrt((squares - n * mean**2) / (n - 1))
            scale = n * rho * rho + 1
            half = deviation * math.sqrt(2 * scale / (n * rho) ** 2 * math.log(math.sqrt(scale) / level))
            alarm |= mean - half > 0
        rows.append({"sigma": sigma, "alarms": float(alarm.mean())})
    return rows


def stakes_compared(experiments: int) -> list[dict[str, Any]]:
    """Mean samples to a win, or to giving up, under other mixtures of bets."""
    mixtures = {
        "exp(-c / 0.4) from half the effect (used)": None,
        "uniform in c": lambda c: np.ones_like(c),
        "log-uniform": lambda c: 1 / c,
    }
    rows = []
    usual = bets.stakes
    for name, density in mixtures.items():
        if density is not None:

            def other(_effect: float, density: Any = density) -> Any:
                stake = np.geomspace(5e-4, bets.LARGEST_STAKE, 48)
                weight = density(stake) * stake
                return stake, np.log(weight / weight.sum())

            _use(other)
        row: dict[str, Any] = {"mixture": name}
        for effect, share in WORLDS[:2]:
            rule = Rule(effect=effect)
            longest = 4 * fixed_size(rule, share)
            looks = range(1, longest, max(1, longest // 200))
            for times in (0.0, 1.0, 2.0):
                true = times * effect
                found: Endings = simulate(rule, (share + true) / 2, (share - true) / 2, looks, experiments // 10, 1)
                row[f"{effect:g}/{times:g}"] = float(np.minimum(found.over, longest).mean())
        rows.append(row)
        _use(usual)
    return rows


def _use(stakes: Any) -> None:
    from sharpen.experiments import planning

    planning.stakes = stakes


def main() -> None:
    """Print the tables; with ``--json`` also keep them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found: dict[str, Any] = {"experiments": arguments.experiments}
    for part in (no_difference, power_and_saving, coverage, split_alarms, latency_guardrail, stakes_compared):
        began = time.monotonic()
        rows = part(arguments.experiments)
        found[part.__name__] = rows
        print(f"\n{part.__name__} ({time.monotonic() - began:.0f} s)")
        for row in rows:
            print(
                "  ",
                {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()},
                flush=True,
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
