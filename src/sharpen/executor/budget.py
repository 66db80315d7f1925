"""What may be spent. Every attempt is reserved here before it is made and settled when it is over."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from sharpen.config.models import Budget
from sharpen.errors import BudgetExhausted

T = TypeVar("T", int, float)


class Meter(Protocol):
    """Counts what is spent, and says no when nothing may be spent any more."""

    def reserve(self) -> None:
        """Claim one attempt. Raises ``BudgetExhausted``, and then nothing is claimed."""

    def settle(self, tokens: int, cost: float | None) -> None:
        """Close one reserved attempt with what it used; ``cost`` in USD, None when unknown."""

    def charge(self, calls: int, tokens: int, cost: float | None, unpriced: int = 0, seconds: float = 0.0) -> None:
        """Count what an earlier process spent. ``cost`` in USD, None: one call is of unknown price; so are ``unpriced``
        more, whose cost is not in it. ``seconds`` of wall clock.
        """

    def calls_made(self) -> int: ...

    def calls_left(self) -> int | None: ...

    def tokens_left(self) -> float | None: ...

    def cost_left(self) -> float | None: ...

    def seconds_left(self) -> float | None: ...

    def seconds_per_call(self) -> float | None: ...


class BudgetMeter:
    """One budget. Exact for calls, whatever runs side by side.

    Tokens and USD are known only afterwards, so an attempt under way counts as the mean of those that are over: no call
    starts once spent + under way ≥ the limit, and a limit is overshot by the calls under way at most. A call of unknown
    price cannot count towards ``max_cost_usd``; ``unpriced_calls`` tells how many there were. The wall clock runs from
    the first call on: none starts once ``max_seconds`` are over, those under way finish. All methods run between two
    awaits, so on one event loop they are atomic.
    """

    def __init__(self, budget: Budget | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.budget = budget or Budget()
        self.tokens = 0
        self.cost = 0.0
        self.unpriced_calls = 0
        self._calls = 0
        self._in_flight = 0
        self._clock = clock
        self._began_at: float | None = None
        self._earlier_calls = 0
        self._earlier_seconds = 0.0

    def check(self) -> None:
        """Raises ``BudgetExhausted`` when no further call may start."""
        limit = self.budget
        if limit.max_calls is not None and self._calls >= limit.max_calls:
            raise BudgetExhausted(f"the budget of {limit.max_calls} calls (max_calls) is spent")
        if limit.max_seconds is not None and self.seconds >= limit.max_seconds:
            raise BudgetExhausted(
                f"the budget of {limit.max_seconds:g} s (max_seconds) is spent: {self.seconds:.1f} s used"
            )
        if limit.max_tokens is None and limit.max_cost_usd is None:
            return
        over = self._calls - self._in_flight
        if over == 0:
            return
        under_way = f", calls under way: {self._in_flight}" if self._in_flight else ""
        # spent + under way · spent / over, written with integers where they are at hand: 7 · 10 / 7 is not always 10
        if limit.max_tokens is not None and self.tokens * self._calls >= limit.max_tokens * over:
            raise BudgetExhausted(
                f"the budget of {limit.max_tokens} tokens (max_tokens) is spent: {self.tokens} used{under_way}"
            )
        if limit.max_cost_usd is not None and _reached(self.cost * self._calls / over, limit.max_cost_usd):
            raise BudgetExhausted(
                f"the budget of {limit.max_cost_usd:g} USD (max_cost_usd) is spent: {self.cost:.6g} USD used{under_way}"
            )

    def claim(self) -> None:
        """Count one attempt that ``check`` allowed."""
        if self._began_at is None:
            self._began_at = self._clock()
        self._calls += 1
        self._in_flight += 1

    def reserve(self) -> None:
        self.check()
        self.claim()

    def settle(self, tokens: int, cost: float | None) -> None:
        self._in_flight -= 1
        self.tokens += tokens
        if cost is None:
            self.unpriced_calls += 1
        else:
            self.cost += cost

    def charge(self, calls: int, tokens: int, cost: float | None, unpriced: int = 0, seconds: float = 0.0) -> None:
        """Count what an earlier process spent; allowed beyond any limit, for it is spent."""
        self._calls += calls
        self._earlier_calls += calls
        self._earlier_seconds += seconds
        self.tokens += tokens
        self.cost += cost or 0.0
        self.unpriced_calls += unpriced + (cost is None)

    @property
    def seconds(self) -> float:
        """Wall clock since the first call, and what earlier processes took."""
        return self._earlier_seconds + self._own_seconds()

    def _own_seconds(self) -> float:
        return 0.0 if self._began_at is None else self._clock() - self._began_at

    def calls_made(self) -> int:
        """Attempts started so far, those under way included."""
        return self._calls

    def calls_left(self) -> int | None:
        """Attempts that ``max_calls`` still allows; None: it sets no limit."""
        return None if self.budget.max_calls is None else max(0, self.budget.max_calls - self._calls)

    def tokens_left(self) -> float | None:
        """Tokens that ``max_tokens`` still allows, what is under way taken off as ``check`` does; None: no limit."""
        return self._left(self.budget.max_tokens, self.tokens)

    def cost_left(self) -> float | None:
        """USD that ``max_cost_usd`` still allows, what is under way taken off; None: no limit."""
        return self._left(self.budget.max_cost_usd, self.cost)

    def _left(self, limit: float | None, spent: float) -> float | None:
        if limit is None:
            return None
        over = self._calls - self._in_flight
        return max(0.0, limit - (spent * self._calls / over if over else spent))

    def seconds_left(self) -> float | None:
        """Seconds of wall clock until ``max_seconds`` are over; None: no limit."""
        return None if self.budget.max_seconds is None else max(0.0, self.budget.max_seconds - self.seconds)

    def seconds_per_call(self) -> float | None:
        """Wall clock for each attempt of this process, side by side as they were; None before the first one."""
        own = self._calls - self._earlier_calls
        return self._own_seconds() / own if own else None


class CompositeMeter:
    """Several budgets that all must allow an attempt: it is reserved in each of them or in none."""

    def __init__(self, *meters: BudgetMeter) -> None:
        self._meters = meters
        self._calls = 0

    def reserve(self) -> None:
        for meter in self._meters:
            meter.check()
        for meter in self._meters:
            meter.claim()
        self._calls += 1

    def settle(self, tokens: int, cost: float | None) -> None:
        for meter in self._meters:
            meter.settle(tokens, cost)

    def charge(self, calls: int, tokens: int, cost: float | None, unpriced: int = 0, seconds: float = 0.0) -> None:
        """Count what an earlier process spent in each of the budgets."""
        for meter in self._meters:
            meter.charge(calls, tokens, cost, unpriced, seconds)
        self._calls += calls

    def calls_made(self) -> int:
        """Attempts reserved through this composite or charged to it; a shared budget may have seen more."""
        return self._calls

    def calls_left(self) -> int | None:
        """The smallest number that any of the budgets still allows; None: none sets a limit."""
        return _least(meter.calls_left() for meter in self._meters)

    def tokens_left(self) -> float | None:
        """The least that any of the budgets still allows; None: none sets a limit."""
        return _least(meter.tokens_left() for meter in self._meters)

    def cost_left(self) -> float | None:
        """As ``tokens_left``, in USD."""
        return _least(meter.cost_left() for meter in self._meters)

    def seconds_left(self) -> float | None:
        """As ``tokens_left``, in seconds of wall clock."""
        return _least(meter.seconds_left() for meter in self._meters)

    def seconds_per_call(self) -> float | None:
        """The slowest pace that any of the budgets has seen; None before the first call."""
        return max((pace for meter in self._meters if (pace := meter.seconds_per_call()) is not None), default=None)


def _least(figures: Iterable[T | None]) -> T | None:
    return min((figure for figure in figures if figure is not None), default=None)


def _reached(spent: float, limit: float) -> bool:
    """``spent ≥ limit``, forgiving what adding floats leaves behind (ten times 0.1 is spent at 1.0)."""
    return spent >= limit or math.isclose(spent, limit, rel_tol=1e-9)
