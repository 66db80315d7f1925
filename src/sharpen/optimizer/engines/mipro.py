"""MIPROv2 (Opsahl-Ong et al. 2024, "Optimizing instructions and demonstrations for multi-stage language model
programs"), by DSPy: instructions grounded in the train cases, chosen among by a tree-structured Parzen estimator.

Only its search for instructions: a plan's prompt has no place for DSPy's demonstrations. Each of its evaluations is one
of ours, as a whole batch; its prompt model is the plan's rewriter; its own threads, cache and retries are left out.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sharpen.errors import MissingExtraError, RunAborted
from sharpen.optimizer.engines.base import Found, SearchContext, SearchEngine
from sharpen.optimizer.engines.bridge import Bridge
from sharpen.optimizer.engines.components import Components
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

    def __init__(self) -> None:
        try:
            import dspy
            import optuna  # noqa: F401 - DSPy asks for it only when half of the work is done
        except ImportError as error:
            raise MissingExtraError("engine 'mipro'", "dspy") from error
        self._dspy = dspy

    async def search(self, context: SearchContext) -> Found:
        """Seeded with the plan's split seed. Raises ``RunAborted`` when DSPy itself fails."""
        trials = Trials(context, self.name)
        async with Bridge() as bridge:
            search = _Search(self._dspy, context, trials, bridge)
            try:
                await bridge.run(search.compile)
            except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
                raise RunAborted(f"engine 'mipro' failed: {type(error).__name__}: {error}") from error
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
            "sharpen/rewriter", engine=_Rewriter(self._ask), cache=False, num_retries=0, temperature=1.0
        )
        optimizer = _optimizer(self._dspy)(
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
        with _silent():
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
        return self._bridge.call(self._rewrite(tuple(messages)))

    async def _rewrite(self, messages: tuple[Message, ...]) -> str:
        rewrite = self._context.given.rewrite
        assert rewrite is not None
        self._trials.afford(1)
        self._context.phase("propose", "the rewriter reads the train cases and proposes instructions")
        return await rewrite(messages)


class _Rewriter:
    """The plan's rewriter as an engine of a language model of DSPy. What it raises costs one proposal."""

    def __init__(self, ask: Any) -> None:
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


def _optimizer(dspy: Any) -> Any:
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
def _silent() -> Iterator[None]:
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


_LOG = logging.getLogger("sharpen.search")
