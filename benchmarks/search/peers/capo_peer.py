"""CAPO (Zehle et al., AutoML 2025; package promptolution) on the replayed answers.

Its meta model is the bank: a crossover returns a parent, a mutation the next proposal. Demonstrations are left out (it
would make up new ones, which nobody recorded); racing, selection and length penalty are its own. Population, blocks and
their number are scaled to the budget so that there are several generations: at its defaults the first alone costs
thousands of calls, and it returns nothing it has not finished with.
"""

from __future__ import annotations

import random
from typing import Any

import pandas as pd
from promptolution.llms.base_llm import BaseLLM
from promptolution.optimizers.capo import CAPO
from promptolution.predictors.base_predictor import BasePredictor
from promptolution.tasks.reward_tasks import RewardTask

from search.peers.bank import Bank
from search.session import Evaluate, Propose, View
from search.tasks import Prompt

CROSSOVER, MUTATION = "crossover <mother>", "mutation <instruction>"
GENERATIONS = 8
"""After these the bank is used up. It ends when the calls do, or here: what is left was asked before."""


class _Meta(BaseLLM):
    """Answers a crossover with the mother, a mutation with the next proposal."""

    def __init__(self, bank: Bank) -> None:
        super().__init__()
        self._bank = bank

    def _get_response(self, prompts: list[str], system_prompts: list[str]) -> list[str]:  # noqa: ARG002 - its protocol
        return [f"<prompt>{self._answer(text)}</prompt>" for text in prompts]

    def _answer(self, text: str) -> str:
        if text.startswith("crossover "):
            return text.removeprefix("crossover ")
        return self._bank.next()


class _Replay(BasePredictor):
    """Right or wrong, from the recording."""

    def __init__(self, llm: BaseLLM, evaluate: Evaluate, ids: dict[str, str], bank: Bank) -> None:
        super().__init__(llm)
        self._evaluate, self._ids, self._bank = evaluate, ids, bank

    def predict(self, prompts: Any, xs: list[str], system_prompts: Any = None) -> Any:  # noqa: ARG002 - its protocol
        found = [
            self._evaluate(self._bank.prompt(prompt), [self._ids[x]])[0].correct
            for prompt, x in zip(prompts, xs, strict=True)
        ]
        said = ["right" if correct else "wrong" for correct in found]
        return said, said

    def _extract_preds(self, preds: list[str]) -> list[str]:
        return preds


def plan(budget: int) -> tuple[int, int, int, int]:
    """Population, children of a generation, cases of a block, blocks at most: the first generation costs 40 %."""
    size = max(3, min(8, budget // 60))
    children, block = min(4, size), 5 if budget < 400 else 10
    return size, children, block, max(1, round(0.4 * budget / ((size + children) * block)))


def capo(task: View, evaluate: Evaluate, propose: Propose, budget: int, seed: int) -> Prompt:
    """CAPO until the calls are used up; the best of its last full generation."""
    random.seed(seed)
    size, children, block, blocks = plan(budget)
    bank = Bank(task.seed_prompt, propose)
    first = [task.seed_prompt.instruction, *bank.take(propose, size - 1)]
    cases = random.Random(f"capo-{seed}").sample(task.dev, len(task.dev))
    frame = pd.DataFrame({"x": [case.input for case in cases], "y": [case.target for case in cases]})
    theirs = RewardTask(
        frame, lambda said: float(said == "right"), y_column="y", n_subsamples=block,
        eval_strategy="sequential_block", task_description="", seed=seed,
    )  # fmt: skip
    meta = _Meta(bank)
    optimizer = CAPO(
        predictor=_Replay(meta, evaluate, {case.input: case.id for case in cases}, bank), task=theirs, meta_llm=meta,
        initial_prompts=first, crossover_template=CROSSOVER,
        mutation_template=MUTATION, crossovers_per_iter=children, max_n_blocks_eval=blocks, upper_shots=0,
        check_fs_accuracy=False, create_fs_reasoning=False, df_few_shots=frame.head(0),
    )  # fmt: skip
    optimizer.optimize(GENERATIONS)
    return bank.prompt(optimizer.prompts[0].instruction)
