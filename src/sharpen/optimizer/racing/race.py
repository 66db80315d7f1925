"""Racing on paired cases within a budget: halving that is gentler, on ranked cases, with credit for the right form.

::

    race = Race(cases, contenders, budget)
    while heat := race.next():
        for each of heat.contenders and heat.cases: race.tell(contender, case, passed, credit, price)
    race.leader, race.drops

All who are still in have seen the same first cases, so that what is compared is paired, and an easy stretch helps
nobody. After each heat the better 60 % stay. It is sequential halving (Karnin, Koren & Somekh 2013, "Almost optimal
exploration in multi-armed bandits") with three changes, each measured in docs/search.md: the cases come in proportion
to their answers, form counts a little at first, and the early heats may have more, where the last ones see all anyway.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from sharpen.optimizer.racing.merit import merit

KEEP = 0.6
"""Of the contenders of a heat so many go on."""

LEANS = (0.8, 0.85, 0.9, 0.95, 1.0)
"""Each heat may spend so much of what the one before it might: the first of these with which the last ones see all."""


@dataclass(frozen=True, slots=True)
class Heat:
    """``contenders`` are all to see ``cases``."""

    contenders: tuple[str, ...]
    cases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drop:
    """Why a contender left: what it had passed of ``cases``, and what the last one that stayed and the leader had.

    ``edge``: what the last one to stay had over it that passes do not show; empty when they do.
    """

    contender: str
    cases: int
    passed: float
    last_kept: float
    leader: float
    edge: str = ""

    def __str__(self) -> str:
        edge = f" and {self.edge}" if self.edge else ""
        cases = "1 case" if self.cases == 1 else f"{self.cases} cases"
        others = f"the last to stay {self.last_kept:g}{edge}, the leader {self.leader:g}"
        return f"after {cases}: passed {self.passed:g}; {others}"


@dataclass(slots=True)
class _Record:
    passed: dict[str, float] = field(default_factory=dict)
    credit: dict[str, float] = field(default_factory=dict)
    price: dict[str, float] = field(default_factory=dict)
    bonus: dict[str, float] = field(default_factory=dict)


def stays(contenders: int) -> int:
    """How many go on after a heat of so many: at least one leaves, and one stays."""
    return max(1, min(contenders - 1, math.ceil(KEEP * contenders)))


def fields(contenders: int) -> tuple[int, ...]:
    """How many run in each heat, until one is left."""
    found = [contenders]
    while stays(found[-1]) > 1:
        found.append(stays(found[-1]))
    return tuple(found)


def full_budget(contenders: int, cases: int, lean: float = LEANS[0]) -> int:
    """Case runs with which the last of ``contenders`` sees all ``cases``."""
    if not contenders:
        return 0
    shares = [(lean**heat, field) for heat, field in enumerate(fields(contenders))]
    seen = math.fsum(share / field for share, field in shares)  # of a budget of one
    # a heat cannot run a part of a case: one more for each makes up for it
    return math.ceil(cases * math.fsum(share for share, _ in shares) / seen) + contenders


class Race:
    """``contenders`` in the order in which ties are decided; ``budget`` in case runs (None: ``full_budget``).

    Of more contenders than the budget has runs the last ones never start.
    """

    def __init__(self, cases: Sequence[str], contenders: Sequence[str], budget: int | None = None) -> None:
        self._cases = tuple(cases)
        self._left = full_budget(len(contenders), len(cases)) if budget is None else budget
        self._racing = list(contenders[: max(0, self._left)])
        self._order = {name: place for place, name in enumerate(contenders)}
        self._records = {name: _Record() for name in contenders}
        self._fields = fields(len(self._racing))
        enough = (lean for lean in LEANS if full_budget(len(self._racing), len(cases), lean) <= self._left)
        self._lean = next(enough, LEANS[-1])
        self._heat = self._seen = 0
        self._due: Heat | None = None
        self.drops: list[Drop] = []

    @property
    def seen(self) -> tuple[str, ...]:
        """The cases that all who are still in have seen."""
        return self._cases[: self._seen]

    @property
    def racing(self) -> tuple[str, ...]:
        """Who is still in, the best first."""
        return tuple(sorted(self._racing, key=self.rank))

    @property
    def leader(self) -> str | None:
        """The best of those still in; None when nobody ever was."""
        return min(self._racing, key=self.rank, default=None)

    def rank(self, name: str) -> tuple[float, float, int]:
        """Better is smaller: merit on the cases that all have seen, then a lower price, then who came first."""
        price = self._records[name].price
        return -self._merit(name), math.fsum(price.get(case, 0.0) for case in self.seen), self._order[name]

    def passed(self, name: str) -> float:
        """Passes among the cases that all have seen."""
        record = self._records[name]
        return math.fsum(record.passed.get(case, 0.0) for case in self.seen)

    def next(self) -> Heat | None:
        """The next heat; None when the race is over. The one before must have been told."""
        if self._due is not None:
            self._close(self._due)
        if not self._racing or self._seen == len(self._cases) or (len(self._racing) == 1 and self._seen > 0):
            return None
        cases = self._affordable()
        if cases == 0:
            return None
        self._left -= cases * len(self._racing)
        self._due = Heat(tuple(self._racing), self._cases[self._seen : self._seen + cases])
        return self._due

    def tell(
        self, name: str, case: str, passed: float, credit: float = 0.0, price: float = 0.0, bonus: float = 0.0
    ) -> None:
        """How one case ended: ``passed`` and ``credit`` (for the right form) from 0 to 1, ``price`` in tokens.

        ``bonus``: what else speaks for the contender, in passes (below 0: against it); see ``optimizer.objective``.
        """
        record = self._records[name]
        record.passed[case], record.credit[case], record.price[case] = passed, credit, price
        record.bonus[case] = bonus

    def _affordable(self) -> int:
        """Cases of the next heat. Where its share buys none, heats are skipped, as far as whole cases can be paid."""
        for heat in range(self._heat, len(self._fields)):
            shares = [self._lean**later for later in range(len(self._fields) - heat)]
            cases = int(self._left * shares[0] / sum(shares)) // len(self._racing)
            if self._seen == 0:
                cases = max(1, cases)
            if cases >= 1:
                self._heat = heat
                return min(cases, len(self._cases) - self._seen)
        return 0

    def _close(self, heat: Heat) -> None:
        """Who was behind leaves."""
        self._due = None
        self._seen += len(heat.cases)
        self._heat += 1
        ranked = sorted(self._racing, key=self.rank)
        stay = stays(len(ranked))
        self._racing, gone = ranked[:stay], ranked[stay:]
        last, leader = self._racing[-1], self.passed(self._racing[0])
        passed = self.passed(last)
        self.drops += [
            Drop(each, self._seen, self.passed(each), passed, leader, self._edge(last, each)) for each in gone
        ]

    def _edge(self, kept: str, gone: str) -> str:
        """Why ``kept`` ranks before ``gone`` although it passed no more."""
        if self.passed(kept) > self.passed(gone):
            return ""
        (kept_merit, kept_price, _), (gone_merit, gone_price, _) = self.rank(kept), self.rank(gone)
        if kept_merit < gone_merit:
            return "saved more" if self._bonus(kept) > self._bonus(gone) else "had more answers of the right form"
        return "took fewer tokens" if kept_price < gone_price else "came before it"

    def _bonus(self, name: str) -> float:
        return math.fsum(self._records[name].bonus.get(case, 0.0) for case in self.seen)

    def _merit(self, name: str) -> float:
        record = self._records[name]
        credit = math.fsum(record.credit.get(case, 0.0) for case in self.seen)
        return merit(self.passed(name), credit, self._seen) + self._bonus(name) / max(1, self._seen)
