"""The Pareto front and the places in the race, as every report shows them."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from factories import make_outcome, triage_cases
from sharpen.optimizer.models import CandidateReport, OptimizationOutcome, StrategyShare
from sharpen.reporting.chart_data import fronts
from sharpen.reporting.charts import front
from sharpen.reporting.console_front import SHOWN, print_front
from sharpen.reporting.front_tables import baseline_on_dev, cut_line, front_table, share_rows
from sharpen.reporting.html import render_optimization_html
from sharpen.reporting.markdown import optimization_markdown

SHARES = (
    StrategyShare(generation=1, strategy="demonstrations", offered=8, entered=5, reason="by turns"),
    StrategyShare(generation=1, strategy="rewrite", offered=3, entered=3, reason="all it offered"),
    StrategyShare(generation=2, strategy="clarity_focus", offered=4, entered=3, reason="not tried before"),
)


def candidate(
    name: str, rate: float, tokens: float, latency: float, cost: float | None, **fields: Any
) -> CandidateReport:
    base = make_outcome().candidates[0]
    assert base.dev is not None
    changes = {"success_rate": rate, "tokens_per_request": tokens, "avg_latency_ms": latency, "cost_per_request": cost}
    return base.model_copy(update={"id": name, "dev": base.dev.model_copy(update=changes), **fields})


def outcome(scored: bool = False, priced: bool = True, **fields: Any) -> OptimizationOutcome:
    def made(name: str, rate: float, tokens: float, latency: float, score: float, **more: Any) -> CandidateReport:
        cost = 1e-6 * tokens if priced else None
        return candidate(name, rate, tokens, latency, cost, score=score if scored else None, **more)

    every = (
        made("c1", 0.9, 120, 500, 0.31),
        made("c2", 0.8, 40, 300, 0.42, status="winner"),
        made("c3", 0.8, 60, 100, 0.2),
        made("c4", 0.5, 130, 900, -0.1),
    )
    return make_outcome(candidates=every, **fields)


def shown(found: OptimizationOutcome, width: int = 80) -> str:
    file = io.StringIO()
    print_front(Console(file=file, width=width), found)
    return file.getvalue()


def test_the_table_holds_the_baseline_on_dev_and_the_front_with_what_is_known() -> None:
    found = front_table(outcome(scored=True))
    assert found.columns == ("", "Pass rate", "Dev cases", "Tokens", "USD", "Latency", "Score")
    assert [row[0] for row in found.rows] == [
        "baseline", "c1 clarity_focus", "c2 clarity_focus", "c3 clarity_focus",
    ]  # fmt: skip
    assert found.rows[0][2] == "45"
    assert found.rows[0][-1] == "0.000"
    assert found.rows[2] == ("c2 clarity_focus", "80.0%", "45", "40", "$0.000040", "300 ms", "+0.420")
    assert found.winner == 2
    assert front_table(outcome()).columns[-1] == "Latency"
    assert not front_table(make_outcome(candidates=()))


def test_a_price_that_nobody_knows_has_no_column() -> None:
    story = outcome(priced=False)
    run = story.baseline_run
    free = run.model_copy(update={"task_results": tuple(t.model_copy(update={"cost": None}) for t in run.task_results)})
    assert "USD" not in front_table(story.model_copy(update={"baseline_run": free})).columns


def test_without_dev_cases_the_baseline_is_that_of_all() -> None:
    story = outcome(split={})
    assert baseline_on_dev(story).cases == story.baseline.ran_tests
    assert baseline_on_dev(outcome()).cases == 45


def test_pictures_of_tokens_and_of_latency_each_with_their_own_line() -> None:
    (tokens_title, tokens), (time_title, times) = fronts(outcome())
    assert (tokens_title, time_title) == ("Pass rate against tokens per request", "Pass rate against mean latency")
    assert "c3: 80.0% at 60 tokens" in tokens
    assert "c3: 80.0% at 100 ms" in times
    path = tokens.partition('<polyline class="front" points="')[2].partition('"')[0]
    assert len(path.split()) == 2  # c2 and c1; c3 is beaten here, it stands on the front for its latency
    assert fronts(make_outcome(candidates=outcome().candidates[:1])) == []
    free = tuple(candidate(f"c{n}", 0.5, 0, 0, None) for n in range(2))
    assert fronts(make_outcome(candidates=free)) == []
    assert "polyline" not in front([("c1", 0.9, 9.0, True), ("c2", 0.9, 9.0, True)], (0.0, 0.0))


def test_what_did_not_enter_is_told_and_nothing_else_is() -> None:
    assert cut_line(SHARES) == (
        "4 of 15 candidates did not enter, for want of places: demonstrations 3 of 8 (generation 1), "
        "clarity_focus 1 of 4 (generation 2)"
    )
    assert cut_line(SHARES[1:2]) == cut_line(()) == ""
    assert share_rows(SHARES)[0] == ("1", "demonstrations", "8", "5", "by turns")


def test_the_terminal_shows_a_front_that_leaves_a_choice() -> None:
    text = shown(outcome(scored=True, shares=SHARES))
    assert "4 of 15 candidates did not enter" in text
    assert all(len(line) <= 80 for line in text.splitlines())
    rows = [line.split()[0] for line in text.splitlines() if line.startswith(("  baseline", "  c1", "  c2", "  c3"))]
    assert rows == ["baseline", "c1", "c2", "c3"]
    assert shown(make_outcome(candidates=outcome().candidates[3:])) == ""


def test_a_long_front_is_cut_but_for_the_winner() -> None:
    many = [candidate(f"c{n:02}", 0.9 - n / 100, 100 - n, 100, None) for n in range(12)]
    many[10] = many[10].model_copy(update={"status": "winner"})
    text = shown(make_outcome(candidates=tuple(many)))
    assert f"… and {12 - SHOWN - 1} more" in text
    assert "c10" in text


def test_page_and_comment_show_the_front_the_scores_and_the_places() -> None:
    story = outcome(scored=True, shares=SHARES)
    page = render_optimization_html(story, triage_cases())
    for words in ("Pareto front", "+0.420", "Pass rate against mean latency", "Places in the race", "by turns"):
        assert words in page
    comment = optimization_markdown(story, triage_cases())
    row = r"| c2 clarity\_focus (winner) | 80.0% | 45 | 40 | \$0.000040 | 300 ms | \+0.420 |"
    assert row in comment
    assert "4 of 15 candidates did not enter" in comment
    plain = optimization_markdown(make_outcome(candidates=(), shares=SHARES), triage_cases())
    assert "Pareto front" not in plain
    assert "did not enter" in plain
