"""GEPA (Agrawal et al. 2025, "Reflective prompt evolution can outperform reinforcement learning"), by its own package.

Everything it does goes through ours: it is shown train cases alone, its candidates are selected on dev, each evaluation
is one of ours, its reflection model is the plan's rewriter, and what the proof will take is out of its reach.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sharpen.optimizer.engines.base import Found, SearchContext, SearchEngine
from sharpen.optimizer.engines.bridge import Bridge
from sharpen.optimizer.engines.components import Components
from sharpen.optimizer.engines.registry import require
from sharpen.optimizer.engines.trials import Trials
from sharpen.optimizer.models import Prompt
from sharpen.optimizer.ports import CaseOutcome, LabelledCase
from sharpen.targets.base import Message, TargetError

if TYPE_CHECKING:
    from gepa.core.adapter import EvaluationBatch

MINIBATCH = 3  # train cases of one reflection: the package's own default
IDLE = 20
"""Iterations without a new evaluation after which it ends: it would go on for ever at no cost."""
LONGEST_SHOWN = 600  # characters of one input or output
TEMPLATE = """\
I provided an assistant with the following instructions to perform a task for me:
```
<curr_param>
```

The following are examples of task inputs, the assistant's responses, and feedback on how they could be better:
```
<side_info>
```

Write a new instruction for the assistant. Read the inputs and infer what the task is; read the responses and the
feedback, and put what the assistant has to know into the instruction, as it will see neither in the future. Keep every
placeholder in double braces, such as {{ name }}, exactly as it is.

Provide the new instruction within ``` blocks."""


class GepaEngine(SearchEngine):
    """Reflective evolution: a model rewrites the instructions after looking at a few answers, on a Pareto front."""

    name = "gepa"
    needs_rewriter = True

    def check(self) -> None:
        """Is the package there?"""
        require(self.name, "gepa", "gepa")

    async def search(self, context: SearchContext) -> Found:
        """Seeded with the plan's split seed. Raises ``RunAborted`` when the package itself fails."""
        trials = Trials(context, self.name)
        async with Bridge() as bridge:
            adapter = _Adapter(context, trials, bridge)
            await bridge.run_package(self.name, lambda: self._evolve(context, trials, adapter))
        return trials.found()

    def _evolve(self, context: SearchContext, trials: Trials, adapter: _Adapter) -> None:
        import gepa

        cases = {case.case_id: case for case in context.given.cases}
        gepa.optimize(
            seed_candidate=adapter.components.texts,
            trainset=[cases[case_id] for case_id in context.given.split.train],
            valset=[cases[case_id] for case_id in trials.selecting],
            adapter=adapter,
            reflection_lm=adapter.reflect,
            reflection_minibatch_size=MINIBATCH,
            reflection_prompt_template=TEMPLATE,
            max_metric_calls=len(trials.selecting) + trials.room,  # it counts the seed's, which are known
            stop_callbacks=adapter.idle,
            logger=_Quiet(),
            display_progress_bar=False,
            track_best_outputs=False,
            seed=context.config.split.seed,
        )


class _Adapter:
    """What the package asks of a system under optimization, answered by our evaluations."""

    propose_new_texts = None

    def __init__(self, context: SearchContext, trials: Trials, bridge: Bridge) -> None:
        self.components = Components.of(context.prompt)
        self._context = context
        self._trials = trials
        self._bridge = bridge
        self._parent = self.components.texts
        self._idle, self._paid = 0, 0

    def evaluate(
        self,
        batch: list[LabelledCase],
        candidate: dict[str, str],
        capture_traces: bool = False,
    ) -> EvaluationBatch[tuple[LabelledCase, CaseOutcome], str | None]:
        """Pass rates; a candidate that cannot be a prompt passes nothing, at no cost."""
        from gepa.core.adapter import EvaluationBatch

        prompt = self.components.with_texts(candidate)
        before = self._trials.paid
        if prompt is None:
            outcomes = [CaseOutcome(case.case_id, 0.0, 0.0, reasons=(BROKEN,)) for case in batch]
        else:
            outcomes = self._bridge.call(self._try(prompt, [case.case_id for case in batch]))
        return EvaluationBatch(
            outputs=[outcome.output for outcome in outcomes],
            scores=[outcome.pass_rate for outcome in outcomes],
            trajectories=list(zip(batch, outcomes, strict=True)) if capture_traces else None,
            num_metric_calls=self._trials.paid - before,
        )

    async def _try(self, prompt: Prompt, case_ids: Sequence[str]) -> list[CaseOutcome]:
        part = "train" if case_ids[0] in self._context.given.split.train else "dev"
        self._context.phase("race", f"gepa looks at a candidate on {len(case_ids)} {part} cases")
        reason = f"rewritten by a model that reflected on {MINIBATCH} train cases"
        self._trials.enter(prompt, reason, self.components.with_texts(self._parent))
        return await self._trials.outcomes(prompt, case_ids)

    def make_reflective_dataset(
        self,
        candidate: dict[str, str],
        eval_batch: EvaluationBatch[tuple[LabelledCase, CaseOutcome], str | None],
        components_to_update: list[str],
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Inputs, answers and what was wrong with them, of a few train cases."""
        self._parent = dict(candidate)
        shown = [_shown(case, outcome) for case, outcome in eval_batch.trajectories or ()]
        return dict.fromkeys(components_to_update, shown)

    def reflect(self, question: str | list[dict[str, Any]]) -> str:
        """The rewriter's answer; an empty one when it fails: that costs a candidate, not the search."""
        return self._bridge.call(self._ask(str(question)))

    async def _ask(self, question: str) -> str:
        try:
            return await self._trials.ask(
                (Message("user", question),), "the rewriter reflects on answers to train cases"
            )
        except TargetError:
            return ""

    def idle(self, _state: object) -> bool:
        """Whether the package goes round and round over answers that are known."""
        self._idle = self._idle + 1 if self._trials.paid == self._paid else 0
        self._paid = self._trials.paid
        return self._idle > max(IDLE, len(self._context.given.split.train) // MINIBATCH)


BROKEN = "the new instruction cannot be used: it is empty, or a placeholder was lost or made up"


def _shown(case: LabelledCase, outcome: CaseOutcome) -> dict[str, Any]:
    wrong = "; ".join(outcome.reasons) or "it did not pass"
    expected = json.dumps(case.expected, ensure_ascii=False, default=str) if case.expected is not None else ""
    feedback = "This is right." if outcome.passed else f"This is wrong: {wrong[:LONGEST_SHOWN]}"
    return {
        "Inputs": {name: str(value)[:LONGEST_SHOWN] for name, value in case.variables.items()},
        "Generated Outputs": (outcome.output or "(none)")[:LONGEST_SHOWN],
        "Feedback": f"{feedback} Expected: {expected}" if expected and not outcome.passed else feedback,
    }


class _Quiet:
    """A logger that says nothing: what happens is told by our own reports."""

    def log(self, message: str) -> None:
        """Nothing."""
