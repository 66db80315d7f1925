"""Several runs on one open target, as the optimizer makes them."""

import pytest
from executor_kit import Journal, Memory, Spy, cases, plan, scripted

from sharpen.config.models import Budget, PromptTemplate
from sharpen.config.targets import PluginTarget
from sharpen.errors import EmptyDatasetError
from sharpen.executor.budget import BudgetMeter
from sharpen.executor.executor_service import ExecutorService
from sharpen.executor.models import RunStatus, TaskStatus
from sharpen.targets.base import Message, TargetRequest

SPY = PluginTarget(kind="executor_kit:Spy")


async def test_several_runs_share_one_open_target() -> None:
    journal = Journal()
    async with ExecutorService(sink=journal).session(plan(6, SPY)) as session:
        everything = await session.run()
        some = await session.run(
            cases=session.cases[2:4], prompt=PromptTemplate.from_text("other {{ x }}"),
            purpose="candidate", run_id="run-x", parent_run_id=everything.run_id,
        )  # fmt: skip
        assert session.target_identity == {"kind": "spy"}
        assert Spy.last.closed == 0
    assert [task.output for task in some.task_results] == ["other 2", "other 3"]
    assert (some.run_id, some.metadata["purpose"], some.metadata["parent_run_id"]) == (
        "run-x", "candidate", everything.run_id,
    )  # fmt: skip
    assert some.metadata["prompt_hash"] == PromptTemplate.from_text("other {{ x }}").content_hash
    assert [start.purpose for start in journal.starts] == ["run", "candidate"]
    assert (Spy.last.opened, Spy.last.closed, Spy.last.calls) == (1, 1, 8)


async def test_an_empty_choice_of_cases_is_an_error() -> None:
    async with ExecutorService().session(plan(2)) as session:
        with pytest.raises(EmptyDatasetError):
            await session.run(cases=[])


async def test_budgets_hold_over_all_runs_and_callers_of_a_session() -> None:
    whole = BudgetMeter(Budget(max_calls=7))
    async with ExecutorService().session(plan(3, budget=Budget(max_calls=100)), budget=whole) as session:
        assert (await session.run()).status is RunStatus.COMPLETED
        rewriter = await session.caller_for(scripted(default="a better prompt"))
        outcome = await rewriter.call(TargetRequest((Message("user", "improve"),)))
        assert outcome.response is not None
        assert outcome.response.output == "a better prompt"
        assert (whole.calls_made(), session.meter.calls_made(), session.meter.calls_left()) == (4, 4, 3)
        second = await session.run()
        third = await session.run()
        assert (second.status, third.status) == (RunStatus.COMPLETED, RunStatus.BUDGET_EXHAUSTED)
        assert third.statistics.cancelled_tasks == 3
        outcome = await rewriter.call(TargetRequest((Message("user", "improve again"),)))
        assert outcome.stopped
    assert whole.calls_made() == 7


async def test_a_target_asked_for_twice_is_opened_once() -> None:
    async with ExecutorService().session(plan(1, SPY)) as session:
        main = Spy.last
        assert (await session.caller_for(SPY)).target is main
        other = PluginTarget(kind="executor_kit:Spy", options={"answer": None})
        first, second = await session.caller_for(other), await session.caller_for(other)
        assert first.target is second.target is not main
    assert main.closed == Spy.last.closed == 1


async def test_finished_tasks_are_taken_over_and_never_called_again() -> None:
    journal = Journal()
    async with ExecutorService().session(plan(5, SPY, repeats=2, budget=Budget(max_calls=4), concurrency=1)) as session:
        broken_off = await session.run(run_id="run-1")
    assert broken_off.statistics.succeeded_tasks == 4
    finished = {(task.case_id, task.repeat): task for task in broken_off.task_results}
    service = ExecutorService(sink=journal, observer=journal)
    async with service.session(plan(5, SPY, repeats=2)) as session:
        whole = await session.run(run_id="run-1", finished=finished)
    assert Spy.last.calls == 6  # cancelled ones are not finished
    assert journal.count("saved") == journal.count("shown") == 6
    assert whole.statistics.succeeded_tasks == 10
    assert [task.task_id for task in whole.task_results] == [f"c{n}#{r}" for n in range(5) for r in (1, 2)]
    assert whole.task_results[:4] == broken_off.task_results[:4]
    assert journal.statistics[0].succeeded_tasks >= 5


async def test_a_server_that_is_gone_is_noticed_by_the_last_task_that_is_left() -> None:
    target = scripted({"case_id": "c4", "failure": "connection"})
    async with ExecutorService().session(plan(5, target, max_retries=0)) as session:
        first = await session.run(cases=session.cases[:4])
        rest = await session.run(finished={(task.case_id, 0): task for task in first.task_results})
    assert (first.status, rest.status) == (RunStatus.COMPLETED, RunStatus.ABORTED)
    assert rest.statistics.succeeded_tasks == 4


async def test_when_all_is_finished_nothing_is_called() -> None:
    async with ExecutorService().session(plan(3, SPY)) as session:
        first = await session.run()
        again = await session.run(finished={(task.case_id, 0): task for task in first.task_results})
    assert Spy.last.calls == 3
    assert again.task_results == first.task_results
    assert again.statistics == first.statistics


async def test_a_cancelled_session_calls_nothing_any_more() -> None:
    async with ExecutorService().session(plan(3, SPY)) as session:
        session.cancel("enough")
        result = await session.run()
        caller = await session.caller_for(SPY)
        outcome = await caller.call(TargetRequest((Message("user", "x"),)))
    assert (result.status, result.stop_reason) == (RunStatus.CANCELLED, "enough")
    assert {task.status for task in result.task_results} == {TaskStatus.CANCELLED}
    assert outcome.stopped
    assert Spy.last.calls == 0


async def test_a_session_that_is_cancelled_while_it_opens_calls_nothing() -> None:
    service = ExecutorService()
    context = service.session(plan(3, PluginTarget(kind="test_executor_session:CancelsWhileOpening")))
    CancelsWhileOpening.service = service
    async with context as session:
        assert (await session.run()).status is RunStatus.CANCELLED
    assert Spy.last.calls == 0


class CancelsWhileOpening(Spy):
    service: ExecutorService

    async def __aenter__(self) -> Spy:
        self.service.cancel()
        return await super().__aenter__()


class Serial(Spy):
    max_concurrency = 2


async def test_a_target_that_serves_few_is_asked_by_few() -> None:
    async with ExecutorService().session(plan(20, PluginTarget(kind="test_executor_session:Serial"))) as session:
        result = await session.run()
    assert Spy.last.most_in_flight == 2
    assert result.statistics.succeeded_tasks == 20


async def test_an_abort_ends_one_run_and_not_the_session() -> None:
    rules = ({"contains": "bad", "failure": "authentication"},)
    async with ExecutorService(cache=Memory()).session(plan(2, scripted(*rules))) as session:
        assert (await session.run(prompt=PromptTemplate.from_text("bad"))).status is RunStatus.ABORTED
        assert (await session.run(cases=cases(2))).status is RunStatus.COMPLETED
