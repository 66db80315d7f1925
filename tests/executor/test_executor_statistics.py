import math
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.executor.models import JudgeUsage, RunStatistics, TaskResult, TaskStatus
from sharpen.executor.statistics import ExactSum, StatisticsAccumulator, summarize

ENDED = [status for status in TaskStatus if status.completed or status is TaskStatus.CANCELLED]
seconds = st.floats(0, 1e6)
costs = st.one_of(st.none(), st.floats(0, 1e3))

results = st.lists(
    st.builds(
        TaskResult,
        task_id=st.text(max_size=3),
        case_id=st.text(max_size=3),
        status=st.sampled_from(ENDED),
        execution_time=seconds,
        attempts=st.integers(0, 5),
        total_tokens=st.integers(0, 10**6),
        cost=costs,
        cached=st.booleans(),
        judge=st.builds(JudgeUsage, calls=st.integers(0, 3), tokens=st.integers(0, 99), cost=costs),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(results, st.integers(0, 5), st.integers())
def test_statistics_count_and_sum_in_any_order(found: list[TaskResult], missing: int, seed: int) -> None:
    statistics = summarize(found, len(found) + missing)
    completed = [result for result in found if result.status.completed]
    assert RunStatistics.model_validate(statistics.model_dump()) == statistics  # what was built unchecked is valid
    assert statistics.total_tasks == len(found) + missing
    assert statistics.completed_tasks == len(completed)
    assert statistics.cancelled_tasks == len(found) - len(completed)
    assert statistics.total_tokens == sum(result.total_tokens for result in found)
    assert statistics.total_retries == sum(max(0, result.attempts - 1) for result in found)
    assert statistics.cached_tasks == sum(result.cached for result in found)
    if completed:
        total = math.fsum(result.execution_time for result in completed)
        assert statistics.avg_execution_time == total / len(completed)
    known = [result.cost for result in found if result.cost is not None]
    assert statistics.total_cost == (math.fsum(known) if len(known) == len(found) else None)
    shuffled = random.Random(seed).sample(found, len(found))
    assert summarize(shuffled, len(found) + missing) == statistics


@settings(max_examples=40, deadline=None)
@given(results)
def test_judges_are_counted_apart(found: list[TaskResult]) -> None:
    judge = summarize(found).judge
    judged = [result.judge for result in found if result.judge.calls]
    assert judge.calls == sum(usage.calls for usage in judged)
    assert judge.tokens == sum(usage.tokens for usage in judged)
    known = [usage.cost for usage in judged if usage.cost is not None]
    assert judge.cost == (math.fsum(known) if len(known) == len(judged) else None)


@settings(deadline=None)
@given(st.lists(st.floats(-1e300, 1e300), max_size=50))
def test_sums_are_rounded_once(values: list[float]) -> None:
    total = ExactSum()
    for value in values:
        total.add(value / 64)
    assert total.value == math.fsum(value / 64 for value in values)


def test_nothing_counted_is_all_zero() -> None:
    statistics = StatisticsAccumulator(0).statistics()
    assert statistics == RunStatistics(total_tasks=0)
    assert statistics.success_rate == 0
