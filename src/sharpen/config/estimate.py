"""What a plan will take, before anything is paid: calls, tokens, USD. Estimates, and said to be so.

Prompt tokens are characters / 4, rounded up for each call: OpenAI's rule of thumb for English text
(https://help.openai.com/en/articles/4936856), off by a factor of two for other languages and for code. Of a data set
of more than 10,000 cases, 1,000 drawn at random stand for all. Completion tokens are bounded by ``max_tokens`` of the
target's parameters. A judge reads its rubric and one answer of that length. Retries are not foreseen, and neither are
answers that the cache already holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from sharpen.config.assertions import RubricAssertion
from sharpen.config.case_set import CaseSet
from sharpen.config.models import Case, RunManifest
from sharpen.config.targets import LocalTarget, OpenAITarget, Price
from sharpen.errors import TemplateError
from sharpen.templating import render

CHARACTERS_PER_TOKEN = 4
_FREE = Price(input_usd_per_mtok=0, output_usd_per_mtok=0)
PriceOf = Callable[[Any], Price | None]
"""A target's configuration → its price; None when it is unknown."""


class Estimate(BaseModel):
    """Expected calls and tokens of one run, and upper bounds of completion tokens and cost (None: not known).

    ``calls`` counts the prompt's own, ``judge_calls`` those of ``llm-rubric``. ``optimize_calls`` bounds what
    ``sharpen optimize`` may call in all, the baseline included: its budget (None: it sets no limit).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cases: int = Field(ge=0)
    calls: int = Field(ge=0)
    judge_calls: int = Field(ge=0)
    optimize_calls: int | None = Field(ge=0)
    prompt_tokens: int = Field(ge=0)
    max_completion_tokens: int | None = Field(ge=0)
    max_cost_usd: float | None = Field(ge=0)

    @property
    def total_calls(self) -> int:
        """All calls of one run."""
        return self.calls + self.judge_calls


class Estimator:
    """Sums up case by case, so that a data set is read once, and streamed. ``price`` is one for all, or a lookup."""

    def __init__(self, manifest: RunManifest, price: Price | PriceOf | None = None) -> None:
        self.manifest = manifest
        self.price = price
        self.cases = 0
        self.prompt_tokens = 0
        self.judge_calls = 0
        self.judge_cost: float | None = 0.0

    def add(self, case: Case) -> None:
        """Count one case."""
        self.cases += 1
        self.prompt_tokens += self._tokens_of_prompt(case)
        for assertion in (*self.manifest.assertions, *case.assertions):
            if isinstance(assertion, RubricAssertion):
                self._add_judgement(assertion)

    def scale_to(self, cases: int) -> None:
        """As if there were so many cases like those that were counted."""
        factor = cases / self.cases
        self.prompt_tokens = round(self.prompt_tokens * factor)
        self.judge_calls = round(self.judge_calls * factor)
        self.judge_cost = None if self.judge_cost is None else self.judge_cost * factor
        self.cases = cases

    def result(self) -> Estimate:
        """The sums, times the plan's repeats."""
        repeats = self.manifest.execution.repeats
        calls = self.cases * repeats
        judge_calls = self.judge_calls * repeats
        prompt_tokens = self.prompt_tokens * repeats
        bound = completion_bound(self.manifest.target)
        completion = None if bound is None else bound * calls
        budget = self.manifest.optimize.budget.max_calls
        own = cost_of(self._price(self.manifest.target), prompt_tokens, completion)
        return Estimate(
            cases=self.cases,
            calls=calls,
            judge_calls=judge_calls,
            optimize_calls=budget,
            prompt_tokens=prompt_tokens,
            max_completion_tokens=completion,
            max_cost_usd=None if own is None or self.judge_cost is None else own + self.judge_cost * repeats,
        )

    def _price(self, target: Any) -> Price | None:
        """What the plan says comes first; a model run in this process costs nothing."""
        if isinstance(target, OpenAITarget) and target.price is not None:
            return target.price
        if isinstance(target, LocalTarget):
            return _FREE
        return self.price(target) if callable(self.price) else self.price

    def _tokens_of_prompt(self, case: Case) -> int:
        characters = 0
        for message in self.manifest.prompt.messages:
            try:
                characters += len(render(message.content, case.vars))
            except TemplateError:  # told by the comparison of variables; the template's own length has to do here
                characters += len(message.content)
        return math.ceil(characters / CHARACTERS_PER_TOKEN)

    def _add_judgement(self, assertion: RubricAssertion) -> None:
        self.judge_calls += 1
        answer = completion_bound(self.manifest.target)
        if self.judge_cost is None or answer is None:
            self.judge_cost = None
            return
        read = math.ceil(len(assertion.value) / CHARACTERS_PER_TOKEN) + answer
        cost = cost_of(self._price(assertion.judge), read, completion_bound(assertion.judge))
        self.judge_cost = None if cost is None else self.judge_cost + cost


def completion_bound(target: Any) -> int | None:
    """``max_tokens`` (or its newer names) of a target's parameters; None when nothing bounds an answer."""
    params = getattr(target, "params", {})
    for name in ("max_completion_tokens", "max_tokens", "max_output_tokens"):
        value = params.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def cost_of(price: Price | None, prompt_tokens: int, completion_tokens: int | None) -> float | None:
    """USD; None when the price or the number of tokens is unknown. A price of zero is known."""
    if price is None:
        return None
    prompt = prompt_tokens * price.input_usd_per_mtok / 1e6
    if completion_tokens is None:
        return prompt if price.output_usd_per_mtok == 0 else None
    return prompt + completion_tokens * price.output_usd_per_mtok / 1e6


def estimate(manifest: RunManifest, cases: Iterable[Case], price: Price | PriceOf | None = None) -> Estimate:
    """What running ``cases`` will take. ``cases`` may be a stream; it is read once.

    A large data set is judged by its sample, which is less rough than the tokens are; where cases have assertions of
    their own, a judge's among them perhaps, every case is looked at.
    """
    estimator = Estimator(manifest, price)
    whole = cases if isinstance(cases, CaseSet) and not cases.own_assertions else None
    for case in whole.sample if whole else cases:
        estimator.add(case)
    if whole:
        estimator.scale_to(len(whole))
    return estimator.result()
