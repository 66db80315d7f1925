"""The contract suites on a SQLite file, and the lossless round trip of anything the models allow."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharpen.assertions.base import AssertionResult
from sharpen.errors import ErrorKind
from sharpen.executor.models import JudgeUsage, RunExecutionResult, RunStatus, TaskError, TaskResult, TaskStatus
from sharpen.executor.statistics import summarize
from sharpen.optimizer.statistics import nearest_rank
from sharpen.storage.store import Store
from sharpen.testing.storage_suite import (
    StoreContract,
    StoredVersionsContract,
    make_result,
    make_run,
    record,
    start_of,
)


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def store_url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/store.db"


class TestSqliteVersions(StoredVersionsContract):
    @pytest.fixture
    def store_url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/store.db"


text = st.text(st.characters(), max_size=20)  # every code point, lone surrogates and NUL included
counts = st.integers(min_value=0, max_value=2**31 - 1)
tokens = st.integers(min_value=0, max_value=2**62)
amounts = st.floats(min_value=0, max_value=1e300)  # their sums stay finite
shares = st.floats(min_value=0, max_value=1)
moments = st.datetimes(
    min_value=datetime(2, 1, 1),
    max_value=datetime(9000, 1, 1),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-11))]),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
assertions = st.builds(
    AssertionResult,
    type=text,
    passed=st.booleans(),
    score=shares,
    weight=st.floats(min_value=0, allow_nan=False),
    reason=text,
    error=st.none() | st.sampled_from(ErrorKind),
)
errors = st.builds(
    TaskError,
    kind=st.sampled_from(ErrorKind),
    message=text,
    http_status=st.none() | st.integers(min_value=-(2**31), max_value=2**31 - 1),
    retryable=st.booleans(),
)
results = st.builds(
    TaskResult,
    task_id=text,
    case_id=text,
    repeat=st.integers(min_value=0, max_value=2),
    status=st.sampled_from(TaskStatus),
    execution_time=amounts,
    wait_time=amounts,
    attempts=counts,
    prompt_tokens=tokens,
    completion_tokens=tokens,
    total_tokens=tokens,
    cost=st.none() | amounts,
    saved_cost=st.none() | amounts,
    output=st.none() | text,
    finish_reason=st.none() | text,
    score=st.none() | shares,
    assertion_results=st.lists(assertions, max_size=3).map(tuple),
    error=st.none() | errors,
    cached=st.booleans(),
    judge=st.builds(JudgeUsage, calls=counts, tokens=tokens, cost=st.none() | amounts),
)


@st.composite
def runs(draw: st.DrawFn) -> RunExecutionResult:
    drawn = draw(st.lists(results, max_size=6, unique_by=lambda result: (result.case_id, result.repeat)))
    order = list(dict.fromkeys(result.case_id for result in drawn))
    drawn.sort(key=lambda result: (order.index(result.case_id), result.repeat))
    started = draw(moments)
    return RunExecutionResult(
        run_id="",
        workflow_id=draw(text),
        started_at=started,
        finished_at=started + draw(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400))),
        statistics=summarize(drawn).model_copy(update={"total_cost": draw(st.none() | amounts)}),
        task_results=tuple(drawn),
        status=draw(st.sampled_from(RunStatus)),
        stop_reason=draw(st.none() | text),
        metadata=draw(st.dictionaries(text, json_values, max_size=3)),
    )


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('shared')}/store.db") as store:
        yield store


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(run=runs(), saved=st.integers(min_value=0, max_value=6))
def test_every_result_comes_back_exactly(shared_store: Store, run: RunExecutionResult, saved: int) -> None:
    run = run.model_copy(update={"run_id": uuid4().hex})  # examples share a store

    async def send() -> None:
        sink = shared_store.sink()
        await sink.start_run(start_of(run))
        for result in reversed(run.task_results[:saved]):
            await sink.save_result(run.run_id, result)
        await sink.finish_run(run)  # saves what never came

    asyncio.run(send())
    loaded = shared_store.runs.load_result(run.run_id)
    assert loaded == run
    assert repr(loaded.task_results) == repr(run.task_results)  # the types too: 0.0 is not 0, False not 0


def test_an_absurd_number_of_tokens_keeps_no_run_from_ending(store_url: str) -> None:
    run = make_run("r1", [make_result(name, total_tokens=2**62) for name in ("a", "b")])
    with Store.open(store_url) as store:
        record(store, run)
        assert store.runs.load_result("r1") == run
        assert store.history.of("triage")[0].total_tokens == 2**63 - 1


def test_the_percentiles_of_the_history_are_those_of_all_completed_tasks(store_url: str) -> None:
    ended = (TaskStatus.CANCELLED, TaskStatus.SUCCEEDED, TaskStatus.TIMEOUT)
    results = [make_result(f"c{n}", status=ended[n % 3], execution_time=n * 37 % 101) for n in range(100)]
    times = [result.execution_time for result in results if result.status.completed]
    with Store.open(store_url) as store:
        record(store, make_run("r1", results))
        point = store.history.of("triage")[0]
    assert [point.p50_time, point.p95_time, point.p99_time] == [nearest_rank(times, p) for p in (50, 95, 99)]
