"""GEPA (package gepa, its own adapter and defaults) on the replayed answers.

Its reflection model is the bank: whatever it is shown, it proposes the next instruction, so that only the search and
the acceptance are compared. When the bank is used up it is gone through again.
"""

from __future__ import annotations

import random
from typing import Any

import gepa
from gepa.adapters.default_adapter.default_adapter import EvaluationResult

from search.peers.bank import Bank
from search.session import Evaluate, Propose, View
from search.tasks import Case, Prompt


class _Quiet:
    def log(self, *_: Any, **__: Any) -> None:
        """Say nothing."""


def stock(task: View, evaluate: Evaluate, propose: Propose, budget: int, seed: int) -> Prompt:
    """As it comes: every accepted candidate is evaluated on all dev cases."""
    return _gepa(task, evaluate, propose, budget, seed, len(task.dev), cache=False)


def small(task: View, evaluate: Evaluate, propose: Propose, budget: int, seed: int) -> Prompt:
    """Tuned: an eighth of the budget (20 to 100) as its validation set, answers cached."""
    return _gepa(task, evaluate, propose, budget, seed, max(20, min(len(task.dev), budget // 8)), cache=True)


def _gepa(
    task: View, evaluate: Evaluate, propose: Propose, budget: int, seed: int, validation: int, *, cache: bool
) -> Prompt:
    by_input = {case.input: case for case in (*task.train, *task.dev)}
    right: dict[tuple[str, str], bool] = {}
    bank = Bank(task.seed_prompt, propose)

    def model(messages: Any) -> str:
        case = by_input[messages[-1]["content"]]
        reply = evaluate(bank.prompt(messages[0]["content"]), [case.id], hard=False)[0]
        right[reply.text, case.id] = reply.correct
        return reply.text

    def judge(data: Any, response: str) -> EvaluationResult:
        correct = right[response, data["additional_context"]["id"]]
        said = "Correct" if correct else f"Wrong. The reply must be exactly: {data['answer']}"
        return EvaluationResult(score=float(correct), feedback=said)

    def instance(case: Case) -> dict[str, Any]:
        return {"input": case.input, "answer": task.task.answer(case), "additional_context": {"id": case.id}}

    found = gepa.optimize(
        seed_candidate={"instruction": task.seed_prompt.instruction},
        trainset=[instance(case) for case in task.train],
        valset=[instance(case) for case in random.Random(f"gepa-{seed}").sample(task.dev, validation)],
        task_lm=model,
        evaluator=judge,
        reflection_lm=lambda _: f"```\n{bank.next()}\n```",
        max_metric_calls=budget,
        seed=seed,
        logger=_Quiet(),
        cache_evaluation=cache,
    )
    return bank.prompt(found.best_candidate["instruction"])
