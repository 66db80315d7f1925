"""What every target keeps to, as tests that a target of your own inherits.

::

    class TestMyTarget(TargetContract):
        def make_target(self):
            return MyTarget(model="small")

Plain functions, so any runner of ``test_…`` methods will do; each opens an event loop of its own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sharpen.config.targets import TARGET_FAILURES
from sharpen.errors import ErrorKind
from sharpen.targets.base import Failure, Message, Target, TargetError, TargetRequest, TargetResponse

T = TypeVar("T")


class _Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("this exception cannot be printed")


class TargetContract:
    """Inherit, implement ``make_target``; override ``request_for`` and ``secrets`` where the target needs it."""

    concurrency = 8

    def make_target(self) -> Target:
        """Override: a target that answers ``request_for``; called anew for each test."""
        # not implemented on purpose: whoever inherits the suite overrides it
        raise NotImplementedError("override 'make_target': return a target that answers request_for")

    def request_for(self, number: int) -> TargetRequest:
        """The ``number``-th of several requests that the target answers."""
        return TargetRequest(
            messages=(Message("system", "Answer in a word."), Message("user", f"Say yes, for the {number}. time.")),
            variables={"number": number},
            case_id=f"case-{number}",
            timeout_s=60,
        )

    def secrets(self) -> tuple[str, ...]:
        """Texts (keys, passwords) that the target knows and must not tell."""
        return ()

    # -- invoke ---------------------------------------------------------------------------------------------------

    def test_answers_with_output_usage_and_cost(self) -> None:
        async def story(target: Target) -> TargetResponse:
            return await target.invoke(self.request_for(0))

        response = self._opened(story)
        assert isinstance(response, TargetResponse)
        assert isinstance(response.output, str)
        assert response.usage.prompt_tokens >= 0
        assert response.usage.completion_tokens >= 0
        assert response.cost is None or response.cost >= 0, "an unknown cost is None"

    def test_serves_concurrent_calls(self) -> None:
        async def story(target: Target) -> list[TargetResponse]:
            return await asyncio.gather(*(target.invoke(self.request_for(n)) for n in range(self.concurrency)))

        responses = self._opened(story)
        assert len(responses) == self.concurrency
        assert all(isinstance(response, TargetResponse) for response in responses)

    def test_survives_a_cancelled_call(self) -> None:
        """The executor's deadline cancels a call; the target must answer the next one."""

        async def story(target: Target) -> TargetResponse:
            call = asyncio.ensure_future(target.invoke(self.request_for(0)))
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            return await target.invoke(self.request_for(1))

        assert isinstance(self._opened(story), TargetResponse)

    # -- open and close -------------------------------------------------------------------------------------------

    def test_can_be_opened_again_after_it_was_closed(self) -> None:
        target = self.make_target()

        async def story(target: Target) -> TargetResponse:
            return await target.invoke(self.request_for(0))

        for _ in range(2):  # in two event loops, as two runs of one program are
            assert isinstance(_run(target, story), TargetResponse)

    def test_closing_twice_does_no_harm(self) -> None:
        async def story(target: Target) -> None:
            await target.__aexit__(None, None, None)

        self._opened(story)

    def test_closes_while_an_exception_passes(self) -> None:
        async def story(_: Target) -> None:
            raise KeyError("an error of the caller")

        try:
            self._opened(story)
        except KeyError:
            return
        raise AssertionError("the target swallowed the caller's exception")

    # -- classify -------------------------------------------------------------------------------------------------

    def test_classifies_every_exception(self) -> None:
        exceptions: list[BaseException] = [
            TimeoutError(), ConnectionResetError(104, "reset"), OSError(28, "disk full"), ValueError("odd"), KeyError(),
            RuntimeError("x" * 10_000), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), RecursionError(),
            MemoryError(), StopAsyncIteration(), ExceptionGroup("many", [ValueError()]), _Unprintable(),
            asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(1),
        ]  # fmt: skip
        target = self.make_target()
        for exception in exceptions:
            failure = target.classify(exception)
            assert isinstance(failure, Failure), f"classify({exception!r}) returned {failure!r}"
            assert failure.kind in (*TARGET_FAILURES, ErrorKind.CANCELLED), failure.kind
            assert failure.message, f"no message for {type(exception).__name__}"
            assert len(failure.message) <= 2_000, "a message is for people"

    def test_a_deadline_is_a_timeout_worth_retrying(self) -> None:
        failure = self.make_target().classify(TimeoutError())
        assert failure.kind is ErrorKind.TIMEOUT
        assert failure.retryable

    def test_a_known_failure_stays_as_it_is(self) -> None:
        known = Failure(ErrorKind.RATE_LIMIT, "slow down", 429, retryable=True, retry_after_s=2.5, cost=None)
        assert self.make_target().classify(TargetError(known)) == known

    def test_messages_keep_secrets(self) -> None:
        async def story(target: Target) -> list[str]:
            errors = [RuntimeError(f"refused {secret}") for secret in self.secrets()]
            return [target.classify(error).message for error in errors]

        for message in self._opened(story):
            self._assert_no_secret(message)

    # -- identity -------------------------------------------------------------------------------------------------

    def test_identity_is_json_stable_and_tells_no_secret(self) -> None:
        async def story(target: Target) -> list[str]:
            return [json.dumps(target.identity(), sort_keys=True, allow_nan=False) for _ in range(2)]

        target = self.make_target()
        closed = json.dumps(target.identity(), sort_keys=True, allow_nan=False)
        opened = _run(target, story)
        another = json.dumps(self.make_target().identity(), sort_keys=True, allow_nan=False)
        assert {closed, *opened} == {another}, "equal targets have one identity, whether open or not"
        assert json.loads(closed).get("kind"), "an identity names its kind"
        self._assert_no_secret(closed)
        self._assert_no_secret(repr(target))

    def _assert_no_secret(self, text: str) -> None:
        for secret in self.secrets():
            assert secret not in text, "a secret is told"

    def _opened(self, story: Callable[[Target], Awaitable[T]]) -> T:
        return _run(self.make_target(), story)


def _run(target: Target, story: Callable[[Target], Awaitable[T]]) -> T:
    async def told() -> T:
        async with target:
            return await story(target)

    return asyncio.run(told())
