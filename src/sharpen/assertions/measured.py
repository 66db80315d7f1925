"""``latency`` and ``cost``: what the call took and cost, whatever it answered."""

from __future__ import annotations

from sharpen.assertions.base import PASSED, Assertion, AssertionContext, Verdict
from sharpen.config.assertions import AssertionPart, CostAssertion, LatencyAssertion


class Latency(Assertion):
    """Score 1 or 0. The last attempt's time in ms; a cached answer keeps the time it took when it was paid for."""

    def __init__(self, config: AssertionPart) -> None:
        assert isinstance(config, LatencyAssertion)
        self._threshold = config.threshold

    def check(self, context: AssertionContext) -> Verdict:
        if context.latency_ms <= self._threshold:
            return PASSED
        return Verdict(False, 0.0, f"took {context.latency_ms:.0f} ms, at most {self._threshold:g} ms allowed")


class Cost(Assertion):
    """Score 1 or 0, in USD. An unknown cost is not free: it fails, under ``not-`` too."""

    def __init__(self, config: AssertionPart) -> None:
        assert isinstance(config, CostAssertion)
        self._threshold = config.threshold

    def check(self, context: AssertionContext) -> Verdict:
        if context.cost is None:
            return Verdict.undecided("the call's cost is unknown: nobody knows a price for the model; set target.price")
        if context.cost <= self._threshold:
            return PASSED
        return Verdict(False, 0.0, f"cost {context.cost:.6g} USD, at most {self._threshold:g} USD allowed")
