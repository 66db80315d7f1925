import asyncio
import random
from dataclasses import replace

import pytest
from executor_kit import Spy, now, run_virtual

from sharpen.config.models import RateLimit
from sharpen.errors import ErrorKind
from sharpen.executor.abort import AbortPolicy
from sharpen.executor.call_outcome import CallOutcome
from sharpen.executor.caller import Caller
from sharpen.executor.limits import Limiter
from sharpen.executor.models import RunStatus
from sharpen.executor.refusals import Refusals
from sharpen.executor.stopping import StopSignal
from sharpen.targets.base import Failure, Message, TargetError, TargetRequest, TargetResponse

SILENT = Failure(ErrorKind.RATE_LIMIT, "slow down", 429, retryable=True)
TOLD = replace(SILENT, retry_after_s=20.0)
REQUEST = TargetRequest((Message("user", "x"),))


async def _run(target: Spy, calls: int, concurrency: int) -> tuple[list[CallOutcome], StopSignal, float]:
    limiter, stop, abort = Limiter(RateLimit(), concurrency, now), StopSignal(), AbortPolicy(calls)

    async def one(number: int) -> CallOutcome:
        caller = Caller(
            target=target, limiter=limiter, stop=stop, clock=now, rng=random.Random(number), abort=abort
        )  # fmt: skip
        return await caller.call(replace(REQUEST, case_id=str(number)))

    return await asyncio.gather(*(one(number) for number in range(calls))), stop, now()


@pytest.mark.parametrize("failure", [SILENT, TOLD], ids=["silent", "told"])
@pytest.mark.parametrize("concurrency", [1, 4, 64])
def test_a_server_that_never_answered_is_given_up_after_a_minute(failure: Failure, concurrency: int) -> None:
    async def answer(request: TargetRequest) -> TargetResponse:
        raise TargetError(failure)

    target = Spy(answer)
    _, stop, took = run_virtual(_run(target, 1000, concurrency))
    assert stop.status is RunStatus.ABORTED
    assert stop.reason.startswith("the target has refused every call for ")
    assert stop.reason.endswith(" s and never answered one: slow down")
    assert 60 <= took < 82
    assert target.calls <= concurrency + 10


def test_a_full_window_of_a_minute_is_waited_for() -> None:
    """Somebody else had used it up before the first call."""

    async def answer(request: TargetRequest) -> TargetResponse:
        if now() < 59:
            raise TargetError(SILENT)
        return TargetResponse("ok")

    outcomes, stop, _ = run_virtual(_run(Spy(answer), 100, 8))
    assert not stop.requested
    assert all(outcome.response for outcome in outcomes)


@pytest.mark.parametrize(("shut_s", "ends"), [(250.0, False), (1e9, True)])
def test_one_that_answered_before_is_waited_for_as_long_as_windows_are(shut_s: float, ends: bool) -> None:
    async def answer(request: TargetRequest) -> TargetResponse:
        await asyncio.sleep(0.1)
        if 3 < now() < 3 + shut_s:
            raise TargetError(SILENT)
        return TargetResponse("ok")

    outcomes, stop, took = run_virtual(_run(Spy(answer), 1000, 8))
    assert stop.requested is ends
    assert all(outcome.response for outcome in outcomes) is not ends
    if ends:
        assert "has refused every call for" in stop.reason
        assert "never" not in stop.reason
        assert 600 < took < 1000


def test_calls_that_were_refused_before_the_last_answer_count_again() -> None:
    """Those under way are answered after the first refusals, and then nobody is."""

    async def answer(request: TargetRequest) -> TargetResponse:
        if int(request.case_id) < 20:
            await asyncio.sleep(0.5)
            return TargetResponse("ok")
        await asyncio.sleep(0.01)  # all are under way when the first of them is refused
        raise TargetError(SILENT)

    _, stop, took = run_virtual(_run(Spy(answer), 64, 64))
    assert stop.status is RunStatus.ABORTED
    assert 600 < took < 1000


def test_calls_that_are_refused_for_what_they_ask_end_no_run() -> None:
    """Two of them come first, one after the other: the third is still asked."""

    async def answer(request: TargetRequest) -> TargetResponse:
        if request.case_id in ("0", "1"):
            raise TargetError(SILENT)
        return TargetResponse("ok")

    outcomes, stop, _ = run_virtual(_run(Spy(answer), 10, 1))
    assert not stop.requested
    assert [outcome.response is not None for outcome in outcomes] == [False, False] + [True] * 8


def test_an_answer_starts_the_count_anew() -> None:
    refusals = Refusals()
    for moment in (0.0, 30.0, 70.0):
        refusals.count(moment, SILENT, 0, first=True)
        refusals.episode()
    assert (
        refusals.verdict(70.0, "it", SILENT) == "it has refused every call for 70 s and never answered one: slow down"
    )
    assert refusals.verdict(70.0, "it", Failure(ErrorKind.SERVER, "down", retryable=True)) is None
    refusals.answered(69.0)
    assert refusals.verdict(70.0, "it", SILENT) is None
    refusals.count(71.0, SILENT, 0, first=False)
    assert refusals.verdict(1e6, "it", SILENT) is None  # a single call of which it is known


def test_two_refusals_an_hour_apart_prove_nothing() -> None:
    refusals = Refusals()
    for moment in (0.0, 0.0, 0.0, 3600.0):
        refusals.count(moment, TOLD, 0, first=True)
    refusals.episode()
    refusals.episode()
    assert refusals.verdict(3600.0, "it", TOLD) is None
