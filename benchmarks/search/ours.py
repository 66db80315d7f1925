"""sharpen's own search and proof on recorded answers: the very objects that `sharpen optimize` uses."""

from __future__ import annotations

import random
from collections.abc import Sequence

from search.session import Evaluate, Found, Propose, View
from search.tasks import Case, Prompt
from sharpen.config.rules import Thresholds
from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.proof.holdout import level_after
from sharpen.optimizer.proof.sequential import ProofPlan, SequentialProof
from sharpen.optimizer.racing.merit import Form
from sharpen.optimizer.racing.order import stratified
from sharpen.optimizer.racing.race import Race

ALPHA = 0.05
PROVED_ON = 60
"""Dev cases that the search never sees when something is to be claimed; peers select on all of them."""

PROOF_SHARE = 0.4
"""Of the budget the proof may take at most so much; each of its cases is asked of both prompts."""


def search_only(task: View, evaluate: Evaluate, propose: Propose, budget: int, seed: int) -> Prompt:
    """The race alone, on all dev and train cases, with the whole budget: the search's best candidate."""
    return _race(task, evaluate, propose, budget, _ordered(task.dev, seed) + _ordered(task.train, seed))


def optimize(task: View, evaluate: Evaluate, propose: Propose, budget: int, seed: int) -> Found:
    """Race, then prove on dev cases that were set aside; what the proof calls is taken off the budget first."""
    held_out = _set_aside(task.dev, min(PROVED_ON, int(PROOF_SHARE * budget / 2)), seed)
    rest = tuple(case for case in task.dev if case not in held_out)
    found = _race(
        task, evaluate, propose, budget - 2 * len(held_out), _ordered(rest, seed) + _ordered(task.train, seed)
    )
    if found == task.seed_prompt:
        return Found(found, claimed=False)
    proof = SequentialProof(
        ProofPlan(
            cases=tuple(case.id for case in held_out),
            level=level_after(0, ALPHA),
            alpha=ALPHA,
            rules=Thresholds(),
            groups={case.id: case.group for case in held_out if case.group is not None},
            seed=seed,
        )
    )
    while case_ids := proof.next_units():
        for before, after in zip(
            _asked(evaluate, task.seed_prompt, case_ids), _asked(evaluate, found, case_ids), strict=True
        ):
            proof.tell(before, after)
    return Found(found, claimed=proof.verdict().accepted)


def _race(task: View, evaluate: Evaluate, propose: Propose, budget: int, cases: Sequence[Case]) -> Prompt:
    prompts = [task.seed_prompt]
    while (proposed := propose()) is not None:
        prompts.append(proposed)
    named = {str(number): prompt for number, prompt in enumerate(prompts)}
    form = Form(case.target for case in (*task.dev, *task.train))
    race = Race([case.id for case in cases], list(named), budget)
    while heat := race.next():
        for name in heat.contenders:
            for outcome in _asked(evaluate, named[name], heat.cases):
                race.tell(name, outcome.case_id, outcome.pass_rate, form.credit(outcome))
    return named[race.leader or "0"]


def _set_aside(cases: Sequence[Case], most: int, seed: int) -> list[Case]:
    """At most so many cases, whole groups, drawn at random."""
    units: dict[str, list[Case]] = {}
    for case in cases:
        units.setdefault(case.group or case.id, []).append(case)
    chosen: list[Case] = []
    for unit in random.Random(f"split-{seed}").sample(list(units.values()), len(units)):
        if len(chosen) + len(unit) <= most:
            chosen += unit
    return chosen


def _ordered(cases: Sequence[Case], seed: int) -> list[Case]:
    by_id = {case.id: case for case in cases}
    order = stratified(list(by_id), {case.id: case.target for case in cases}, random.Random(f"cases-{seed}"))
    return [by_id[case_id] for case_id in order]


def _asked(evaluate: Evaluate, prompt: Prompt, case_ids: Sequence[str]) -> list[CaseOutcome]:
    return [
        CaseOutcome(case_id, float(reply.correct), float(reply.correct), output=reply.text, tokens=reply.tokens)
        for case_id, reply in zip(case_ids, evaluate(prompt, case_ids), strict=True)
    ]
