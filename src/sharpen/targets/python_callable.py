"""A function of the user's own as the thing under test: any workflow that can be called from Python.

It is called with the ``TargetRequest`` and the plan's params as keyword arguments, and returns text, a mapping, or a
``TargetResponse``. An async function runs on the event loop, any other in a thread of its own.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from sharpen.config.references import load_reference
from sharpen.config.targets import PythonTarget
from sharpen.errors import ErrorKind, PlanError, Problem
from sharpen.targets.base import Failure, Target, TargetError, TargetRequest, TargetResponse, Usage
from sharpen.targets.exceptions import failure_of
from sharpen.targets.failures import without_secrets
from sharpen.targets.threads import DaemonThreads

RESULT_KEYS = ("output", "prompt_tokens", "completion_tokens", "cost", "model", "finish_reason")


class PythonCallableTarget(Target):
    """Calls ``function(request, **params)``. Raises ``PlanError`` when it is missing or cannot be called so."""

    def __init__(self, config: PythonTarget, base_dir: Path | None = None) -> None:
        self._config = config
        function = load_reference(config.function, base_dir, key="target.function")
        _check_signature(function, config)
        self._function: Callable[..., Any] = functools.partial(function, **config.params)
        self._is_async = _is_async(function)
        self._threads = DaemonThreads("sharpen-python")
        self._source_sha256 = source_sha256(function)

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Let the threads end; one that hangs is left behind and keeps nothing alive."""
        self._threads.close()

    async def invoke(self, request: TargetRequest) -> TargetResponse:
        """One call. Raises what the function raises, or ``TargetError`` for a result of the wrong shape."""
        try:
            result = self._function(request) if self._is_async else await self._threads.run(self._function, request)
            if inspect.isawaitable(result):
                result = await result
        except SystemExit as exit_:  # would end the whole run otherwise
            raise TargetError(failure_of(exit_)) from exit_
        return read_result(result)

    def classify(self, exception: BaseException) -> Failure:
        """By the HTTP status, timeout or connection error that the exception stands for; else ``server``."""
        return failure_of(exception)

    def address(self) -> None:
        """None that is known: a function may do anything, and is allowed in local-only mode all the same."""

    def identity(self) -> Mapping[str, Any]:
        """The function, its params, and a hash of the file it stands in, so that an edit is another identity.

        What that file imports is not looked at: switch ``execution.cache`` off while you edit there.
        """
        return {
            "kind": self._config.kind,
            "function": self._config.function,
            "params": without_secrets(self._config.params),
            "source_sha256": self._source_sha256,
        }


def read_result(result: Any) -> TargetResponse:
    """What the function returned, as a response. Raises ``TargetError`` (malformed_completion) for a wrong shape."""
    if isinstance(result, TargetResponse):
        return result
    if isinstance(result, str):
        return TargetResponse(output=result)
    if not isinstance(result, Mapping):
        raise _malformed(
            f"the function returned {_type(result)}; expected a str, a mapping with 'output', or a TargetResponse"
        )
    unknown = [str(key) for key in result if key not in RESULT_KEYS]
    if unknown or "output" not in result:
        wrong = f"unknown keys {unknown}" if unknown else "no 'output'"
        raise _malformed(f"the function returned a mapping with {wrong}; known: {', '.join(RESULT_KEYS)}")
    cost = result.get("cost")
    if cost is not None and (not _is_number(cost) or not math.isfinite(cost) or cost < 0):
        raise _malformed(f"the function returned cost {cost!r}; expected USD, a number ≥ 0, or None when unknown")
    return TargetResponse(
        output=_text(result, "output", required=True) or "",
        usage=Usage(_tokens(result, "prompt_tokens"), _tokens(result, "completion_tokens")),
        cost=None if cost is None else float(cost),
        model=_text(result, "model"),
        finish_reason=_text(result, "finish_reason"),
    )


def _text(result: Mapping[str, Any], key: str, *, required: bool = False) -> str | None:
    value = result.get(key)
    if isinstance(value, str) or (value is None and not required):
        return value
    raise _malformed(f"the function returned {key!r} as {_type(value)}; expected a str")


def _tokens(result: Mapping[str, Any], key: str) -> int:
    value = result.get(key)
    if value is None:
        return 0
    if _is_number(value) and math.isfinite(value) and value == int(value) >= 0:
        return int(value)
    raise _malformed(f"the function returned {key} {value!r}; expected a whole number ≥ 0")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _type(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _malformed(message: str) -> TargetError:
    return TargetError(Failure(ErrorKind.MALFORMED_COMPLETION, message, cost=None))


def _is_async(function: Any) -> bool:
    """An async function, a partial of one, or an object whose ``__call__`` is one."""
    inner = function.func if isinstance(function, functools.partial) else function
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(getattr(inner, "__call__", None))  # noqa: B004 - asks what __call__ is


def _check_signature(function: Any, config: PythonTarget) -> None:
    if not callable(function):
        raise PlanError(
            Problem(f"{config.function!r} is a {type(function).__name__}", key="target.function", expected="a function")
        )
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions tell no signature
        return
    try:
        signature.bind(TargetRequest(()), **config.params)
    except TypeError as error:
        called = ", ".join(["request", *(f"{name}=…" for name in config.params)])
        raise PlanError(
            Problem(
                f"{config.function}{signature} cannot be called as ({called}): {error}",
                key="target.params" if config.params else "target.function",
                expected="one positional argument for the request, and a keyword argument for each param",
            )
        ) from None


def source_sha256(function: Any) -> str | None:
    """Of the file that a function, a class or an instance's class stands in; None when there is none."""
    inner = inspect.unwrap(function.func if isinstance(function, functools.partial) else function)
    for owner in (inner, type(inner)):
        try:
            path = inspect.getsourcefile(owner)
        except TypeError:  # an instance, or a built-in: no file of its own
            continue
        if path and Path(path).is_file():
            return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return None
