"""Whole runs, on the real scripted target and the real grader."""

import asyncio
import json
import threading
import time
from datetime import UTC
from typing import Any

import pytest
from executor_kit import Journal, Memory, Spy, cases, plan, scripted

from sharpen.assertions.base import Assertion, AssertionContext, Verdict
from sharpen.config.assertions import PluginAssertion, PythonAssertion, RubricAssertion, TextAssertion
from sharpen.config.models import Budget, Case, RateLimit, RunManifest
from sharpen.config.targets import PluginTarget
from sharpen.errors import EmptyDatasetError, ErrorKind, PlanError, RunAborted, StoreError, TemplateError
from sharpen.executor.executor_service import ExecutorService
from sharpen.executor.models import RunExecutionResult, RunStatus, TaskResult, TaskStatus
from sharpen.executor.session import ExecutionSession

EQUALS = TextAssertion(type="equals", value="{{ expected }}")
SPY = PluginTarget(kind="executor_kit:Spy")


def execute(manifest: RunManifest, **service: Any) -> RunExecutionResult:
    return ExecutorService(**service).execute_test_plan(manifest)


def statuses(result: RunExecutionResult) -> list[str]:
    return [task.status.value for task in result.task_results]


def test_a_run_measures_every_case_in_order() -> None:
    slow_first = scripted(
        {"case_id": "c0", "output": "answer 0", "latency_ms": 30},
        {"case_id": "c1", "output": "wrong"},
        {"case_id": "c2", "output": "answer 2", "cost": 0.25},
    )
    result = execute(plan(3, slow_first, assertions=(EQUALS,)))
    assert (result.status, result.stop_reason, result.workflow_id) == (RunStatus.COMPLETED, None, "flow")
    assert [task.case_id for task in result.task_results] == ["c0", "c1", "c2"]
    assert [task.task_id for task in result.task_results] == ["c0", "c1", "c2"]
    assert statuses(result) == ["succeeded", "failed", "succeeded"]
    first, wrong, last = result.task_results
    assert (first.output, first.score, first.error, first.attempts) == ("answer 0", 1.0, None, 1)
    assert first.execution_time >= 0.025
    assert wrong.error is not None
    assert wrong.error.kind is ErrorKind.ASSERTION
    assert wrong.error.message.startswith("equals: ")
    assert wrong.assertion_results[0].passed is False
    assert last.cost == result.statistics.total_cost == 0.25
    assert result.statistics.success_rate == pytest.approx(2 / 3)
    assert result.started_at.tzinfo is UTC
    assert result.finished_at >= result.started_at
    assert RunExecutionResult.model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize("number", [1, 2, 65])
def test_the_scheduler_is_an_entry_of_its_own(number: int) -> None:
    result = ExecutorService().scheduler.run_manifest(plan(number, concurrency=8))
    assert result.statistics.succeeded_tasks == number


def test_results_share_what_is_the_same_for_all_of_them_and_a_copy_changes_its_own_alone() -> None:
    """Thousands are held: the names of the fields that were set took more than all that a result says."""
    first, second = execute(plan(2)).task_results
    assert first.__pydantic_fields_set__ is second.__pydantic_fields_set__
    assert first.judge is second.judge
    copied = first.model_copy(update={"attempts": 7})
    assert (copied.attempts, first.attempts, second.attempts) == (7, 1, 1)
    assert second.model_fields_set == set(TaskResult.model_fields)
    assert TaskResult.model_validate_json(second.model_dump_json(exclude_unset=True)) == second


async def test_inside_an_event_loop_the_async_twins_are_named() -> None:
    service = ExecutorService()
    with pytest.raises(RuntimeError, match="await execute_test_plan_async"):
        service.execute_test_plan(plan())
    with pytest.raises(RuntimeError, match="await run_manifest_async"):
        service.scheduler.run_manifest(plan())
    assert (await service.execute_test_plan_async(plan())).statistics.succeeded_tasks == 3
    assert (await service.scheduler.run_manifest_async(plan())).statistics.succeeded_tasks == 3


def test_repeats_stand_side_by_side_in_case_order() -> None:
    manifest = plan(3, scripted({"case_id": "c0", "output": "x", "latency_ms": 20}, default="y"), repeats=2)
    result = execute(manifest)
    assert [task.task_id for task in result.task_results] == ["c0#1", "c0#2", "c1#1", "c1#2", "c2#1", "c2#2"]
    assert [task.repeat for task in result.task_results] == [0, 1] * 3
    assert result.statistics.total_tasks == 6


def test_every_kind_of_failure_is_a_value() -> None:
    kinds = {
        "timeout": TaskStatus.TIMEOUT,
        "server": TaskStatus.ERROR,
        "rate_limit": TaskStatus.ERROR,
        "content_filter": TaskStatus.ERROR,
        "context_length": TaskStatus.ERROR,
        "malformed_completion": TaskStatus.ERROR,
        "bad_request": TaskStatus.ERROR,
    }
    rules = [{"case_id": f"c{n}", "failure": kind} for n, kind in enumerate(kinds)]
    result = execute(plan(8, scripted(*rules), max_retries=0, concurrency=1))
    assert [task.status for task in result.task_results] == [*kinds.values(), TaskStatus.SUCCEEDED]
    assert [task.error and task.error.kind for task in result.task_results] == [*kinds, None]
    assert result.status is RunStatus.COMPLETED
    assert (result.statistics.timeout_tasks, result.statistics.error_tasks) == (1, 6)


def test_a_real_deadline_is_a_timeout() -> None:
    result = execute(
        plan(2, scripted({"case_id": "c1", "output": "x", "latency_ms": 5000}), timeout_s=0.05, max_retries=0)
    )
    assert statuses(result) == ["succeeded", "timeout"]
    assert 0.045 <= result.task_results[1].execution_time < 1


def test_a_prompt_that_cannot_be_rendered_for_a_case_is_that_case_s_error() -> None:
    dataset = (Case(id="a", vars={"x": 1}), Case(id="b", vars={}))
    result = execute(plan(dataset=dataset))
    assert statuses(result) == ["succeeded", "error"]
    error = result.task_results[1].error
    assert error is not None
    assert error.kind is ErrorKind.RENDERING
    assert "'x' is undefined" in error.message
    assert result.task_results[1].attempts == 0


def test_expected_is_no_variable_of_the_prompt() -> None:
    result = execute(plan(1, prompt="the answer is {{ expected }}"))
    assert result.task_results[0].error is not None
    assert result.task_results[0].error.kind is ErrorKind.RENDERING


def test_a_prompt_with_a_syntax_error_is_told_before_anything_is_called() -> None:
    with pytest.raises(TemplateError):
        execute(plan(1, SPY, prompt="{{ broken"))
    assert (Spy.last.calls, Spy.last.closed) == (0, 1)


def test_an_assertion_that_crashes_is_told_apart_from_one_that_says_no() -> None:
    crash = PythonAssertion(type="python", value="1 / 0 > 1")
    both = (Case(id="both", vars={"x": 1}, expected="no", assertions=(EQUALS,)), Case(id="crash", vars={"x": 1}))
    result = execute(plan(dataset=both, assertions=(crash,)))
    assert statuses(result) == ["failed", "failed"]
    kinds = [task.error.kind for task in result.task_results if task.error]
    assert kinds == [ErrorKind.ASSERTION, ErrorKind.ASSERTION_CRASH]


class GivesUp(Assertion):
    def __init__(self, config: Any) -> None:
        pass

    def check(self, context: AssertionContext) -> Verdict:
        raise RunAborted("an assertion cannot end a run")


def test_whatever_grading_raises_costs_the_case_alone() -> None:
    result = execute(plan(2, assertions=(PluginAssertion(type="test_executor_service:GivesUp"),)))
    assert (result.status, statuses(result)) == (RunStatus.COMPLETED, ["failed", "failed"])
    error = result.task_results[0].error
    assert error is not None
    assert (error.kind, error.message) == (ErrorKind.ASSERTION_CRASH, "RunAborted: an assertion cannot end a run")


def test_a_wrong_assertion_of_a_case_is_told_before_anything_is_called() -> None:
    broken = Case(id="odd", vars={"x": 1}, assertions=(PythonAssertion(type="python", value="no_such_module_:f"),))
    with pytest.raises(PlanError, match=r"case 'odd'.*no_such_module_"):
        execute(plan(dataset=(*cases(2), broken), target=SPY))
    assert Spy.last.calls == 0


def test_an_empty_data_set_is_told_before_a_target_is_opened() -> None:
    del Spy.last
    with pytest.raises(EmptyDatasetError):
        execute(plan(0, SPY))
    assert not hasattr(Spy, "last")


async def test_two_cases_of_one_id_are_a_mistake() -> None:
    async with ExecutorService().session(plan(1)) as session:
        with pytest.raises(PlanError, match="two cases have the id 'c0'"):
            await session.run(cases=(*cases(1), *cases(1)))


def test_a_target_that_cannot_be_opened_raises_before_the_run_begins() -> None:
    journal = Journal()
    target = PluginTarget(kind="executor_kit:Spy", options={"fails_to_open": "the model does not fit in memory"})
    with pytest.raises(RunAborted, match="does not fit"):
        execute(plan(1, target), sink=journal)
    assert journal.events == []


def test_concurrency_is_reached_and_never_passed() -> None:
    execute(plan(50, SPY, concurrency=7))
    assert Spy.last.most_in_flight == 7
    assert (Spy.last.calls, Spy.last.opened, Spy.last.closed) == (50, 1, 1)


def test_each_result_is_durable_before_it_is_counted_or_shown() -> None:
    journal = Journal()
    result = execute(plan(20, concurrency=4), sink=journal, observer=journal)
    events = journal.events
    assert events[:2] == [("start", result.run_id), ("shown start", result.run_id)]
    assert events[-2:] == [("finish", "completed"), ("shown finish", "completed")]
    for task in result.task_results:
        saved, shown = events.index(("saved", task.task_id)), events.index(("shown", task.task_id))
        assert ("synced", None) in events[saved:shown]
    counted = [shown.completed_tasks for shown in journal.statistics]
    assert counted == sorted(counted)
    assert counted[-1] == 20
    for shown in journal.statistics:
        assert shown.completed_tasks <= len(journal.results)


def test_the_start_of_a_run_tells_everything_to_resume_it() -> None:
    journal = Journal()
    execute(plan(2, repeats=3, prompt="hi {{ x }}"), sink=journal)
    (start,) = journal.starts
    assert (start.total_tasks, start.case_ids, start.purpose) == (6, ("c0", "c1"), "run")
    assert start.prompt == [{"role": "user", "content": "hi {{ x }}"}]
    assert start.target["kind"] == "scripted"
    manifest = dict(json.loads(json.dumps(start.manifest)))
    assert manifest.pop("source") is None
    assert RunManifest.model_validate(manifest).execution.repeats == 3


class FullDisk(Journal):
    def __init__(self, room: int, when: str = "save") -> None:
        super().__init__()
        self.room, self.when = room, when

    async def start_run(self, start: Any) -> None:
        if self.when == "start":
            raise OSError(28, "No space left on device")

    async def save_result(self, run_id: str, result: TaskResult) -> None:
        if self.room == 0:
            raise OSError(28, "No space left on device")
        self.room -= 1
        await super().save_result(run_id, result)

    async def finish_run(self, result: RunExecutionResult) -> None:
        if self.when == "finish":
            raise OSError(28, "No space left on device")


def test_a_full_disk_stops_the_run_and_names_what_is_lost() -> None:
    disk = FullDisk(room=3)
    with pytest.raises(StoreError, match=r"answers lost: 3, of c\d, c\d, c\d\): .*No space left"):
        execute(plan(1000, scripted(default="x", latency_ms=50), concurrency=3), sink=disk, observer=disk)
    assert disk.count("shown") == len(disk.results) == 3
    assert disk.count("shown finish") == 0


def test_a_store_that_fails_at_either_end_is_told() -> None:
    with pytest.raises(StoreError, match="cannot be started: OSError"):
        execute(plan(3, SPY), sink=FullDisk(9, "start"))
    assert (Spy.last.calls, Spy.last.closed) == (0, 1)
    with pytest.raises(StoreError, match="not the run's end"):
        execute(plan(3), sink=FullDisk(9, "finish"))


def test_a_wrong_key_ends_the_run_with_one_message() -> None:
    target = scripted({"failure": "authentication", "message": "HTTP 401: wrong key"})
    result = execute(plan(200, target, concurrency=4))
    assert result.status is RunStatus.ABORTED
    assert result.stop_reason == "the target refuses the credentials: HTTP 401: wrong key"
    assert result.statistics.error_tasks <= 4
    assert result.statistics.cancelled_tasks == 200 - result.statistics.error_tasks
    last = result.task_results[-1]
    assert last.error is not None
    assert (last.status, last.attempts, last.error.kind) == (TaskStatus.CANCELLED, 0, ErrorKind.CANCELLED)
    assert "wrong key" in last.error.message


def test_an_unreachable_server_ends_the_run_early() -> None:
    target = scripted({"failure": "connection", "message": "connection refused"})
    began = time.monotonic()
    result = execute(plan(500, target, concurrency=8, max_retries=1), seed=1)
    assert (result.status, result.stop_reason) == (RunStatus.ABORTED, "cannot reach the target: connection refused")
    assert time.monotonic() - began < 2
    assert result.statistics.cancelled_tasks >= 490


def test_a_single_case_and_no_server_is_an_aborted_run_too() -> None:
    result = execute(plan(1, scripted({"failure": "connection"}), max_retries=0))
    assert (result.status, statuses(result)) == (RunStatus.ABORTED, ["error"])


def test_a_model_that_does_not_exist_ends_the_run_early() -> None:
    result = execute(plan(100, scripted({"failure": "bad_request", "message": "no model 'x'"}), concurrency=2))
    assert result.status is RunStatus.ABORTED
    assert result.stop_reason == "the target refuses every request: no model 'x'"
    assert result.statistics.error_tasks <= 4


def test_max_calls_is_exact_with_retries_and_concurrency() -> None:
    flaky = scripted({"failure": "server", "times": 1}, default="ok")
    result = execute(plan(50, flaky, budget=Budget(max_calls=31), concurrency=10), seed=0)
    assert result.status is RunStatus.BUDGET_EXHAUSTED
    assert result.stop_reason == "the budget of 31 calls (max_calls) is spent"
    assert sum(task.attempts for task in result.task_results) == 31
    kinds = {task.error.kind for task in result.task_results if task.status is TaskStatus.CANCELLED and task.error}
    assert kinds == {ErrorKind.BUDGET}
    assert result.statistics.completed_tasks + result.statistics.cancelled_tasks == 50


def test_a_budget_that_just_suffices_completes_the_run() -> None:
    assert execute(plan(10, budget=Budget(max_calls=10))).status is RunStatus.COMPLETED


def test_a_usd_budget_that_cannot_be_kept_is_told() -> None:
    target = PluginTarget(kind="test_executor_service:Unpriced")
    result = execute(plan(3, target, budget=Budget(max_cost_usd=0.5)))
    assert result.statistics.total_cost is None
    assert result.metadata["warnings"] == [
        "max_cost_usd 0.5 could not be kept: the price of 3 calls is unknown; set target.price"
    ]


class Unpriced(Spy):
    def __init__(self) -> None:
        super().__init__(self._priced)

    cost: float | None = None

    async def _priced(self, request: Any) -> Any:
        from sharpen.targets.base import TargetResponse

        return TargetResponse("ok", cost=self.cost)


class Priced(Unpriced):
    cost = 0.25


def test_a_second_run_is_answered_by_the_cache_within_any_budget() -> None:
    memory = Memory()
    target = scripted(default="answer 1", latency_ms=5)
    first = execute(plan(6, target, assertions=(EQUALS,), repeats=2), cache=memory)
    second = execute(plan(6, target, assertions=(EQUALS,), repeats=2), cache=memory)
    assert second.statistics.cached_tasks == second.statistics.total_tasks == 12
    assert statuses(second) == statuses(first)
    assert all(task.cost == 0 and task.attempts == 0 and task.execution_time > 0 for task in second.task_results)

    more = execute(plan(8, target, budget=Budget(max_calls=1), repeats=2, concurrency=1), cache=memory)
    assert more.status is RunStatus.BUDGET_EXHAUSTED
    assert (more.statistics.cached_tasks, more.statistics.cancelled_tasks) == (12, 3)


@pytest.mark.parametrize(("kind", "price"), [("Unpriced", None), ("Priced", 0.25)])
def test_a_remembered_answer_is_free_and_keeps_its_price(kind: str, price: float | None) -> None:
    memory = Memory()
    target = PluginTarget(kind=f"test_executor_service:{kind}")
    paid, cached = (execute(plan(2, target), cache=memory) for _ in range(2))
    assert {(task.cost, task.saved_cost, task.price) for task in paid.task_results} == {(price, 0.0, price)}
    assert {(task.cost, task.saved_cost, task.price) for task in cached.task_results} == {(0.0, price, price)}
    assert (cached.statistics.cached_tasks, cached.statistics.total_cost) == (2, 0)  # what was really spent


def test_a_spent_budget_still_lets_remembered_answers_through() -> None:
    memory = Memory()
    execute(plan(dataset=cases(9)[5:]), cache=memory)
    result = execute(plan(9, budget=Budget(max_calls=2), concurrency=1), cache=memory)
    assert statuses(result) == ["succeeded"] * 2 + ["cancelled"] * 3 + ["succeeded"] * 4


def test_the_plan_can_switch_the_cache_off() -> None:
    memory = Memory()
    execute(plan(3, cache=False), cache=memory)
    assert memory.answers == {}


def test_the_rate_limit_is_kept() -> None:
    result = execute(plan(6, rate_limit=RateLimit(requests_per_minute=1200)))
    assert (result.finished_at - result.started_at).total_seconds() < 2
    result = execute(plan(30, rate_limit=RateLimit(requests_per_minute=1200)))
    assert (result.finished_at - result.started_at).total_seconds() >= 0.45  # 20 at once, 10 more at 20 a second


JUDGE = scripted(default='{"pass": true, "score": 0.75, "reason": "fine"}', latency_ms=1)
RUBRIC = RubricAssertion(type="llm-rubric", value="is polite", judge=JUDGE)


def test_judges_are_called_by_the_same_rules_and_counted_apart() -> None:
    journal = Journal()
    result = execute(plan(4, assertions=(RUBRIC,), budget=Budget(max_calls=100)), sink=journal)
    assert statuses(result) == ["succeeded"] * 4
    assert all(task.judge.calls == 1 and task.judge.tokens > 10 and task.score == 0.75 for task in result.task_results)
    assert result.statistics.judge.calls == 4
    assert result.statistics.total_tokens == 4 * 3  # "say 0" and "ok"


def test_a_budget_spent_on_judges_cancels_the_task_and_keeps_what_it_cost() -> None:
    result = execute(plan(4, assertions=(RUBRIC,), budget=Budget(max_calls=3), concurrency=1))
    assert statuses(result) == ["succeeded", "cancelled", "cancelled", "cancelled"]
    half = result.task_results[1]
    assert half.error is not None
    assert (half.attempts, half.error.kind) == (1, ErrorKind.BUDGET)
    assert result.status is RunStatus.BUDGET_EXHAUSTED


def test_a_judge_that_fails_is_the_assertion_s_failure_and_one_with_a_wrong_key_the_run_s() -> None:
    down = RUBRIC.model_copy(update={"judge": scripted({"failure": "content_filter"})})
    result = execute(plan(2, assertions=(down,), max_retries=0))
    assert statuses(result) == ["failed", "failed"]
    assert {task.error.kind for task in result.task_results if task.error} == {ErrorKind.ASSERTION_CRASH}
    locked = RUBRIC.model_copy(update={"judge": scripted({"failure": "authentication"})})
    result = execute(plan(50, assertions=(locked,), concurrency=2))
    assert result.status is RunStatus.ABORTED
    assert (result.stop_reason or "").startswith("the judge refuses the credentials")


def test_a_judge_of_a_single_case_is_opened_too() -> None:
    dataset = (Case(id="plain", vars={"x": 1}), Case(id="judged", vars={"x": 2}, assertions=(RUBRIC,)))
    result = execute(plan(dataset=dataset))
    assert [task.judge.calls for task in result.task_results] == [0, 1]


class CancelAfter(Journal):
    """Cancels its service when so many tasks are shown."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.service = ExecutorService(sink=self, observer=self)

    def task_finished(self, result: TaskResult, statistics: Any) -> None:
        super().task_finished(result, statistics)
        if statistics.completed_tasks >= self.number:
            self.service.cancel()


def test_cancelling_lets_calls_under_way_finish_and_marks_the_rest() -> None:
    journal = CancelAfter(10)
    result = journal.service.execute_test_plan(plan(1000, scripted(default="x", latency_ms=10), concurrency=5))
    assert (result.status, result.stop_reason) == (RunStatus.CANCELLED, "cancelled by the user")
    assert 10 <= result.statistics.succeeded_tasks <= 20  # shown is what is durable, a call or two later
    assert result.statistics.cancelled_tasks == 1000 - result.statistics.succeeded_tasks
    assert len(journal.results) == result.statistics.succeeded_tasks  # tasks never called are saved by the run's end
    assert journal.events[-1] == ("shown finish", "cancelled")


def test_cancelling_after_the_last_task_changes_nothing() -> None:
    assert CancelAfter(4).service.execute_test_plan(plan(4)).status is RunStatus.COMPLETED


def test_another_thread_may_cancel() -> None:
    begun = threading.Event()

    class Watcher(Journal):
        def run_started(self, start: Any) -> None:
            begun.set()

    service = ExecutorService(observer=Watcher())
    canceller = threading.Thread(target=lambda: begun.wait(30) and service.cancel())
    canceller.start()  # a plain timer may go off before the run has begun, when there is nothing to cancel
    result = service.execute_test_plan(plan(1000, scripted(default="x", latency_ms=50), concurrency=2))
    canceller.join()
    assert result.status is RunStatus.CANCELLED
    assert result.statistics.succeeded_tasks < 20


async def test_a_session_cancelled_by_another_thread_before_it_is_entered_makes_no_call() -> None:
    session = ExecutionSession(plan(5, SPY))
    thread = threading.Thread(target=session.cancel)
    thread.start()
    thread.join()
    async with session:
        result = await session.run()
    assert (result.status, Spy.last.calls) == (RunStatus.CANCELLED, 0)


async def test_cancelling_the_awaiting_task_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    run = asyncio.create_task(ExecutorService().execute_test_plan_async(plan(9, SPY_SLOW, concurrency=3)))
    await asyncio.sleep(0.05)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert asyncio.all_tasks() == before
    assert (Spy.last.closed, Spy.last.in_flight) == (1, 0)


class Slow(Spy):
    def __init__(self) -> None:
        super().__init__(lambda request: asyncio.sleep(60))


SPY_SLOW = PluginTarget(kind="test_executor_service:Slow")


class Bug(Journal):
    def task_finished(self, result: TaskResult, statistics: Any) -> None:
        raise LookupError("the observer is broken")


async def test_a_broken_observer_surfaces_as_itself_and_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    with pytest.raises(LookupError, match="observer is broken"):
        await ExecutorService(observer=Bug()).execute_test_plan_async(plan(50, SPY, concurrency=5))
    assert asyncio.all_tasks() == before
    assert Spy.last.closed == 1
