"""How many samples an experiment will take: its own stopping rule, run on simulated experiments. Pure, seeded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from sharpen.executor.models import Record
from sharpen.experiments.bets import stakes
from sharpen.experiments.sequential import Rule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIMULATED = 2000
"""Experiments behind a plan: its power is known to within a point (one standard error)."""
LOOKS = 25
"""A plan looks so often in the time that a test of fixed size takes, about as often as `sharpen ab` does."""
LONGEST = 6
"""A plan looks up to so many times the fixed size ahead; the rest is beyond any budget."""


class SamplePlan(Record):
    """``samples``: within so many cases a variant that is better by ``effect`` wins with probability ``power``.

    ``if_better`` and ``if_equal``: cases until it is over, on average, when the variant is that much better, or no
    better at all. ``fixed``: what a test with one look at the end needs for the same. ``changed``: the assumed share of
    cases on which the two differ. ``samples`` is None when it is beyond ``LONGEST`` times the fixed size.
    ``power_with``: the probability of a win within ``available`` cases; None when it was not asked for.
    """

    effect: float
    changed: float
    power: float
    alpha: float
    samples: int | None
    if_better: int
    if_equal: int
    fixed: int
    available: int | None = None
    power_with: float | None = None


@dataclass(frozen=True, slots=True)
class Endings:
    """When simulated experiments ended, in samples (infinite: never), one array for each state."""

    win: NDArray[np.float64]
    loss: NDArray[np.float64]
    futility: NDArray[np.float64]

    @property
    def over(self) -> NDArray[np.float64]:
        """Samples until each experiment was over."""
        import numpy as np

        found: NDArray[np.float64] = np.minimum(np.minimum(self.win, self.loss), self.futility)
        return found

    @property
    def won(self) -> NDArray[np.bool_]:
        """Which ended as won; at one and the same look a win goes before a loss, and both before futility."""
        import numpy as np

        return np.isfinite(self.win) & (self.win <= self.loss) & (self.win <= self.futility)

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Which ended as lost."""
        import numpy as np

        return np.isfinite(self.loss) & (self.loss < self.win) & (self.loss <= self.futility)


def simulate(
    rule: Rule, better: float, worse: float, looks: Sequence[int], experiments: int = SIMULATED, seed: int = 0
) -> Endings:
    """Run the stopping rule on cases of which a share ``better`` is fixed and a share ``worse`` broken.

    Each experiment goes on until it is over.

    ``looks``: after how many samples one looks, rising.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    cells = (better, worse, max(0.0, 1 - better - worse))
    # the factors of (1 ± d) / 2 for better, worse, same: 1, 0, 1/2 and 0, 1, 1/2
    tests = {
        "win": ((1.0, 0.0, 0.5), 0.5, rule.log_threshold),
        "loss": ((0.0, 1.0, 0.5), 0.5, rule.log_threshold),
        "futility": ((0.0, 1.0, 0.5), (1 - rule.effect) / 2, rule.log_futile),
    }
    ends = {name: np.full(experiments, math.inf) for name in tests}
    going, seen, before = np.arange(experiments), np.zeros((experiments, 3)), 0
    for number in looks:
        seen += random.multinomial(number - before, cells, len(going))
        before = number
        over = np.zeros(len(going), dtype=bool)
        for name, (values, mean, threshold) in tests.items():
            reached = log_wealths(seen, values, mean, rule.effect) >= threshold
            ends[name][going[reached]] = number
            over |= reached
        going, seen = going[~over], seen[~over]
        if not len(going):
            break
    return Endings(ends["win"], ends["loss"], ends["futility"])


def log_wealths(
    counts: NDArray[np.float64], values: Sequence[float], mean: float, effect: float
) -> NDArray[np.float64]:
    """Log wealth of many experiments at once; ``counts``: one row for each, one column for each of ``values``."""
    import numpy as np

    stake, weight = stakes(effect)
    factors = np.log1p(stake[None, :] * (np.array(values)[:, None] / mean - 1))
    logs = counts @ factors + weight
    most = logs.max(axis=1)
    found: NDArray[np.float64] = most + np.log(np.exp(logs - most[:, None]).sum(axis=1))
    return found


def plan_samples(rule: Rule, changed: float, available: int | None = None) -> SamplePlan:
    """What it takes when a share ``changed`` of the cases differs, ``effect`` more of them for the better.

    Raises ``ValueError`` when fewer cases differ than the effect says.
    """
    import numpy as np

    effect = rule.effect
    if not effect <= changed <= 1:
        raise ValueError(f"an effect of {effect:g} needs at least that share of cases to differ; got {changed:g}")
    fixed = fixed_size(rule, changed)
    longest = LONGEST * fixed + 50
    looks = sorted({*range(1, longest, max(1, fixed // LOOKS)), *([available] if available else [])})
    real = simulate(rule, (changed + effect) / 2, (changed - effect) / 2, looks)
    equal = simulate(rule, changed / 2, changed / 2, looks)
    wins = np.sort(np.where(real.won, real.win, math.inf))
    needed = float(wins[math.ceil(rule.power * len(wins)) - 1])
    return SamplePlan(
        effect=effect,
        changed=changed,
        power=rule.power,
        alpha=rule.alpha,
        samples=None if math.isinf(needed) else int(needed),
        if_better=math.ceil(float(np.minimum(real.over, longest).mean())),
        if_equal=math.ceil(float(np.minimum(equal.over, longest).mean())),
        fixed=fixed,
        available=available,
        power_with=None if available is None else float((wins <= available).mean()),
    )


def fixed_size(rule: Rule, changed: float) -> int:
    """Cases for a paired test with one look at the end (Miettinen, O. S. 1968, *Biometrics* 24; McNemar's test)."""
    z = NormalDist().inv_cdf
    effect = rule.effect
    spread = z(1 - rule.level / 2) * math.sqrt(changed) + z(rule.power) * math.sqrt(max(0.0, changed - effect**2))
    return math.ceil((spread / effect) ** 2)
