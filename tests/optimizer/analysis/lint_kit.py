"""Short ways to lint a text in tests."""

from __future__ import annotations

from sharpen.config.assertions import AssertionPart, TextAssertion
from sharpen.config.models import Case
from sharpen.config.prompts import PromptMessage
from sharpen.optimizer.analysis.analyzer import LintContext, analyze
from sharpen.optimizer.models import Prompt, PromptAnalysis

LABELS = ("billing", "shipping", "technical")
CASES = tuple(
    Case(id=f"c{n}", vars={"message": f"Parcel number {n} has not come yet, where is it?"}, expected=LABELS[n % 3])
    for n in range(9)
)
EQUALS = TextAssertion(type="equals", value="{{ expected }}")
ROUTING = LintContext(assertions=(EQUALS,), columns=frozenset({"message"}), cases=CASES)


def prompt_of(*contents: str | tuple[str, str]) -> Prompt:
    """Contents are user messages, or (role, content)."""
    messages = [("user", content) if isinstance(content, str) else content for content in contents]
    return Prompt(id="p", messages=tuple(PromptMessage(role=role, content=content) for role, content in messages))


def lint(*contents: str | tuple[str, str], context: LintContext | None = None) -> PromptAnalysis:
    return analyze(prompt_of(*contents), context)


def rules_of(*contents: str | tuple[str, str], context: LintContext | None = None) -> set[str]:
    return {issue.type for issue in lint(*contents, context=context).issues}


def demanding(*assertions: AssertionPart) -> LintContext:
    return LintContext(assertions=assertions)
