"""The contract suite on all targets that ship, and proof that it finds targets that break the contract."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from servers.faulty import FaultyServer
from sharpen.config.targets import LocalTarget, OpenAITarget, PythonTarget
from sharpen.errors import ErrorKind
from sharpen.targets.base import Failure, Target, TargetRequest, TargetResponse
from sharpen.targets.exceptions import failure_of
from sharpen.targets.registry import build_target
from sharpen.targets.scripted import scripted
from sharpen.testing.target_suite import TargetContract

KEY = "hunter2-very-secret"


class TestOpenAI(TargetContract):
    @pytest.fixture(autouse=True)
    def _server(self, openai_server: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MY_KEY", KEY)
        self.base_url = openai_server.base_url

    def make_target(self) -> Target:
        return build_target(OpenAITarget(model="m", base_url=self.base_url, api_key_env="MY_KEY"))

    def secrets(self) -> tuple[str, ...]:
        return (KEY,)


class TestScripted(TargetContract):
    def make_target(self) -> Target:
        return scripted(default="yes", latency_ms=1)


def sync_workflow(request: TargetRequest) -> str:
    return f"yes {request.variables['number']}"


async def async_workflow(request: TargetRequest) -> str:
    await asyncio.sleep(0)
    return sync_workflow(request)


class TestPythonSync(TargetContract):
    def make_target(self) -> Target:
        return build_target(PythonTarget(function=f"{__name__}:sync_workflow"))


class TestPythonAsync(TargetContract):
    def make_target(self) -> Target:
        return build_target(PythonTarget(function=f"{__name__}:async_workflow"))


@pytest.mark.local_model
class TestLocal(TargetContract):
    concurrency = 3

    def make_target(self) -> Target:
        return build_target(LocalTarget(params={"max_tokens": 2, "temperature": 0}, slots=2, context=1024))


# -- a suite that finds nothing is worth nothing ----------------------------------------------------------------------


class _Good(Target):
    async def invoke(self, request: TargetRequest) -> TargetResponse:
        await asyncio.sleep(0)
        return TargetResponse("yes")

    def classify(self, exception: BaseException) -> Failure:
        return failure_of(exception)

    def identity(self) -> Mapping[str, Any]:
        return {"kind": "good"}


class _AnswersText(_Good):
    async def invoke(self, request: TargetRequest) -> TargetResponse:
        return "yes"  # type: ignore[return-value] # the mistake under test


class _TellsItsKey(_Good):
    def identity(self) -> Mapping[str, Any]:
        return {"kind": "bad", "key": KEY}


class _Forgetful(_Good):
    def identity(self) -> Mapping[str, Any]:
        return {"kind": "bad", "at": id(self)}


class _Unserialisable(_Good):
    def identity(self) -> Mapping[str, Any]:
        return {"kind": "bad", "params": {1, 2}}


class _KnowsTwoErrors(_Good):
    def classify(self, exception: BaseException) -> Failure:
        return {TimeoutError: Failure(ErrorKind.TIMEOUT, "late", retryable=True)}[type(exception)]


class _CallsEverythingServer(_Good):
    def classify(self, exception: BaseException) -> Failure:
        return Failure(ErrorKind.SERVER, f"failed: {type(exception).__name__}")


class _Swallows(_Good):
    async def __aexit__(self, *_: object) -> bool:  # type: ignore[override] # the mistake under test
        return True


class _OpensOnce(_Good):
    opened = False

    async def __aenter__(self) -> _OpensOnce:
        assert not self.opened
        self.opened = True
        return self


class _TellsSecretsInMessages(_Good):
    def classify(self, exception: BaseException) -> Failure:
        return exception.failure if hasattr(exception, "failure") else Failure(ErrorKind.SERVER, f"{exception!r}")


@pytest.mark.parametrize(
    ("target", "caught_by"),
    [
        (_AnswersText, "test_answers_with_output_usage_and_cost"),
        (_TellsItsKey, "test_identity_is_json_stable_and_tells_no_secret"),
        (_Forgetful, "test_identity_is_json_stable_and_tells_no_secret"),
        (_Unserialisable, "test_identity_is_json_stable_and_tells_no_secret"),
        (_KnowsTwoErrors, "test_classifies_every_exception"),
        (_CallsEverythingServer, "test_a_deadline_is_a_timeout_worth_retrying"),
        (_CallsEverythingServer, "test_a_known_failure_stays_as_it_is"),
        (_Swallows, "test_closes_while_an_exception_passes"),
        (_OpensOnce, "test_can_be_opened_again_after_it_was_closed"),
        (_TellsSecretsInMessages, "test_messages_keep_secrets"),
    ],
)
def test_the_suite_catches(target: type[Target], caught_by: str) -> None:
    class Suite(TargetContract):
        def make_target(self) -> Target:
            return target()

        def secrets(self) -> tuple[str, ...]:
            return (KEY,)

    with pytest.raises((AssertionError, KeyError, TypeError)):
        getattr(Suite(), caught_by)()


def test_the_suite_asks_for_a_target() -> None:
    with pytest.raises(NotImplementedError):
        TargetContract().test_answers_with_output_usage_and_cost()
