"""MIPROv2 and its language model as DSPy has them, with what is ours in the places of evaluations and answers."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sharpen.targets.base import Message

_LOG = logging.getLogger("sharpen.search")


class RewriterModel:
    """The plan's rewriter as an engine of a language model of DSPy. What it raises costs one proposal."""

    def __init__(self, ask: Callable[[Sequence[Message]], str]) -> None:
        self._ask = ask

    def complete(self, request: Any) -> Any:
        """One answer to DSPy's request."""
        from dspy.lm15 import Message as TheirMessage
        from dspy.lm15 import Response, TextPart, Usage

        messages = []
        if request.system is not None:
            system = request.system if isinstance(request.system, str) else "".join(p.text for p in request.system)
            messages.append(Message("system", system))
        messages += [Message(each.role, each.text or "") for each in request.messages]
        return Response(
            id=None,
            model="sharpen/rewriter",
            message=TheirMessage.assistant([TextPart(self._ask(messages))]),
            finish_reason="stop",
            usage=Usage(input_tokens=0, output_tokens=0, total_tokens=0),
        )

    def stream(self, request: Any) -> Any:
        """The whole answer at once."""
        from dspy.lm15 import response_to_events

        return response_to_events(self.complete(request))

    def close(self) -> None:
        """Nothing to release."""


def optimizer_class(dspy: Any) -> Any:
    """MIPROv2 without demonstrations, one failed proposal costing no more than itself, with our evaluations."""
    from dspy.propose import GroundedProposer
    from dspy.propose.dataset_summary_generator import create_dataset_summary
    from dspy.teleprompt import MIPROv2

    class Optimizer(MIPROv2):  # type: ignore[misc] # Any: it may not be installed
        evaluate_ours: Any

        def _bootstrap_fewshot_examples(self, *_: Any, **__: Any) -> None:
            return None

        def _propose_instructions(
            self, program: Any, trainset: Any, *_: Any, num_instruct_candidates: int, **__: Any
        ) -> Mapping[int, list[str]]:
            proposer = GroundedProposer(
                prompt_model=self.prompt_model,
                program=program,
                trainset=trainset,
                program_aware=False,  # its code would be ours
                use_dataset_summary=False,
                use_task_demos=False,
                use_instruct_history=False,
                set_history_randomly=False,
                rng=self.rng,
                init_temperature=self.init_temperature,
            )
            try:
                proposer.data_summary = create_dataset_summary(trainset, 10, self.prompt_model)
                proposer.use_dataset_summary = True
            except Exception as error:  # noqa: BLE001 - as DSPy itself does, which prints it: it goes on without
                _LOG.debug("no summary of the train cases: %s", error)
            found = {number: [each.signature.instructions] for number, each in enumerate(program.predictors())}
            for _turn in range(num_instruct_candidates - 1):
                for number, each in enumerate(program.predictors()):
                    try:
                        text = proposer.propose_instruction_for_predictor(
                            program, each, number, None, 0, {}, tip=_tip(self.rng)
                        )
                    except Exception as error:  # noqa: BLE001 - a reply that DSPy cannot read costs one candidate
                        _LOG.debug("an unusable proposal: %s", error)
                    else:
                        found[number].append(text)
            return found

        def _perform_full_evaluation(
            self,
            trial_num: int,
            all_trials: int,
            scores: Any,
            fully_evaluated: Any,
            evaluate: Any,
            valset: Any,
            logs: Any,
            calls: int,
            data: Any,
            best_score: float,
            best_program: Any,
            *rest: Any,
        ) -> Any:
            if scores.keys() <= fully_evaluated.keys():  # DSPy fails when nothing is left to evaluate
                return best_score, best_program, calls
            known = (trial_num, all_trials, scores, fully_evaluated, evaluate, valset, logs, calls, data)
            return super()._perform_full_evaluation(*known, best_score, best_program, *rest)

        def _optimize_prompt_parameters(
            self, program: Any, instructions: Any, demos: Any, evaluate: Any, *rest: Any, **more: Any
        ) -> Any:
            def batch(candidate: Any, devset: Any = None, **_: Any) -> Any:
                return dspy.Prediction(score=self.evaluate_ours(candidate, devset), results=[])

            del evaluate  # one call after the other, in threads of its own
            return super()._optimize_prompt_parameters(program, instructions, demos, batch, *rest, **more)

    return Optimizer


def _tip(rng: Any) -> str:
    from dspy.propose.grounded_proposer import TIPS

    return str(TIPS[rng.choice(list(TIPS))])


@contextmanager
def silent() -> Iterator[None]:
    """What happens is told by our own reports, and warnings of DSPy and Optuna about themselves help nobody."""
    logger = logging.getLogger("dspy")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
