"""Histories of searches to replay, with what each strategy is really worth.

``bank``: the search benchmark's tables. Every second prompt of a task's bank is once the one to be improved, and every
*family* of styles of the bank (short, strict, template, examples …) stands for a strategy; the order of `auto` is the
bank's.
``strategies``: what the shipped strategies proposed for some of these prompts (`record.py`); `auto`'s order is the real
one, by the decision and the error patterns. ``simulated``: gains drawn from a distribution that is known.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from search.table import Table, load_table
from search.tasks import Case, Prompt, task_names

from recommending.record import dev_cases, history, labelled, outcomes, plan_of
from sharpen.config.models import Case as PlanCase
from sharpen.config.models import RunManifest
from sharpen.optimizer.error_patterns import find_patterns
from sharpen.optimizer.models import PromptAnalysis, TestExecutionReport
from sharpen.optimizer.patterns.models import ErrorPatterns
from sharpen.optimizer.recommending.evidence import Observation, SearchEvidence, observe
from sharpen.optimizer.recommending.features import features_of
from sharpen.optimizer.recommending.models import Features
from sharpen.optimizer.scoring_rules import ScoringRules
from sharpen.optimizer.strategies.registry import AUTO, expand
from sharpen.pipeline import analyze_plan

SEEN = 20
"""Dev cases on which a strategy's candidates are compared with the prompt, as in a search."""

EACH = 2
"""Candidates of one family."""

STEP = 2
"""Every second prompt of a bank is a search."""

FAMILIES = ("short", "strict", "definitions", "template", "examples", "arrows")
"""Those that all or most tasks have; the rest of a bank is one family more."""


def family(style: str) -> str:
    """``examples`` of ``examples-2-head``."""
    name = style.partition("-")[0]
    return name if name in FAMILIES else "other"


@dataclass
class History:
    """``truth``: (search, strategy) → gain on cases that nothing was chosen by (empty: there are none)."""

    name: str
    searches: list[SearchEvidence]
    truth: dict[tuple[str, str], float] = field(default_factory=dict)


def bank(tasks: Sequence[str] = ()) -> History:
    """Real answers of the model; a family of styles stands for a strategy. Workflow: the task."""
    found = History("bank", [])
    for name in tasks or task_names():
        table = load_table(name)
        dev = dev_cases(table.task, SEEN)
        columns = [table.column[case.id] for case in dev]
        held = table.columns["holdout"]
        families = {Prompt(text): family(style) for style, text in table.task.candidates}
        for number, start in enumerate(table.task.instructions):
            if number % STEP:
                continue
            search_id = f"{name}-{number:02}"
            grouped: dict[str, list[Prompt]] = {}
            for prompt, name_of in families.items():
                if prompt != start and len(grouped.setdefault(name_of, [])) < EACH:
                    grouped[name_of].append(prompt)
            seen = []
            before = table.right[table.row[start]]
            for strategy, prompts in grouped.items():
                if not prompts:
                    continue
                best = max(prompts, key=lambda prompt: table.right[table.row[prompt], columns].sum())
                after = table.right[table.row[best]]
                seen.append(_observed(strategy, before[columns], after[columns]))
                found.truth[search_id, strategy] = float(after[held].mean() - before[held].mean())
            known, _, _ = _known(table, start, dev)
            order = tuple(dict.fromkeys(families.values()))
            found.searches.append(SearchEvidence(search_id, name, known, order, tuple(seen)))
    return found


def strategies() -> History:
    """Real answers of the model to what the shipped strategies proposed. Workflow: the task."""
    found = History("strategies", [])
    for number, line in enumerate(history()):
        table = load_table(line["task"])
        dev = [table.task.by_id[case_id] for case_id in line["dev"]]
        start = Prompt(line["instruction"])
        known, analysis, patterns = _known(table, start, dev)
        best: dict[str, Observation] = {}
        for candidate in line["candidates"]:
            before, after = ([char == "1" for char in each["answers"]] for each in (line, candidate))
            one = _observed(candidate["strategy"], before, after)
            if one.strategy not in best or one.gain > best[one.strategy].gain:
                best[one.strategy] = one
        right = line["answers"].count("1")
        rules = _auto(analysis, right, len(dev), patterns)
        found.searches.append(
            SearchEvidence(f"{line['task']}-{number:02}", line["task"], known, rules, tuple(best.values()))
        )
    return found


def _known(table: Table, start: Prompt, dev: Sequence[Case]) -> tuple[Features, PromptAnalysis, ErrorPatterns | None]:
    """Features as a search knows them: the lint of the prompt, and what it failed on train and the dev cases."""
    task = table.task
    manifest: RunManifest = plan_of(task, start)
    train = task.cases["train"]
    sample = [PlanCase(id=case.id, vars={"input": case.input}, expected=task.answer(case)) for case in train]
    analysis = analyze_plan(manifest, sample)
    learned = [*train, *dev]
    patterns = find_patterns(labelled(task, learned), outcomes(table, start, learned))
    shown = patterns if patterns.failures else None
    return features_of(analysis, shown, measured=True, model="smollm2-135m", target="local"), analysis, shown


def _auto(analysis: PromptAnalysis, right: int, cases: int, patterns: ErrorPatterns | None) -> tuple[str, ...]:
    """What ``auto`` stands for by the rules."""
    report = TestExecutionReport(
        workflow_id="w", run_id="r", total_tests=cases, successful_tests=right, failed_tests=cases - right,
        success_rate=right / cases, avg_response_time_ms=1, total_tokens=0, avg_tokens_per_request=0, total_cost=0,
        cost_per_request=0,
    )  # fmt: skip
    suggested = ScoringRules().decide(analysis, report).strategy
    return expand((AUTO,), suggested, False, patterns.strategies if patterns else ())


def _observed(strategy: str, before: Sequence[bool], after: Sequence[bool]) -> Observation:
    fixed = sum(not one and other for one, other in zip(before, after, strict=True))
    broken = sum(one and not other for one, other in zip(before, after, strict=True))
    return observe(strategy, float(fixed), float(broken), len(before))


def by_prompt(found: History) -> History:
    """Every prompt is a workflow of its own: what is left out is one search, and others of its task are known."""
    searches = [replace(search, workflow_id=search.search_id) for search in found.searches]
    return History(f"{found.name}, a prompt of a known task", searches, found.truth)


def shuffled_features(found: History, seed: int) -> History:
    """The features of another search of the history: what is learned from them is nothing; averages stay."""
    rng = random.Random(seed)
    others = rng.sample([search.features for search in found.searches], len(found.searches))
    searches = [replace(search, features=other) for search, other in zip(found.searches, others, strict=True)]
    return History(f"{found.name}, features shuffled", searches, found.truth)


def shuffled_gains(found: History, seed: int) -> History:
    """What each strategy gained is dealt out among the strategies of the search anew: none is better than another."""
    rng = random.Random(seed)
    searches, truth = [], {}
    for search in found.searches:
        dealt = rng.sample(search.observations, len(search.observations))
        pairs = list(zip(search.observations, dealt, strict=True))
        searches.append(
            replace(search, observations=tuple(replace(other, strategy=own.strategy) for own, other in pairs))
        )
        for own, other in pairs:
            if (search.search_id, other.strategy) in found.truth:
                truth[search.search_id, own.strategy] = found.truth[search.search_id, other.strategy]
    return History(f"{found.name}, gains shuffled", searches, truth)


NAMES = ("clarity_focus", "demonstrations", "format_focus", "structure_focus")
Gain = Callable[[random.Random, Features, str], float]


def simulated(count: int, gain: Gain, seed: int, *, cases: int = 20) -> History:
    """Searches of as many workflows; a strategy's true gain by ``gain``, seen on so many cases of a prompt that fails.

    Features: two kinds of prompts, terse ones that fail by prose and long ones that give wrong labels, with noise.
    """
    rng = random.Random(seed)
    found = History("simulated", [])
    for number in range(count):
        terse = rng.random() < 0.5
        known = Features(
            clarity=min(100.0, max(0.0, rng.gauss(50 if terse else 80, 10))),
            efficiency=90,
            rules=("SP201",) if terse else (),
            words=rng.randint(5, 15) if terse else rng.randint(80, 200),
            failure_rate=1.0,
            kinds={"prose": 1.0} if terse else {"wrong_label": 1.0},
            model="simulated",
        )
        seen = []
        for name in NAMES:
            true = min(1.0, max(0.0, gain(rng, known, name)))
            fixed = sum(rng.random() < true for _ in range(cases))
            seen.append(observe(name, float(fixed), 0.0, cases))
            found.truth[f"s{number:03}", name] = true
        found.searches.append(SearchEvidence(f"s{number:03}", f"w{number:03}", known, NAMES, tuple(seen)))
    return found


def nothing(rng: random.Random, known: Features, name: str) -> float:  # noqa: ARG001 - that is the point
    """No strategy is better than another, and none tells by the prompt."""
    return rng.gauss(0.25, 0.15)


def by_kind(rng: random.Random, known: Features, name: str) -> float:
    """Terse prompts are helped by the format, long ones by demonstrations, 20 points more than by the others."""
    good = "format_focus" if "prose" in known.kinds else "demonstrations"
    return rng.gauss(0.35 if name == good else 0.15, 0.1)
