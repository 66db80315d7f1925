"""Optimizers of DSPy on the replayed answers.

The program under optimization holds one `Predict`, whose instruction and demonstrations the optimizer edits; its answer
is the recorded one, since DSPy's own prompt format is too much for so small a model. What these optimizers would have a
language model propose comes from the bank instead, at no cost.
"""

from __future__ import annotations

import logging
import os
import random
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

os.environ.setdefault("DSPY_CACHEDIR", str(Path(tempfile.gettempdir()) / "sharpen-search-dspy"))

import dspy
from dspy.teleprompt import COPRO, BootstrapFewShotWithRandomSearch, MIPROv2, copro_optimizer, random_search
from dspy.utils import DummyLM

from search.peers.bank import Bank
from search.session import Evaluate, Propose, View
from search.tasks import Case, Prompt

FULL_EVERY = 5
"""MIPROv2's own: minibatch trials between two full evaluations."""


class _Signature(dspy.Signature):
    text: str = dspy.InputField()
    answer: str = dspy.OutputField()


class _Program(dspy.Module):
    """Answers from the recording with whatever instruction and demonstrations its predictor holds."""

    def __init__(self, task: View, evaluate: Evaluate, bank: Bank) -> None:
        super().__init__()
        self.predict = dspy.Predict(_Signature.with_instructions(task.seed_prompt.instruction))
        self._bank, self._evaluate, self._ids = (
            bank,
            evaluate,
            {case.input: case.id for case in (*task.train, *task.dev)},
        )

    def forward(self, text: str) -> Any:
        reply = self._evaluate(self.prompt(), [self._ids[text]], hard=False)[0]
        return dspy.Prediction(answer=reply.text, correct=reply.correct)

    def prompt(self) -> Prompt:
        demos = tuple(self._ids[demo["text"]] for demo in self.predict.demos)
        return self._bank.prompt(self.predict.signature.instructions, demos)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """The session behind it is one for all copies."""
        copied = _Program.__new__(_Program)
        copied.__dict__.update(self.__dict__)
        copied.predict = self.predict.deepcopy()
        return copied

    def deepcopy(self) -> Any:
        return self.__deepcopy__({})

    def reset_copy(self) -> Any:
        copied = self.deepcopy()
        copied.predict.demos = []
        return copied


def _example(task: View, case: Case) -> Any:
    return dspy.Example(text=case.input, answer=task.task.answer(case)).with_inputs("text")


def _correct(_example: Any, prediction: Any, _trace: Any = None) -> bool:
    return bool(prediction.correct)


def _quietly(compile_program: Any) -> Any:
    logging.getLogger("dspy").setLevel(logging.ERROR)
    dspy.disable_logging()
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        return compile_program()


def mipro(task: View, evaluate: Evaluate, propose: Propose, budget: int, seed: int) -> Prompt:
    """MIPROv2's search (TPE over minibatches) among the bank's instructions."""
    validation, batch, trials = mipro_plan(budget, len(task.dev))
    bank = Bank(task.seed_prompt, propose)
    instructions = [task.seed_prompt.instruction, *bank.take(propose)]
    model = DummyLM([{"answer": "none"}])
    optimizer = MIPROv2(
        metric=_correct,
        prompt_model=model,
        task_model=model,
        auto=None,
        num_candidates=len(instructions),
        num_threads=1,
        seed=seed + 1,
        max_bootstrapped_demos=0,
        max_labeled_demos=0,
    )
    chosen = random.Random(f"mipro-{seed}").sample(task.dev, validation)
    with (
        patch.object(optimizer, "_propose_instructions", lambda *_, **__: {0: list(instructions)}),
        patch.object(optimizer, "_bootstrap_fewshot_examples", lambda *_, **__: None),
    ):
        best = _quietly(
            lambda: optimizer.compile(
                _Program(task, evaluate, bank),
                trainset=[_example(task, case) for case in task.train],
                valset=[_example(task, case) for case in chosen],
                num_trials=trials,
                minibatch=True,
                minibatch_size=batch,
                minibatch_full_eval_steps=FULL_EVERY,
            )
        )
    return best.prompt()


def mipro_plan(budget: int, dev: int) -> tuple[int, int, int]:
    """Validation cases, cases of a minibatch and trials that together fit the budget."""
    validation = max(20, min(dev, budget // 8))
    batch = max(8, round(0.35 * validation))
    trials = 1
    while validation + (trials + 1) * batch + validation * ((trials + 1) // FULL_EVERY + 1) <= budget:
        trials += 1
    return validation, batch, trials


def copro(task: View, evaluate: Evaluate, propose: Propose, budget: int, seed: int) -> Prompt:
    """COPRO, depth 2: every candidate on the same dev cases, breadth and cases chosen to fit the budget."""
    breadth = max(4, min(12, budget // 40))
    number = max(5, min(len(task.dev), budget // (2 * breadth)))
    chosen = random.Random(f"copro-{seed}").sample(task.dev, number)
    bank = Bank(task.seed_prompt, propose)

    class Completions:
        """What its two proposing signatures would have returned."""

        def __init__(self, count: int) -> None:
            self.proposed_instruction = [bank.next() for _ in range(count)]
            self.proposed_prefix_for_output_field = ["Answer:"] * count

        def __iter__(self) -> Any:
            for text, prefix in zip(self.proposed_instruction, self.proposed_prefix_for_output_field, strict=True):
                yield SimpleNamespace(proposed_instruction=text, proposed_prefix_for_output_field=prefix)

        def __len__(self) -> int:
            return len(self.proposed_instruction)

    class FromTheBank:
        def __init__(self, _signature: Any, n: int = 1, **_: Any) -> None:
            self._count = n

        def __call__(self, **_: Any) -> Any:
            return SimpleNamespace(completions=Completions(self._count))

    stand_in = SimpleNamespace(context=dspy.context, Predict=FromTheBank)
    with patch.object(copro_optimizer, "dspy", stand_in):
        best = _quietly(
            lambda: COPRO(metric=_correct, breadth=breadth, depth=2).compile(
                _Program(task, evaluate, bank),
                trainset=[_example(task, case) for case in chosen],
                eval_kwargs={"num_threads": 1, "display_progress": False},
            )
        )
    return best.prompt()


def bootstrap_random(task: View, evaluate: Evaluate, propose: Propose, budget: int, seed: int) -> Prompt:
    """BootstrapFewShotWithRandomSearch among the recorded sets of demonstrations; it leaves the instruction alone."""
    sets = random.Random(f"bootstrap-{seed}").sample(task.demo_sets, len(task.demo_sets))
    bank = Bank(task.seed_prompt, propose)
    by_id, remaining = {case.id: case for case in task.train}, iter(sets)

    class Recorded:
        """Stands for what labels or bootstraps demonstrations: the next recorded set."""

        def __init__(self, **_: Any) -> None: ...

        def compile(self, student: Any, **_: Any) -> Any:
            program = student.reset_copy()
            program.predict.demos = [_example(task, by_id[one]) for one in next(remaining)]
            return program

    number = max(5, min(len(task.dev), budget // (len(sets) + 1)))
    chosen = random.Random(f"bootstrap-cases-{seed}").sample(task.dev, number)
    with (
        patch.object(random_search, "LabeledFewShot", Recorded),
        patch.object(random_search, "BootstrapFewShot", Recorded),
    ):
        best = _quietly(
            lambda: BootstrapFewShotWithRandomSearch(
                metric=_correct, num_candidate_programs=len(sets) - 2, num_threads=1
            ).compile(
                _Program(task, evaluate, bank),
                trainset=[_example(task, case) for case in task.train],
                valset=[_example(task, case) for case in chosen],
            )
        )
    return best.prompt()
