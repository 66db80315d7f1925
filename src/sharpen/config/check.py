"""Does the plan fit its data? Nothing is called. Of a large data set its survey is asked, so that it is read once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from sharpen.config.assertions import AssertionPart, PluginAssertion, PythonAssertion, template_texts
from sharpen.config.case_set import NAMED, CaseSet
from sharpen.config.estimate import Estimate, PriceOf, estimate
from sharpen.config.files import display
from sharpen.config.models import Case, RunManifest
from sharpen.config.prompts import PromptTemplate
from sharpen.config.targets import LocalTarget, OpenAITarget, Price
from sharpen.errors import Problem, TemplateError, suggest
from sharpen.templating import environment, plain_template, variables_of

__all__ = ["Estimate", "PlanCheck", "VariableCheck", "check_plan", "check_variables", "estimate"]

_NAMED_ROWS = NAMED  # those that a survey knows


@dataclass(frozen=True, slots=True)
class VariableCheck:
    """``errors`` would fail cases; ``warnings`` are worth a look."""

    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanCheck:
    """Everything that is known before the first call."""

    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    estimate: Estimate


def check_variables(manifest: RunManifest, cases: Iterable[Case]) -> VariableCheck:
    """Compare the variables of the prompt, of the user's candidates and of assertion values with those of the cases.

    Errors: a variable that all or some cases lack (these are named), ``expected`` in a prompt, a template that does
    not parse, an ``optimize.group`` that names nothing. Warnings: a variable of the cases that nothing uses. A variable
    that the template itself guards (``is defined``, ``default``) may be missing.
    """
    cases = cases if isinstance(cases, Collection) else tuple(cases)
    comparison = _Comparison(manifest)
    comparison.problems += _group_problems(manifest, cases)
    if isinstance(cases, CaseSet) and cases.shapes is not None and not cases.own_assertions:
        for shape in cases.shapes:  # the survey has looked at every case: what they have in common will do
            comparison.add_shape(shape.names, shape.answered, shape.count, shape.first)
    else:
        for case in cases:
            comparison.add(case)
    return comparison.result()


def check_plan(manifest: RunManifest, cases: Iterable[Case], price: Price | PriceOf | None = None) -> PlanCheck:
    """Variables, estimate and budget. ``price``: see ``estimate``."""
    cases = cases if isinstance(cases, Collection) else tuple(cases)
    variables, expected = check_variables(manifest, cases), estimate(manifest, cases, price)
    return PlanCheck(variables.errors, (*variables.warnings, *_budget_warnings(manifest, expected)), expected)


def _budget_warnings(manifest: RunManifest, expected: Estimate) -> list[Problem]:
    budget = manifest.execution.budget
    limits = (
        ("max_calls", budget.max_calls, expected.total_calls, "calls"),
        ("max_tokens", budget.max_tokens, expected.prompt_tokens, "prompt tokens (estimated)"),
    )
    where = _source(manifest)
    found = [
        Problem(f"{limit} will end the run early: it needs {need} {unit}", where, f"execution.budget.{key}")
        for key, limit, need, unit in limits
        if limit is not None and limit < need
    ]
    if budget.max_cost_usd is not None and expected.max_cost_usd is None:
        message = "cannot be watched: the price or the length of answers is unknown"
        found.append(Problem(message, where, "execution.budget.max_cost_usd", "target.price and params.max_tokens"))
    return found


def _group_problems(manifest: RunManifest, cases: Iterable[Case]) -> list[Problem]:
    """A misspelt ``optimize.group`` would count cases that belong together one by one, and claim far too often.

    Where every case has a group of its own, the key is never looked at. One case that has it ends the reading.
    """
    named = manifest.optimize.group
    if named is None:
        return []
    known: dict[str, None] = {}
    alone = False
    for case in cases:
        if named in case.metadata or named in case.vars:
            return []
        alone = alone or (case.group is None and case.metadata.get("group") is None)
        known.update(dict.fromkeys((*case.metadata, *case.vars)))
    if not alone:
        return []
    message = f"{named!r} is in no case's metadata or variables; {suggest(named, known)}"
    return [Problem(message, _source(manifest), "optimize.group")]


def _source(manifest: RunManifest) -> str:
    return display(manifest.source) if manifest.source else ""


@dataclass
class _Need:
    """A template's variables, and how many cases lack each, with the first of them by number and name.

    ``whose`` says before each mistake what the key does not say in words.
    """

    key: str
    names: frozenset[str]
    whose: str = ""
    lacking: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, present: frozenset[str], count: int, first: Iterable[tuple[int, str]]) -> None:
        for name in self.names - present:
            self.counts[name] = self.counts.get(name, 0) + count
            self.lacking[name] = sorted([*self.lacking.get(name, ()), *first])[:_NAMED_ROWS]


class _Comparison:
    def __init__(self, manifest: RunManifest) -> None:
        self.manifest = manifest
        self.where = _source(manifest)
        self.problems: list[Problem] = []
        self.used: set[str] = set()
        self.columns: dict[str, None] = {}
        self.cases = 0
        self.anything_used = not isinstance(manifest.target, OpenAITarget | LocalTarget)  # programs see all variables
        self.prompts = [self._prompt(manifest.prompt, "prompt", "the prompt")]
        for index, candidate in enumerate(manifest.optimize.candidates):
            whose = f"candidate {index + 1}"
            self.prompts.append(self._prompt(candidate, f"optimize.candidates.{index}", whose, f"{whose}: "))
        self.assertions = [
            _Need(f"assertions.{index}.value", self._needed_by(assertion, f"assertions.{index}.value"))
            for index, assertion in enumerate(manifest.assertions)
        ]

    def add(self, case: Case) -> None:
        with_answer = self.add_shape(tuple(case.vars), case.expected is not None, 1, [(self.cases + 1, case.id)])
        for index, assertion in enumerate(case.assertions):
            key = f"{case.id}.assertions.{index}.value"
            for name in sorted(self._needed_by(assertion, key) - with_answer):
                message = f"{name!r} is no variable of this case; {suggest(name, with_answer)}"
                self.problems.append(Problem(message, self.where, key))

    def add_shape(
        self, names: tuple[str, ...], answered: bool, count: int, first: Sequence[tuple[int, str]]
    ) -> frozenset[str]:
        """Cases with the same variables; what assertions of them may name."""
        self.cases += count
        present = frozenset(names)
        self.columns.update(dict.fromkeys(names))
        for need in self.prompts:
            need.add(present, count, first)
        with_answer = present | {"expected"} if answered else present
        for need in self.assertions:
            need.add(with_answer, count, first)
        return with_answer

    def result(self) -> VariableCheck:
        for need in (*self.prompts, *self.assertions):
            for name in sorted(need.counts):
                self.problems.append(self._missing(need, name))
        warnings = [] if self.anything_used else [self._unused(name) for name in self.columns if name not in self.used]
        return VariableCheck(tuple(self.problems), tuple(warnings))

    def _missing(self, need: _Need, name: str) -> Problem:
        count = need.counts[name]
        if count == self.cases:
            known = [*self.columns] if name != "expected" else []
            hint = f"; {suggest(name, known)}" if known else ""
            what = "no case has an 'expected'" if name == "expected" else f"variable {name!r} is in no case{hint}"
            return Problem(f"{need.whose}{what}", self.where, need.key)
        rows = ", ".join(case_id for _, case_id in need.lacking[name])
        more = f" and {count - _NAMED_ROWS} more" if count > _NAMED_ROWS else ""
        what = "'expected'" if name == "expected" else f"variable {name!r}"
        missing = f"{need.whose}{what} is missing in {count} of {self.cases} cases: {rows}{more}"
        return Problem(missing, self.where, need.key)

    def _prompt(self, prompt: PromptTemplate, key: str, name: str, whose: str = "") -> _Need:
        """What a prompt needs; ``expected`` is never its to use."""
        needed = frozenset[str]().union(*(self._needed(message.content, key) for message in prompt.messages))
        if "expected" in needed:
            message = f"{name} uses 'expected', which would leak the answer to the model"
            self.problems.append(Problem(message, self.where, key, "variables of the cases alone"))
        return _Need(key, needed - {"expected"}, whose)

    def _unused(self, name: str) -> Problem:
        return Problem(f"variable {name!r} of the cases is used by no prompt and no assertion", self.where, "dataset")

    def _needed_by(self, assertion: AssertionPart, key: str) -> frozenset[str]:
        """The variables of an assertion's value; an expression's names count as used, whatever they are."""
        if isinstance(assertion, PythonAssertion) and ":" not in assertion.value:
            self.used.update(re.findall(r"[A-Za-z_]\w*", assertion.value))
            return frozenset()
        if isinstance(assertion, PythonAssertion | PluginAssertion):
            self.anything_used = True  # code of the user's own, which is handed all variables
        names = frozenset[str]().union(*(self._needed(text, key) for text in template_texts(assertion)))
        if "vars" in names:  # all variables, by `{{ vars.name }}`
            self.anything_used = True
        return names - {"vars"}

    def _needed(self, source: str, key: str) -> frozenset[str]:
        try:
            names = variables_of(source)
        except TemplateError as error:
            self.problems.append(Problem(f"template: {error}", self.where, key))
            return frozenset()
        self.used |= names
        return names - _guarded(source)


def _guarded(source: str) -> frozenset[str]:
    """Variables that the template asks for before it uses them: ``x is defined``, ``x | default(…)``."""
    if plain_template(source) is not None:
        return frozenset()
    from jinja2 import nodes

    tree = environment().parse(source)
    tests = (test.node for test in tree.find_all(nodes.Test) if test.name in ("defined", "undefined"))
    filters = (item.node for item in tree.find_all(nodes.Filter) if item.name in ("default", "d"))
    return frozenset(node.name for group in (tests, filters) for node in group if isinstance(node, nodes.Name))
