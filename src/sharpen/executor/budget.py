"""What may be spent. Every attempt is reserved here before it is made and settled when it is over."""

from __future__ import annotations

import math
from typing import Protocol

from sharpen.config.models import Budget
from sharpen.errors import BudgetExhausted


class Meter(Protocol):
    """Counts what is spent, and says no when nothing may be spent any more."""

    def reserve(self) -> None:
        """Claim one attempt. Raises ``BudgetExhausted``, and then nothing is claimed."""

    def settle(self, tokens: int, cost: float | None) -> None:
        """Close one reserved attempt with what it used; ``cost`` in USD, None when unknown."""

    def charge(self, calls: int, tokens: int, cost: float | None, unpriced: int = 0) -> None:
        """Count what an earlier process spent. ``cost`` in USD, None: one call is of unknown price; so are ``unpriced``
        more, whose cost is not in it.
        """

    def calls_made(self) -> int: ...

    def calls_left(self) -> int | None: ...


class BudgetMeter:
    """One budget. Exact for calls, whatever runs side by side.

    Tokens and USD are known only afterwards, so an attempt under way counts as the mean of those that are over: no call
    starts once spent + under way ≥ the limit, and a limit is overshot by the calls under way at most. A call of unknown
    price cannot count towards ``max_cost_usd``; ``unpriced_calls`` tells how many there were. All methods run between
    two awaits, so on one event loop they are atomic.
    """

    def __init__(self, budget: Budget | None = None) -> None:
        self.budget = budget or Budget()
        self.tokens = 0
        self.cost = 0.0
        self.unpriced_calls = 0
        self._calls = 0
        self._in_flight = 0

    def check(self) -> None:
        """Raises ``BudgetExhausted`` when no further call may start."""
        limit = self.budget
        if limit.max_calls is not None and self._calls >= limit.max_calls:
            raise BudgetExhausted(f"the budget of {limit.max_calls} calls (max_calls) is spent")
        if limit.max_tokens is None and limit.max_cost_usd is None:
            return
        over = self._calls - self._in_flight
        if over == 0:
            return
        # spent + under way · spent / over, written with integers where they are at hand: 7 · 10 / 7 is not always 10
        if limit.max_tokens is not None and self.tokens * self._calls >= limit.max_tokens * over:
            raise BudgetExhausted(f"the budget of {limit.max_tokens} tokens (max_tokens) is spent: {self.tokens} used")
        if limit.max_cost_usd is not None and _reached(self.cost * self._calls / over, limit.max_cost_usd):
            raise BudgetExhausted(
                f"the budget of {limit.max_cost_usd:g} USD (max_cost_usd) is spent: {self.cost:.6g} USD used"
            )

    def claim(self) -> None:
        """Count one attempt that ``check`` allowed."""
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

    def charge(self, calls: int, tokens: int, cost: float | None, unpriced: int = 0) -> None:
        """Count what an earlier process spent; allowed beyond any limit, for it is spent."""
        self._calls += calls
        self.tokens += tokens
        self.cost += cost or 0.0
        self.unpriced_calls += unpriced + (cost is None)

    def calls_made(self) -> int:
        """Attempts started so far, those under way included."""
        return self._calls

    def calls_left(self) -> int | None:
        """Attempts that ``max_calls`` still allows; None: it sets no limit."""
        return None if self.budget.max_calls is None else max(0, self.budget.max_calls - self._calls)


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

    def charge(self, calls: int, tokens: int, cost: float | None, unpriced: int = 0) -> None:
        """Count what an earlier process spent in each of the budgets."""
        for meter in self._meters:
            meter.charge(calls, tokens, cost, unpriced)
        self._calls += calls

    def calls_made(self) -> int:
        """Attempts reserved through this composite or charged to it; a shared budget may have seen more."""
        return self._calls

    def calls_left(self) -> int | None:
        """The smallest number that any of the budgets still allows; None: none sets a limit."""
        return min((left for meter in self._meters if (left := meter.calls_left()) is not None), default=None)


def _reached(spent: float, limit: float) -> bool:
    """``spent ≥ limit``, forgiving what adding floats leaves behind (ten times 0.1 is spent at 1.0)."""
    return spent >= limit or math.isclose(spent, limit, rel_tol=1e-9)
