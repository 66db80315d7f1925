"""A DSPy program as the thing under test: the plan's prompt is the instruction of one of its predictors.

The case's variables are the program's inputs, and one field of its prediction is the output that assertions look at.
DSPy's own cache and retries are switched off for these calls: what was answered before is remembered by sharpen, and
exactly one loop retries.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from sharpen.config.targets import DspyTarget
from sharpen.errors import ErrorKind, PlanError, Problem
from sharpen.targets.base import Failure, Target, TargetError, TargetRequest, TargetResponse, Usage
from sharpen.targets.dspy_loading import import_dspy, inputs_of, load_program, predictor_name, with_instructions
from sharpen.targets.exceptions import failure_of
from sharpen.targets.failures import redact, usually_retryable, without_secrets
from sharpen.targets.pricing import price
from sharpen.targets.python_callable import source_sha256
from sharpen.targets.threads import DaemonThreads

KINDS = {
    "AdapterParseError": ErrorKind.MALFORMED_COMPLETION,
    "ContextWindowExceededError": ErrorKind.CONTEXT_LENGTH,
    "LMTimeoutError": ErrorKind.TIMEOUT,
    "LMTransportError": ErrorKind.CONNECTION,
    "LMRateLimitError": ErrorKind.RATE_LIMIT,
    "LMAuthError": ErrorKind.AUTHENTICATION,
    "LMBillingError": ErrorKind.AUTHENTICATION,
    "LMNotConfiguredError": ErrorKind.AUTHENTICATION,
    "LMServerError": ErrorKind.SERVER,
    "LMUnsupportedModelError": ErrorKind.BAD_REQUEST,
    "LMUnsupportedFeatureError": ErrorKind.BAD_REQUEST,
    "LMInvalidRequestError": ErrorKind.BAD_REQUEST,
}
"""DSPy's own exceptions, by the name of the class or of one it derives from."""
PROGRAMS_KEPT = 64
"""Copies of the program, one for each instruction, that are kept."""


class DspyProgram(Target):
    """Calls a program in a thread. Raises ``PlanError`` and ``MissingExtraError`` when it cannot be built."""

    def __init__(self, config: DspyTarget, base_dir: Path | None = None) -> None:
        self._dspy = import_dspy()
        self._config = config
        self._program = load_program(config.program, base_dir, config.saved)
        self._predictor = predictor_name(self._program, config.predictor)
        self._takes, self._needs = inputs_of(self._program)
        self._default_lm = self._dspy.settings.lm
        self._lms = [each.lm or self._default_lm for _, each in self._program.named_predictors()]
        if None in self._lms:
            raise PlanError(
                Problem(
                    f"{config.program!r} has no language model",
                    key="target.program",
                    expected="dspy.configure(lm=dspy.LM(…)) in its module, or program.set_lm(…)",
                )
            )
        self._settings = {"disable_history": True, "lm": _direct(self._default_lm)}
        self._by_instructions: dict[str, Any] = {}
        self._threads = DaemonThreads("sharpen-dspy")

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Let the threads end; one that hangs is left behind and keeps nothing alive."""
        self._threads.close()

    async def invoke(self, request: TargetRequest) -> TargetResponse:
        """One run of the program, however many calls of its language model that takes."""
        program, inputs = self._with(request.text), self._inputs(request.variables)
        with self._dspy.context(**self._settings), self._dspy.track_usage() as tracker:
            try:
                if hasattr(type(program), "forward"):  # asking the program makes DSPy complain
                    prediction = await self._threads.run(program, **inputs)
                else:
                    prediction = await program.acall(**inputs)
            except Exception as error:
                usage, cost = self._spent(tracker.usage_data)
                raise TargetError(replace(self.classify(error), usage=usage, cost=cost)) from error
        usage, cost = self._spent(tracker.usage_data)
        output = self._output(prediction, usage, cost)
        return TargetResponse(output=output, usage=usage, cost=cost, model=next(iter(tracker.usage_data), None))

    def classify(self, exception: BaseException) -> Failure:
        """By DSPy's own exceptions, else by what the exception carries or is called."""
        found = failure_of(exception)
        if isinstance(exception, TargetError):
            return found
        kind = next((KINDS[cls.__name__] for cls in type(exception).__mro__ if cls.__name__ in KINDS), found.kind)
        wait = getattr(exception, "retry_after", None)
        return replace(
            found,
            kind=kind,
            message=redact(found.message, self._secrets()),
            retryable=found.retryable if kind is found.kind else usually_retryable(kind),
            retry_after_s=float(wait) if isinstance(wait, int | float) else found.retry_after_s,
        )

    def address(self) -> str | None:
        """Where its language model is; "" when that is not known, or when there are several places."""
        places = {str(lm.kwargs.get("api_base") or lm.kwargs.get("base_url") or "") for lm in self._lms}
        return places.pop() if len(places) == 1 else ""

    def identity(self) -> Mapping[str, Any]:
        """The program, what it was loaded with, its models and their parameters."""
        state = json.dumps(self._program.dump_state(), sort_keys=True, default=str)
        return {
            "kind": self._config.kind,
            "program": self._config.program,
            "predictor": self._predictor,
            "output": self._config.output,
            "state_sha256": hashlib.sha256(state.encode()).hexdigest(),
            "source_sha256": source_sha256(type(self._program)),
            "models": [{"model": lm.model, **without_secrets(lm.kwargs)} for lm in self._lms],
        }

    def _with(self, instructions: str) -> Any:
        """The program with the prompt as its predictor's instruction, and models that are called directly."""
        known = self._by_instructions.pop(instructions, None)
        if known is None:
            known = with_instructions(self._program, instructions, self._predictor)
            for _, predictor in known.named_predictors():
                predictor.lm = _direct(predictor.lm)
        self._by_instructions[instructions] = known  # the latest last
        while len(self._by_instructions) > PROGRAMS_KEPT:
            self._by_instructions.pop(next(iter(self._by_instructions)))
        return known

    def _inputs(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        missing = sorted(self._needs - variables.keys())
        if missing:
            there = ", ".join(sorted(variables)) or "none"
            what = f"the program needs {', '.join(map(repr, missing))}, which the case lacks (its variables: {there})"
            raise TargetError(Failure(ErrorKind.BAD_REQUEST, what))
        return {name: value for name, value in variables.items() if self._takes is None or name in self._takes}

    def _output(self, prediction: Any, usage: Usage, cost: float | None) -> str:
        fields = prediction.toDict() if hasattr(prediction, "toDict") else prediction
        if not isinstance(fields, Mapping):
            return _text(fields)
        if self._config.output is not None and self._config.output not in fields:
            known = ", ".join(map(str, fields)) or "none"
            what = f"the prediction has no field {self._config.output!r}; it has: {known}"
            raise TargetError(Failure(ErrorKind.MALFORMED_COMPLETION, what, usage=usage, cost=cost))
        if self._config.output is not None:
            return _text(fields[self._config.output])
        said = {name: value for name, value in fields.items() if name != "reasoning"} or fields
        return _text(next(iter(said.values())) if len(said) == 1 else dict(said))

    def _spent(self, used: Mapping[str, list[Mapping[str, Any]]]) -> tuple[Usage, float | None]:
        """Tokens of all calls, and their cost where every model's price is known (None otherwise)."""
        total, costs = Usage(), list[float | None]()
        for model, entries in used.items():
            base_url = next((lm.kwargs.get("api_base") for lm in self._lms if lm.model == model), None)
            for entry in entries:
                usage = Usage(int(entry.get("prompt_tokens") or 0), int(entry.get("completion_tokens") or 0))
                total = Usage(
                    total.prompt_tokens + usage.prompt_tokens, total.completion_tokens + usage.completion_tokens
                )
                name = model.partition("/")[2] or model
                costs.append(price(name, usage, base_url=base_url, override=self._config.price))
        known = [cost for cost in costs if cost is not None]
        return total, math.fsum(known) if used and len(known) == len(costs) else None

    def _secrets(self) -> list[str]:
        return [value for lm in self._lms for value in [lm.kwargs.get("api_key")] if isinstance(value, str)]


def _direct(lm: Any) -> Any:
    """The same model without DSPy's cache, which would answer repeats for it, and without retries of its own."""
    return lm.copy(cache=False, num_retries=0) if hasattr(lm, "copy") else lm


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)
