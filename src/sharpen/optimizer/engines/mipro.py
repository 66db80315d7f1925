"""MIPROv2 (Opsahl-Ong et al. 2024, "Optimizing instructions and demonstrations for multi-stage language model
programs"), by DSPy: instructions grounded in the train cases, chosen among by a tree-structured Parzen estimator.

Only its search for instructions: a plan's prompt has no place for DSPy's demonstrations. Each of its evaluations is one
of ours, as a whole batch; its prompt model is the plan's rewriter; its own threads, cache and retries are left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from sharpen.optimizer.engines.base import Found, SearchContext, SearchEngine
from sharpen.optimizer.engines.bridge import Bridge
from sharpen.optimizer.engines.components import Components
from sharpen.optimizer.engines.mipro_optimizer import RewriterModel, optimizer_class, silent
from sharpen.optimizer.engines.registry import require
from sharpen.optimizer.engines.trials import Trials
from sharpen.optimizer.models import Prompt
from sharpen.optimizer.ports import CaseOutcome
from sharpen.targets.base import Message

FULL_EVERY = 5  # minibatch trials between two full evaluations: MIPROv2's own
MINIBATCH_SHARE = 0.35  # 35 of 100 cases, as there
MOST_INSTRUCTIONS = 12  # those of its "medium" setting
LONGEST_SHOWN = 600  # characters of one input


class MiproEngine(SearchEngine):
    """Instructions by a model that sees a summary of the train cases, chosen by Bayesian optimization."""

    name = "mipro"
    needs_rewriter = True

    def check(self) -> None:
        """Are the packages there? DSPy itself asks for Optuna only when half of the work is done."""
        require(self.name, "dspy", "dspy", "optuna")

    async def search(self, context: SearchContext) -> Found:
        """Seeded with the plan's split seed. Raises ``RunAborted`` when DSPy itself fails."""
        import dspy

        trials = Trials(context, self.name)
        async with Bridge() as bridge:
            await bridge.run_package(self.name, _Search(dspy, context, trials, bridge).compile)
        return trials.found()


def budgeted(room: int, selecting: int) -> tuple[int, int, int]:
    """Instructions, cases of a minibatch and trials that together fit ``room`` case runs.

    An instruction takes one call to propose, and a trial a minibatch; every fifth trial evaluates the best one on all
    ``selecting`` cases.
    """
    instructions = max(3, min(MOST_INSTRUCTIONS, room // 40))
    batch = max(1, min(selecting, max(8, round(MINIBATCH_SHARE * selecting))))
    most = math.ceil(3 * instructions * math.log2(instructions))  # more would only ask again for what is known
    trials = 1
    while trials < most and instructions + (trials + 1) * batch + selecting * (trials // FULL_EVERY + 1) <= room:
        trials += 1
    return instructions, batch, trials


class _Search:
    """One search: the plan's prompt as a program of DSPy; what MIPROv2 asks about it is answered by our evaluations."""

    def __init__(self, dspy: Any, context: SearchContext, trials: Trials, bridge: Bridge) -> None:
        self._dspy, self._context, self._trials, self._bridge = dspy, context, trials, bridge
        self._components = Components.of(context.prompt)
        self._known: dict[str, str] = {}
        self._case_of: dict[int, str] = {}
        self._student = self._program()

    def compile(self) -> None:
        """Let MIPROv2 search; what it tried stands in the trials. Call it from the bridge's thread."""
        context, trials = self._context, self._trials
        instructions, batch, rounds = budgeted(trials.room, len(trials.selecting))
        model = self._dspy.LM(
            "sharpen/rewriter", engine=RewriterModel(self._ask), cache=False, num_retries=0, temperature=1.0
        )
        optimizer = optimizer_class(self._dspy)(
            metric=lambda *_: 0.0,  # never asked: ``evaluate`` below takes the place of what would
            prompt_model=model,
            task_model=model,
            auto=None,
            num_candidates=instructions,
            max_bootstrapped_demos=0,
            max_labeled_demos=0,
            seed=context.config.split.seed + 1,  # 0 would be none
            track_stats=False,
        )
        optimizer.evaluate_ours = self._evaluate
        with silent():
            optimizer.compile(
                self._student,
                trainset=self._examples(context.given.split.train),
                valset=self._examples(trials.selecting),
                num_trials=rounds,
                minibatch=batch < len(trials.selecting),
                minibatch_size=batch,
                minibatch_full_eval_steps=FULL_EVERY,
            )

    def _program(self) -> Any:
        """A predictor for each rewritable text of the prompt, with the prompt's variables as inputs."""
        dspy = self._dspy
        inputs = sorted(self._context.prompt.variables) or ["input"]
        output = "answer" if "answer" not in inputs else "expected_answer"
        fields: dict[str, Any] = {name: (str, dspy.InputField()) for name in inputs}
        fields[output] = (str, dspy.OutputField())
        program = dspy.Module()
        for part in self._components.parts:
            predictor = dspy.Predict(dspy.make_signature(fields, part.text))
            self._known[predictor.signature.instructions] = part.text  # DSPy tidies white space up
            setattr(program, part.name, predictor)
        return program

    def _examples(self, case_ids: Sequence[str]) -> list[Any]:
        cases = {case.case_id: case for case in self._context.given.cases}
        examples = []
        for case_id in case_ids:
            case = cases[case_id]
            shown = {name: str(value)[:LONGEST_SHOWN] for name, value in case.variables.items()}
            example = self._dspy.Example(**shown, answer=case.expected).with_inputs(*shown)
            self._case_of[id(example)] = case_id
            examples.append(example)
        return examples

    def _evaluate(self, program: Any, devset: Sequence[Any]) -> float:
        """The pass rate of a program on examples, in percent as DSPy has it."""
        texts = {
            part.name: self._known.get(text := getattr(program, part.name).signature.instructions, text)
            for part in self._components.parts
        }
        prompt = self._components.with_texts(texts)
        if prompt is None:  # a placeholder was lost: it passes nothing, at no cost
            return 0.0
        outcomes = self._bridge.call(self._try(prompt, [self._case_of[id(example)] for example in devset]))
        return 100 * math.fsum(outcome.pass_rate for outcome in outcomes) / max(1, len(outcomes))

    async def _try(self, prompt: Prompt, case_ids: Sequence[str]) -> list[CaseOutcome]:
        self._context.phase("race", f"mipro tries a candidate on {len(case_ids)} dev cases")
        self._trials.enter(prompt, "an instruction proposed by a model that saw a summary of the train cases")
        return await self._trials.outcomes(prompt, case_ids)

    def _ask(self, messages: Sequence[Message]) -> str:
        doing = "the rewriter reads the train cases and proposes instructions"
        return self._bridge.call(self._trials.ask(tuple(messages), doing))
