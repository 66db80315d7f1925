"""What the executor's tests share: plans, watchers, stores that fail, and an event loop whose time is not ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from sharpen.config.models import Budget, Case, DatasetConfig, ExecutionConfig, PromptTemplate, RateLimit, RunManifest
from sharpen.config.targets import ScriptedReply, ScriptedRule, ScriptedTarget, TargetConfig
from sharpen.executor.limits import Limiter
from sharpen.executor.models import ResultLog, RunExecutionResult, RunStatistics, TaskResult
from sharpen.executor.ports import CachedResponse, RunStart
from sharpen.targets.base import Failure, Target, TargetRequest, TargetResponse
from sharpen.targets.exceptions import failure_of

T = TypeVar("T")


class VirtualTime(asyncio.SelectorEventLoop):
    """A loop on which nothing takes time: when all wait, its clock jumps to the next timer."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:
            self.now = max(self.now, self._scheduled[0]._when)
        super()._run_once()


def run_virtual(coroutine: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualTime) as runner:
        return runner.run(coroutine)


def now() -> float:
    return asyncio.get_running_loop().time()


def unlimited(slots: int = 1000) -> Limiter:
    return Limiter(RateLimit(), slots, now)


def cases(number: int) -> tuple[Case, ...]:
    return tuple(Case(id=f"c{n}", vars={"x": n}, expected=f"answer {n}") for n in range(number))


def scripted(*rules: dict[str, Any], default: str | None = "ok", latency_ms: float = 0.0) -> ScriptedTarget:
    return ScriptedTarget(
        rules=tuple(ScriptedRule(**rule) for rule in rules),
        default=ScriptedReply(output=default) if default is not None else None,
        latency_ms=latency_ms,
    )


def plan(
    number: int = 3,
    target: TargetConfig | None = None,
    prompt: str = "say {{ x }}",
    assertions: tuple[Any, ...] = (),
    budget: Budget | None = None,
    rate_limit: RateLimit | None = None,
    dataset: tuple[Case, ...] | None = None,
    **execution: Any,
) -> RunManifest:
    return RunManifest(
        workflow_id="flow",
        prompt=PromptTemplate.from_text(prompt),
        target=target or scripted(),
        dataset=DatasetConfig.model_construct(cases=cases(number) if dataset is None else dataset),
        assertions=assertions,
        execution=ExecutionConfig(budget=budget or Budget(), rate_limit=rate_limit or RateLimit(), **execution),
    )


class Journal:
    """A sink and an observer that write down, in order, what they were told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self.starts: list[RunStart] = []
        self.results: list[TaskResult] = []
        self.statistics: list[RunStatistics] = []

    async def start_run(self, start: RunStart) -> None:
        self.starts.append(start)
        self.events.append(("start", start.run_id))

    async def save_result(self, run_id: str, result: TaskResult) -> None:
        await asyncio.sleep(0)
        self.results.append(result)
        self.events.append(("saved", result.task_id))

    async def add_cases(self, run_id: str, position: int, cases: Sequence[Case]) -> None:
        self.events.append(("cases", (position, len(cases))))

    async def sync(self) -> None:
        await asyncio.sleep(0)
        self.events.append(("synced", None))

    def results(self, run_id: str) -> ResultLog:
        raise AssertionError("small runs are held")

    async def finish_run(self, result: RunExecutionResult) -> None:
        self.events.append(("finish", result.status))

    def run_started(self, start: RunStart) -> None:
        self.events.append(("shown start", start.run_id))

    def attempt_failed(self, case_id: str, kind: str, retry_in_s: float | None) -> None:
        self.events.append(("attempt failed", (case_id, kind, retry_in_s is None)))

    def task_finished(self, result: TaskResult, statistics: RunStatistics) -> None:
        self.statistics.append(statistics)
        self.events.append(("shown", result.task_id))

    def run_finished(self, result: RunExecutionResult) -> None:
        self.events.append(("shown finish", result.status))

    def count(self, event: str) -> int:
        return sum(name == event for name, _ in self.events)


class Memory:
    """A response cache in memory."""

    def __init__(self) -> None:
        self.answers: dict[str, CachedResponse] = {}
        self.claims: set[str] = set()

    async def get(self, key: str) -> CachedResponse | None:
        return self.answers.get(key)

    async def claim(self, key: str, give_up: Callable[[], bool]) -> CachedResponse | bool:
        while key not in self.answers and key in self.claims:
            if give_up():
                return False
            await asyncio.sleep(0.01)
        if key not in self.answers:
            self.claims.add(key)
        return self.answers.get(key, True)

    async def put(self, key: str, value: CachedResponse) -> None:
        self.answers[key] = value
        self.claims.discard(key)

    async def release(self, key: str) -> None:
        self.claims.discard(key)

    async def forget(self, scope: str) -> None:
        self.answers = {key: value for key, value in self.answers.items() if not key.startswith(f"{scope}/")}


class Spy(Target):
    """A plug-in target that remembers how it was used. ``answer`` may be any coroutine function of a request."""

    last: Spy

    def __init__(self, answer: Any = None, fails_to_open: str | None = None) -> None:
        Spy.last = self
        self.answer = answer
        self.fails_to_open = fails_to_open
        self.opened = self.closed = self.calls = self.in_flight = self.most_in_flight = 0

    async def invoke(self, request: TargetRequest) -> TargetResponse:
        self.calls += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.answer is None:
                await asyncio.sleep(0)
                return TargetResponse(request.text, cost=0.0)
            return await self.answer(request)
        finally:
            self.in_flight -= 1

    def classify(self, exception: BaseException) -> Failure:
        return failure_of(exception)

    def identity(self) -> dict[str, Any]:
        return {"kind": "spy"}

    async def __aenter__(self) -> Spy:
        if self.fails_to_open:
            from sharpen.errors import RunAborted

            raise RunAborted(self.fails_to_open)
        self.opened += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closed += 1
