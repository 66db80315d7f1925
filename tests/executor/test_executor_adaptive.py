"""Against servers that limit (virtual time): nearly all of what is allowed, and no storm of refusals."""

import asyncio
from collections.abc import Callable

import pytest
from executor_kit import now, run_virtual
from simulated_servers import (
    AtRandom,
    Both,
    Bucket,
    Fixed,
    LimitingServer,
    Outage,
    Rule,
    Scenario,
    SideBySide,
    Sliding,
    keep_busy,
)

from sharpen.config.models import RateLimit
from sharpen.executor.adaptive import AdaptiveLimit
from sharpen.executor.limits import Limiter

WORKERS = 64


def _run(rule: Rule, latency: float, tells: bool, seconds: float, seed: int = 0) -> tuple[LimitingServer, float]:
    """The server afterwards, and the share of what it would have allowed."""
    server = LimitingServer(rule, latency, tells, seed=seed)
    _, failed = run_virtual(keep_busy(server, seconds, WORKERS))
    assert failed == 0  # no case is lost to a limit
    return server, server.accepted / min(rule.allowed(seconds), WORKERS / latency * seconds)


@pytest.mark.no_cover
@pytest.mark.parametrize("tells", [True, False], ids=["retry-after", "silent"])
@pytest.mark.parametrize(
    ("rule", "latency", "seconds"),
    [
        (lambda: Bucket(50, 50), 0.1, 120),
        (lambda: Bucket(20, 1200), 0.1, 240),
        (lambda: Bucket(5, 5), 2.0, 120),
        (lambda: Sliding(50, 1.0), 0.1, 240),
        (lambda: Fixed(50, 1.0, 0.3), 0.1, 240),
        (lambda: Sliding(300, 60), 2.0, 600),
        (lambda: Fixed(300, 60), 0.1, 600),
        (lambda: Fixed(1200, 60, 30), 2.0, 600),
        (lambda: SideBySide(10, 0.1), 0.1, 120),
        (lambda: SideBySide(2, 2.0), 2.0, 240),
        (lambda: SideBySide(40, 2.0), 2.0, 240),
    ],
    ids=[
        "bucket", "bucket-of-a-minute", "slow-bucket", "sliding-second", "fixed-second", "sliding-minute",
        "fixed-minute", "fixed-minute-begun", "10-side-by-side", "2-side-by-side", "40-side-by-side",
    ],
)  # fmt: skip
def test_nine_tenths_of_what_is_allowed_without_a_storm(
    rule: object, latency: float, seconds: float, tells: bool
) -> None:
    server, share = _run(rule(), latency, tells, seconds)  # type: ignore[operator] # a factory of the table above
    assert share >= 0.9
    episodes = server.episodes()
    assert len(episodes) <= seconds / 5
    # only the burst of the first instant meets many refusals, later one or a few calls find out for all
    assert all(refused <= 10 for _, refused, _ in episodes[1:])
    if tells:  # never twice in a row: whoever is told when to come back is answered then
        assert all(accepted > 0 for _, _, accepted in episodes[1:])


@pytest.mark.no_cover
@pytest.mark.parametrize("tells", [True, False], ids=["retry-after", "silent"])
@pytest.mark.parametrize(("rate", "seconds"), [(50, 180), (10, 180)])
def test_a_server_without_a_bucket_is_approached_slowly(rate: float, seconds: float, tells: bool) -> None:
    """The hardest one, which refuses any two calls closer than 20 ms: no burst ever tells what it allows."""
    server, share = _run(Bucket(rate, 1), 0.1, tells, seconds)
    assert share >= 0.9
    assert len(server.log) - server.accepted <= WORKERS + 8


@pytest.mark.no_cover
@pytest.mark.parametrize("tells", [True, False], ids=["retry-after", "silent"])
@pytest.mark.parametrize(
    ("share", "workers", "reached"), [(0.01, 24, 0.6), (0.06, 24, 0.5), (0.06, 64, 0.7), (0.2, 24, 0.7)]
)
def test_refusals_at_random_are_told_from_a_limit(share: float, workers: int, reached: float, tells: bool) -> None:
    """To go slower does not help: the calls go on, and only the refused ones wait. The search is part of the time."""
    rule = AtRandom(share)
    server = LimitingServer(rule, 0.1, tells)
    run_virtual(keep_busy(server, 120, workers))
    assert server.accepted >= reached * rule.reachable(workers, 0.1, tells) * 120


@pytest.mark.no_cover
@pytest.mark.parametrize("share", [0.06, 0.1])
def test_a_limit_is_found_among_refusals_at_random(share: float) -> None:
    server = LimitingServer(Both(Bucket(50, 50), AtRandom(share)), 0.1, tells=True)
    run_virtual(keep_busy(server, 180, WORKERS))
    assert server.accepted >= 0.6 * 50 * 180
    assert len(server.log) - server.accepted <= 0.4 * len(server.log)


@pytest.mark.parametrize("latency", [0.1, 1.0])
def test_a_server_without_limits_is_called_by_all_workers_from_the_first_moment(latency: float) -> None:
    server, share = _run(Bucket(1e9, 1e9), latency, False, 10 * latency)
    assert server.log[WORKERS - 1][0] < 0.01
    assert share >= 0.85  # the last calls are under way when the time is up
    assert not server.episodes()


SEEDS = range(5000, 5060)
"""Neither those that the constants were tuned on nor those of the guide's table."""


@pytest.mark.no_cover
@pytest.mark.parametrize("seeds", [SEEDS[:12], pytest.param(SEEDS, marks=pytest.mark.slow)], ids=["some", "all"])
def test_most_of_what_any_limit_allows_is_used_and_refusals_are_seldom_repeated(seeds: range) -> None:
    """Limits drawn at random, start-up included. The guide tells the distribution, and what is below the mark.

    A repeated refusal is one of a call that was started when a refusal was known and nothing accepted since. Silent
    servers have to be asked, so the first window of a minute costs up to six of them, and one that had begun before the
    first call some more; whoever is told when to come back is refused again but by chance.
    """
    runs = [Scenario.drawn(seed).run() for seed in seeds]
    shares = sorted(run.share for run in runs)
    assert shares[len(shares) // 2] >= 0.93
    assert shares[len(shares) // 10] >= 0.8
    assert shares[0] >= 0.45
    told = [run for run in runs if run.scenario.tells]
    silent = [run for run in runs if not run.scenario.tells]
    assert sum(run.repeats == 0 for run in told) >= 0.8 * len(told)
    assert sum(run.late_repeats == 0 for run in silent) >= 0.85 * len(silent)
    assert sum(run.failed for run in runs) <= 0.001 * sum(run.scenario.seconds * run.scenario.rate for run in runs)


@pytest.mark.no_cover
@pytest.mark.parametrize("tells", [True, False], ids=["retry-after", "silent"])
@pytest.mark.parametrize("latency", [0.1, 2.0])
@pytest.mark.parametrize("rate", [5, 10, 50])
def test_no_burst_is_not_taken_for_a_number_side_by_side(rate: float, latency: float, tells: bool) -> None:
    """Two calls that come closer than 1 / rate are refused: one is let in at first, however long it takes."""
    server, share = _run(Bucket(rate, 1), latency, tells, 120)
    assert share >= min(0.85, 0.8 * WORKERS / latency / rate)
    assert server.repeats() == 0


def test_the_length_of_a_silent_window_is_learned_once() -> None:
    server, share = _run(Fixed(300, 60), 0.1, False, 900)
    assert share >= 0.9
    assert server.repeats() <= 6  # after 1, 2, 5, 10, 20 and 30 s
    assert server.repeats(after=61) == 0


@pytest.mark.parametrize("tells", [True, False], ids=["retry-after", "silent"])
def test_a_window_is_counted_from_the_first_call_and_not_from_when_the_run_was_prepared(tells: bool) -> None:
    """Else five seconds look like ten, and half of what is allowed is left for a minute."""
    server = LimitingServer(Sliding(30, 5.0), 0.6, tells)

    async def prepared_early() -> None:
        limiter = Limiter(RateLimit(), 16, now)
        await asyncio.sleep(0.3)
        await keep_busy(server, 60.0, 16, limiter)

    run_virtual(prepared_early())
    assert server.accepted >= 0.8 * Sliding(30, 5.0).allowed(60.0)


@pytest.mark.parametrize(
    ("rule", "latency", "workers", "reached"),
    [
        (lambda: SideBySide(2, 0.8), 0.8, 16, 0.85),
        (lambda: SideBySide(2, 12.0), 12.0, 16, 0.85),
        (lambda: SideBySide(20, 0.8), 0.8, 64, 0.85),
        (lambda: SideBySide(16, 0.1), 0.1, 17, 0.7),
        (lambda: SideBySide(1, 5.0), 5.0, 2, 0.7),
        (lambda: Bucket(10, 1), 0.4, 16, 0.7),
        (lambda: Bucket(10, 10), 0.4, 16, 0.85),
    ],
    ids=["2", "2-slow", "20", "one-too-many", "1-slow", "no-burst", "bucket"],
)
def test_a_server_that_is_busy_above_its_limit_loses_no_case_and_is_not_taken_for_down(
    rule: Callable[[], Rule], latency: float, workers: int, reached: float
) -> None:
    """503 without Retry-After: what reverse proxies and model servers say when too many calls are under way."""
    allowed = rule()
    server = LimitingServer(allowed, latency, tells=False, busy=True)
    _, failed = run_virtual(keep_busy(server, 120.0, workers))
    assert failed == 0
    assert server.accepted >= reached * allowed.allowed(120.0)
    assert len(server.log) - server.accepted <= 4 * workers + 60


@pytest.mark.parametrize("share", [0.01, 0.05])
def test_503_at_random_slows_nobody_down(share: float) -> None:
    rule = AtRandom(share)
    server = LimitingServer(rule, 0.4, tells=False, busy=True)
    _, failed = run_virtual(keep_busy(server, 120.0, 16))
    assert failed == 0
    assert server.accepted >= 0.8 * rule.reachable(16, 0.4, told=False) * 120


@pytest.mark.parametrize("latency", [0.1, 1.5])
@pytest.mark.parametrize("workers", [4, 16, 64])
def test_an_outage_by_503_is_no_limit_and_costs_no_case(workers: int, latency: float) -> None:
    """It ends as it began: nothing was learned from it that would hold calls back afterwards."""
    rule = Outage(5.0, 8.0)
    server = LimitingServer(rule, latency, tells=False, busy=True)
    _, failed = run_virtual(keep_busy(server, 40.0, workers))
    assert failed == 0
    assert server.accepted >= 0.8 * workers / latency * 40


@pytest.mark.parametrize("told", [0.0, 1.0])
@pytest.mark.parametrize("workers", [1, 2, 16])
def test_a_server_that_always_tells_the_same_is_not_believed_for_long(told: float, workers: int) -> None:
    """Else a minute's window is asked every second, or without a pause, until all retries are used up."""
    rule = Fixed(60, 60, 8)
    server = LimitingServer(rule, 0.3, tells=False, always_tells=told)
    _, failed = run_virtual(keep_busy(server, 240.0, workers))
    assert failed == 0
    assert server.accepted >= 0.85 * rule.allowed(240.0)
    assert len(server.log) - server.accepted <= 60


@pytest.mark.parametrize(
    ("rule", "latency", "workers", "told", "reached"),
    [
        (lambda: SideBySide(2, 0.2), 0.2, 32, None, 0.92),
        (lambda: SideBySide(3, 0.5), 0.5, 8, None, 0.92),
        (lambda: SideBySide(8, 0.5), 0.5, 32, None, 0.92),
        (lambda: SideBySide(12, 0.5), 0.5, 13, None, 0.92),
        (lambda: SideBySide(4, 0.5), 0.5, 32, 2.0, 0.88),
        (lambda: SideBySide(14, 1.0), 1.0, 15, 2.0, 0.88),
    ],
    ids=["2", "3", "8", "one-too-many", "4-told", "one-too-many-told"],
)
def test_a_number_side_by_side_is_learned_in_seconds(
    rule: Callable[[], Rule], latency: float, workers: int, told: float | None, reached: float
) -> None:
    """Start-up included, in a minute: two refusals tell it, and the tests of one more hold nothing back."""
    allowed = rule()
    server = LimitingServer(allowed, latency, tells=False, always_tells=told)
    _, failed = run_virtual(keep_busy(server, 60.0, workers))
    assert failed == 0
    assert server.accepted >= reached * allowed.allowed(60.0)
    assert len(server.log) - server.accepted <= workers + 8


@pytest.mark.parametrize(("places", "latency", "workers"), [(2, 1.0, 4), (4, 0.5, 16), (8, 0.5, 32)])
def test_who_comes_to_a_server_whose_places_another_process_holds_gets_some_of_them(
    places: int, latency: float, workers: int
) -> None:
    """Before one more is tried a place is left free: else the second one is refused every call, and gives up cases."""
    allowed = SideBySide(places, latency)
    server = LimitingServer(allowed, latency, tells=False, always_tells=0.2)

    async def both() -> int:
        first = asyncio.create_task(keep_busy(server, 60.0, workers))
        await asyncio.sleep(0.7)
        _, failed = await keep_busy(server, 59.3, workers)
        return failed + (await first)[1]

    assert run_virtual(both()) <= 8  # those that gave up before the first had learned the number
    assert server.accepted >= 0.85 * allowed.allowed(60.0)


@pytest.mark.parametrize("workers", [2, 3, 17])
def test_one_worker_too_many_loses_no_case(workers: int) -> None:
    """Whoever comes while the others hold every place waits for one instead of using up its retries."""
    server = LimitingServer(SideBySide(workers - 1, 0.1), 0.1, tells=False)
    _, failed = run_virtual(keep_busy(server, 120.0, workers))
    assert failed == 0


def test_a_limit_of_a_call_every_five_seconds_loses_no_case() -> None:
    server = LimitingServer(Bucket(0.2, 1), 0.8, tells=False)
    _, failed = run_virtual(keep_busy(server, 300.0, 8))
    assert failed == 0
    assert server.accepted >= 0.5 * 0.2 * 300


@pytest.mark.no_cover
def test_a_limit_that_is_lifted_is_noticed() -> None:
    limit = SideBySide(5, 0.1)
    server = LimitingServer(limit, 0.1, tells=False)

    async def main() -> int:
        import asyncio

        asyncio.get_running_loop().call_later(30, setattr, limit, "limit", 1000)
        limiter, _ = await keep_busy(server, 150, 32)
        return limiter.state().concurrency

    assert run_virtual(main()) >= 16


def test_a_rate_that_is_raised_is_noticed() -> None:
    """The curve alone would be at 22 a second then."""
    bucket = Bucket(20, 20)
    server = LimitingServer(bucket, 0.1, tells=True)

    async def main() -> None:
        asyncio.get_running_loop().call_later(12, setattr, bucket, "rate", 80)
        await keep_busy(server, 45, 32)

    run_virtual(main())
    assert sum(ok and at > 35 for at, ok in server.log) >= 0.8 * 80 * 10


def test_what_was_called_before_a_pause_counts_in_a_window_that_slides() -> None:
    """Told to wait 1 s in a window of a minute: what came after that second is not all that fits into a minute."""
    server = LimitingServer(Sliding(1500, 60.0), 0.07, tells=True)
    run_virtual(keep_busy(server, 420.0, 41))
    assert sum(ok and moment > 120 for moment, ok in server.log) >= 0.9 * 25 * 300


def test_a_window_told_in_whole_seconds_is_not_taken_for_twice_as_long() -> None:
    """Ten seconds from the first call, rounded up, and the way of a call: a bit more than eleven."""
    _, share = _run(Sliding(28, 10.0), 0.5, True, 120.0)
    assert share >= 0.95


def test_a_pause_holds_for_as_long_as_any_of_the_refused_was_told() -> None:
    limit = AdaptiveLimit(8, 0.0, 8)
    assert limit.refused(1.0, False, 0, 2.0, 7, 0.01)
    assert not limit.refused(1.1, True, 0, 5.0, 6, 0.01)
    assert limit.paused_for(1.1) == pytest.approx(5.0)
    assert limit.wait(6.0, 6) == pytest.approx(0.1)
    assert limit.wait(6.2, 0) == 0


def test_calls_that_came_after_the_one_too_many_do_not_make_the_number_smaller() -> None:
    limit = AdaptiveLimit(8, 0.0, 8)
    for beginning in (0.0, 10.0):
        for number in range(1, 7):
            limit.started(beginning, number)
        assert limit.refused(beginning + 0.01, False, 5, None, 5, 0.01)
        assert not limit.refused(beginning + 0.02, True, 6, None, 4, 0.01)
        assert limit.wait(beginning + 5, 0) == 0
        limit.started(beginning + 5, 1)
        limit.answered(beginning + 6, False, 1)
    assert limit.concurrency == 4


def test_a_probe_that_is_cancelled_is_followed_by_another() -> None:
    limit = AdaptiveLimit(8, 0.0, 8)
    limit.refused(1.0, False, 0, None, 0, 1.0)
    assert limit.wait(2.5, 0) == 0
    limit.started(2.5, 1)
    assert limit.wait(2.6, 1) > 0
    limit.dropped(late=False)
    assert limit.wait(2.6, 0) == 0
