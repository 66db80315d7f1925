"""A workflow's history: change points tied to what was changed just before."""

from datetime import UTC, datetime, timedelta

from sharpen.executor.models import RunStatus
from sharpen.history.trends import HistoryRun, Series, Trend, input_changes, trend_of

STARTED = datetime(2026, 3, 1, tzinfo=UTC)


def run(number, passed=36, **changes):
    values = {
        "run_id": f"run-{number:02}",
        "started_at": STARTED + timedelta(days=number),
        "status": RunStatus.COMPLETED,
        "cases": 40,
        "passed": passed,
        "p95_latency_ms": 100.0 + number % 5,
        "tokens_per_request": 50.0,
        "cost_per_request": 0.0,
        "version": "1.0.0",
        "model": "m",
        "target": "t1",
        "prompt": "p1",
        "data_set": "d1",
    }
    return HistoryRun(**(values | changes))


def test_a_drop_is_tied_to_what_was_changed_just_before():
    new = {"version": "2.0.0", "prompt": "p2", "parameters": {"temperature": 1}}
    trend = trend_of("w", [run(n, 36) for n in range(10)] + [run(n, 12, **new) for n in range(10, 20)])
    (change,) = trend.changes
    assert (change.series, change.run_id, change.better) == (Series.SUCCESS, "run-10", False)
    assert (change.before, change.after) == (0.9, 0.3)
    assert [cause.text for cause in change.causes] == [
        "prompt 1.0.0 → 2.0.0",
        "parameter temperature not set → 1",
    ]
    assert [each.run_id for each in trend.inputs] == ["run-10", "run-10"]
    assert Trend.model_validate_json(trend.model_dump_json()) == trend


def test_nothing_known_was_changed():
    trend = trend_of("w", [run(n, 36) for n in range(10)] + [run(n, 12) for n in range(10, 20)])
    assert trend.changes[0].causes == ()


def test_the_cause_may_be_a_run_away_where_the_place_is_uncertain():
    slower = [run(n, p95_latency_ms=100.0 + n % 3) for n in range(12)]
    slower += [run(12, p95_latency_ms=101.5, model="other")]
    slower += [run(n, p95_latency_ms=200.0 + n % 3, model="other") for n in range(13, 26)]
    change = next(each for each in trend_of("w", slower).changes if each.series is Series.P95)
    assert [cause.text for cause in change.causes] == ["model m → other"]
    assert change.better is False


def test_how_a_mean_of_equal_figures_was_rounded_is_no_change():
    """360 answers of the same price have another mean than 120, by its last bit."""
    prices = [1e-4 if number < 20 else 1.0000000000000003e-4 for number in range(60)]
    assert trend_of("w", [run(number, cost_per_request=price) for number, price in enumerate(prices)]).changes == ()
    prices = [1e-4 if number < 20 else 1.01e-4 for number in range(60)]
    (change,) = trend_of("w", [run(number, cost_per_request=price) for number, price in enumerate(prices)]).changes
    assert change.series is Series.COST


def test_fewer_tokens_are_better():
    runs = [run(n) for n in range(15)] + [run(n, tokens_per_request=20.0) for n in range(15, 30)]
    (change,) = trend_of("w", runs).changes
    assert (change.series, change.better, change.before, change.after) == (Series.TOKENS, True, 50.0, 20.0)


def test_runs_that_were_cut_short_are_shown_but_prove_nothing():
    cut = [run(n, 0, status=RunStatus.CANCELLED) for n in range(10, 14)]
    trend = trend_of("w", [*(run(n) for n in range(10)), *cut, *(run(n) for n in range(14, 20))])
    assert trend.changes == ()
    assert len(trend.runs) == 20


def test_unknown_figures_and_short_histories():
    assert trend_of("w", []).changes == ()
    assert trend_of("w", [run(0), run(1, 0)]).changes == ()
    unknown = [run(n, p95_latency_ms=None, tokens_per_request=None, cost_per_request=None) for n in range(5)]
    assert trend_of("w", unknown).totals(Series.P95) == []
    assert run(0, cases=0, passed=0).success_rate is None


def test_every_input_that_differs_is_named_once():
    assert input_changes(run(0), run(1)) == ()
    texts = [change.text for change in input_changes(run(0), run(1, model="n", target="t2", data_set="d2" * 8))]
    assert texts == ["model m → n", "data set d1 → d2d2d2d2"]
    assert [change.text for change in input_changes(run(0), run(1, target="t2"))] == ["target t1 → t2"]
    assert [change.text for change in input_changes(run(0), run(1, data_set=None))] == ["data set d1 → unknown"]
    old, new = run(0, version=None, prompt="a" * 64), run(1, version=None, prompt="b" * 64)
    assert [change.text for change in input_changes(old, new)] == ["prompt aaaaaaaa → bbbbbbbb"]
