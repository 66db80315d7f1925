"""``regex``: a Python regular expression, searched anywhere in the output.

Python's engine backtracks, and nothing interrupts it: a pattern such as ``(a+)+$`` can take longer than anyone waits on
an output made for it. Patterns come from the plan, so they are trusted; ``docs/assertions.md`` says how to write safe
ones.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sharpen.assertions.base import PASSED, Assertion, AssertionContext, Verdict
from sharpen.assertions.reasons import quoted
from sharpen.assertions.values import is_template
from sharpen.config.assertions import AssertionPart, RegexAssertion


@lru_cache(maxsize=1024)
def _compile(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{quoted(pattern)} is no regular expression: {error}") from None


class Regex(Assertion):
    """Score 1 or 0."""

    def __init__(self, config: AssertionPart) -> None:
        assert isinstance(config, RegexAssertion)
        self._constant = None if is_template(config.value) else _compile(config.value)

    def check(self, context: AssertionContext) -> Verdict:
        pattern = self._constant or _compile(str(context.value))
        if pattern.search(context.output):
            return PASSED
        return Verdict(False, 0.0, f"nothing matches {quoted(pattern.pattern)} in {quoted(context.output)}")
