"""How steady cases are when they are asked again: pass@k, pass^k, and which cases are coins. Pure.

Sources:
    Chen, M. et al. (2021), "Evaluating Large Language Models Trained on Code", arXiv:2107.03374: pass@k without bias.
    Yao, S. et al. (2024), "τ-bench: A Benchmark for Tool-Agent-User Interaction in Real-World Domains",
    arXiv:2406.12045: pass^k, that all of k attempts pass, without bias.
    Clopper, C. J. & Pearson, E. S. (1934), Biometrika 26: the exact interval of a proportion.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

from sharpen.history.case_tally import CaseTally
from sharpen.history.models import CaseFlakiness, Flakiness, PassAt

STEPS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500)
"""The k that are told, beside the largest."""
KEPT = 10_000


def pass_at_k(runs: int, passes: int, k: int) -> float:
    """The chance that at least one of ``k`` of these ``runs`` passes: 1 − C(n − c, k) / C(n, k).

    Drawn from a case that passes with probability p, its mean is 1 − (1 − p)^k. Raises ``ValueError`` unless
    0 ≤ passes ≤ runs and 1 ≤ k ≤ runs.
    """
    _check(runs, passes, k)
    return 1 - math.comb(runs - passes, k) / math.comb(runs, k)


def pass_hat_k(runs: int, passes: int, k: int) -> float:
    """The chance that all of ``k`` of these ``runs`` pass: C(c, k) / C(n, k); its mean is p^k. Raises as above."""
    _check(runs, passes, k)
    return math.comb(passes, k) / math.comb(runs, k)


def _check(runs: int, passes: int, k: int) -> None:
    if not 0 <= passes <= runs:
        raise ValueError(f"{passes} passes of {runs} runs; expected 0 to {runs}")
    if not 1 <= k <= runs:
        raise ValueError(f"k is {k}; expected 1 to {runs}, the number of runs")


@lru_cache(maxsize=4096)
def exact_interval(passes: int, runs: int, alpha: float) -> tuple[float, float]:
    """Clopper and Pearson's interval of a pass rate. It excludes 0 as soon as a run passed, and 1 as soon as one
    did not: so it shows a case to be neither always passing nor always failing exactly when its repeats disagree.
    """
    from scipy.special import betaincinv

    if runs == 0:
        return 0.0, 1.0
    low = float(betaincinv(passes, runs - passes + 1, alpha / 2)) if passes else 0.0
    high = float(betaincinv(passes + 1, runs - passes, 1 - alpha / 2)) if passes < runs else 1.0
    return low, high


def caught(repeats: int, rate: float = 0.5) -> float:
    """The chance that ``repeats`` of a case that passes at this rate do not all agree."""
    return 1.0 - rate**repeats - (1.0 - rate) ** repeats if repeats else 0.0


def case_flakiness(tally: CaseTally, alpha: float) -> CaseFlakiness:
    """One case. Once is not enough to say anything."""
    low, high = exact_interval(tally.passes, tally.runs, alpha)
    return CaseFlakiness(
        case_id=tally.case_id,
        passes=tally.passes,
        runs=tally.runs,
        errors=tally.errors,
        pass_rate=tally.pass_rate,
        low=low,
        high=high,
        state="coin" if tally.mixed else "once" if tally.runs == 1 else "passes" if tally.passes else "fails",
    )


class FlakinessFold:
    """Folds cases one by one; keeps the coins, and the others while they are few."""

    def __init__(self, alpha: float = 0.05) -> None:
        self._alpha = alpha
        self._counts: Counter[tuple[int, int]] = Counter()
        self._coins_by_errors = 0
        self._coins: list[CaseFlakiness] = []
        self._all: list[CaseFlakiness] | None = []

    def add(self, tally: CaseTally) -> None:
        """Count one case, if it ran."""
        if not tally.runs:
            return
        self._counts[tally.runs, tally.passes] += 1
        if tally.mixed:
            self._coins_by_errors += tally.passes + tally.errors == tally.runs
            self._coins.append(case_flakiness(tally, self._alpha))
        if self._all is not None:
            self._all.append(case_flakiness(tally, self._alpha))
            if len(self._all) > KEPT:
                self._all = None

    def found(self, run_ids: Sequence[str]) -> Flakiness | None:
        """All that was added; None when no case was asked more than once."""
        runs = [number for number, _ in self._counts]
        if not runs or max(runs) < 2:
            return None
        counts = self._counts.items()
        least = min(number for number in runs if number > 1)
        return Flakiness(
            basis="repeats" if len(run_ids) == 1 else "runs",
            run_ids=tuple(run_ids),
            alpha=self._alpha,
            cases=self._counts.total(),
            least_repeats=min(runs),
            most_repeats=max(runs),
            coins=len(self._coins),
            coins_by_errors=self._coins_by_errors,
            always_pass=sum(count for (number, passes), count in counts if number == passes > 1),
            always_fail=sum(count for (number, passes), count in counts if number > 1 and not passes),
            once=sum(count for (number, _), count in counts if number == 1),
            caught=caught(least),
            pass_at=tuple(self._pass_at(k) for k in sorted({k for k in STEPS if k < least} | {least})),
            per_case=tuple(self._coins if self._all is None else self._all),
        )

    def _pass_at(self, k: int) -> PassAt:
        enough = [(runs, passes, count) for (runs, passes), count in self._counts.items() if runs >= k]
        cases = sum(count for _, _, count in enough)
        return PassAt(
            k=k,
            pass_at_k=_clip(math.fsum(count * pass_at_k(runs, passes, k) for runs, passes, count in enough) / cases),
            pass_hat_k=_clip(math.fsum(count * pass_hat_k(runs, passes, k) for runs, passes, count in enough) / cases),
            cases=cases,
        )


def flakiness_of(tallies: Iterable[CaseTally], run_ids: Sequence[str] = ("",), alpha: float = 0.05) -> Flakiness | None:
    """How steady these cases are; None when none was asked more than once."""
    fold = FlakinessFold(alpha)
    for tally in tallies:
        fold.add(tally)
    return fold.found(run_ids)


def _clip(rate: float) -> float:
    return min(1.0, max(0.0, rate))
