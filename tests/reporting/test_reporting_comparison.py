"""A comparison in words: the headline owns up to what broke, and unknown is never shown as nothing."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest

from sharpen.executor.models import RunStatus
from sharpen.history.case_tally import CaseTally
from sharpen.history.flakiness import flakiness_of
from sharpen.history.models import (
    CaseChange,
    CaseCount,
    ChangeKind,
    ComparedRun,
    Comparison,
    DataSetMatch,
    MetricChange,
    MetricName,
    RunDifference,
)
from sharpen.reporting import comparison_text as words
from sharpen.reporting import flakiness_text
from sharpen.reporting.comparison_markdown import comparison_markdown, flakiness_markdown
from sharpen.reporting.comparison_page import comparison_html, flakiness_page
from sharpen.reporting.console_comparison import print_comparison, print_flakiness
from sharpen.reporting.terminal import make_console

PASSED, FAILED = CaseCount(passes=1, runs=1), CaseCount(passes=0, runs=1)


def side(run_id: str, **fields: Any) -> ComparedRun:
    base = {"workflow_id": "w", "label": run_id, "status": RunStatus.COMPLETED, "purpose": "run"}
    return ComparedRun(**{**base, "run_id": run_id, "started_at": datetime(2026, 1, 2, tzinfo=UTC), **fields})


def change(kind: ChangeKind, number: int = 0, **fields: Any) -> CaseChange:
    before, after = (FAILED, PASSED) if kind is ChangeKind.FIXED else (PASSED, FAILED)
    return CaseChange(**{"case_id": f"{kind}-{number}", "kind": kind, "before": before, "after": after, **fields})


def metric(name: MetricName, verdict: str = "no difference shown", **fields: Any) -> MetricChange:
    base = {"before": 1.0, "after": 0.5, "change": -0.5, "low": -0.7, "high": -0.1, "p_value": 0.2, "p_adjusted": 0.4}
    return MetricChange(
        **{**base, "name": name, "verdict": verdict, "test": "a test", "cases": 9, "units": 9, **fields}
    )


def comparison(*metrics: MetricChange, **fields: Any) -> Comparison:
    base: dict[str, Any] = {"first": side("a"), "second": side("b"), "alpha": 0.05, "differences": (), "changes": ()}
    found = metrics or (metric(MetricName.SUCCESS),)
    return Comparison(**{**base, "data": DataSetMatch(paired=9), "metrics": found, **fields})


@pytest.mark.parametrize(
    ("verdicts", "broken", "tone", "text"),
    [
        (("no difference shown", "no difference shown"), 0, "neutral", "Nothing changed beyond chance"),
        (("better", "no difference shown"), 0, "good", "Better success"),
        (("no difference shown", "worse"), 0, "bad", "Worse tokens"),
        (("better", "worse"), 0, "warn", "Better success; worse tokens"),
        (("no difference shown", "better"), 1, "warn", "Better tokens; more cases broken than fixed"),
    ],
)
def test_the_headline_says_what_is_shown(verdicts: tuple[str, str], broken: int, tone: str, text: str) -> None:
    found = comparison(
        metric(MetricName.SUCCESS, verdicts[0]),
        metric(MetricName.TOKENS, verdicts[1]),
        changes=tuple(change(ChangeKind.BROKEN, number) for number in range(broken)),
    )
    assert (words.headline(found).tone, words.headline(found).headline) == (tone, text)
    assert words.headline(found).detail == f"9 cases paired: 0 fixed, {broken} broken."


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"name": MetricName.SUCCESS}, ("100%", "50.0%", "−50.0 pts", "−70.0 … −10.0", "0.400")),
        ({"name": MetricName.TOKENS, "low": None, "high": 2.0}, ("1", "0.5", "−0.5", "? … +2.0", "0.400")),
        ({"name": MetricName.LATENCY_P95, "before": 20_000.0, "after": 5.0, "change": -19_995.0, "low": None,
          "high": None, "p_adjusted": None}, ("20.0 s", "5.0 ms", "−20.00 s", "–", "–")),
        ({"name": MetricName.COST, "before": 0.002, "after": 0.001, "change": -0.001, "low": -0.002, "high": 0.0},
         ("$2.00", "$1.00", "−1.0000 $", "−2.0000 … 0.0000", "0.400")),
        ({"name": MetricName.COST, "before": 0.002, "after": None, "change": None, "low": None, "high": None,
          "p_adjusted": None}, ("$2.00", "unknown", "–", "–", "–")),
    ],
)  # fmt: skip
def test_a_row_keeps_unknown_apart_from_nothing(fields: dict[str, Any], wanted: tuple[str, ...]) -> None:
    (row,) = words.metric_rows(comparison(metric(**fields)))
    assert (row.before, row.after, row.change, row.interval, row.p_value) == wanted


def test_the_words_about_cases() -> None:
    lost = CaseCount(passes=0, runs=1, errors=1)
    assert words.change_text(change(ChangeKind.BROKEN, after=lost)) == "passed → no answer"
    assert words.worth_telling(change(ChangeKind.BROKEN, after=lost))
    assert not words.worth_telling(change(ChangeKind.BROKEN))
    some = CaseCount(passes=1, runs=3, errors=1)
    told = words.change_text(change(ChangeKind.FLAKY, before=some, elsewhere=CaseCount(passes=4, runs=9)))
    assert told == "1/3 (1 error) → failed, 4/9 over all runs"


def test_every_report_holds_everything_within_its_bounds() -> None:
    steady = flakiness_of(
        [CaseTally("<coin>", 1, 2, 1), CaseTally("x" * 90, 1, 2), CaseTally("once", 1, 1), *coins(250)], ("a", "b")
    )
    found = comparison(
        metric(MetricName.SUCCESS, low=None, high=None),
        metric(MetricName.LATENCY_MEDIAN, note="a note"),
        changes=tuple(change(ChangeKind.BROKEN, number) for number in range(600)),
        differences=(
            RunDifference(aspect="model", text="<b>model"),
            RunDifference(aspect="prompt", text="p", loud=False),
        ),
        first=side("a", model="m", version="1.0.0", purpose="baseline", repeats=2),
        flakiness_first=steady,
        notes=("a <note>",),
        prompt_diff="-<old>",
    )
    page, comment = comparison_html(found), comparison_markdown(found)
    assert "&lt;coin&gt;" in page
    assert "<coin>" not in page
    assert "<old>" not in page
    assert page.count("broken-") == 500
    assert "… and 100 more" in page
    assert "… and 52 more" in page  # coins
    assert "… and 570 more" in comment
    assert "<note>" not in comment
    console = make_console(file=io.StringIO(), width=60)
    print_comparison(console, found)
    text = console.file.getvalue()  # type: ignore[attr-defined] # a StringIO
    assert max(map(len, text.splitlines())) <= 60
    assert "a · version 1.0.0 · m · 2 repeats · baseline" in " ".join(text.split())
    assert "… and 540 more (--json names them all)" in " ".join(text.split())
    assert "and the change is the typical shift of a case" in " ".join(text.split())
    print_flakiness(console, steady)
    assert "… and 242 more (--json names them)" in console.file.getvalue()  # type: ignore[attr-defined] # as above


def coins(number: int) -> list[CaseTally]:
    return [CaseTally(f"coin-{at}", 1, 2) for at in range(number)]


def test_nothing_to_say_of_cases_that_were_asked_once() -> None:
    assert (flakiness_page(None), flakiness_markdown(None)) == (None, "")
    console = make_console(file=io.StringIO())
    print_flakiness(console, None)
    assert console.file.getvalue() == ""  # type: ignore[attr-defined] # a StringIO


def test_how_flakiness_is_put() -> None:
    found = flakiness_of([CaseTally("a", 1, 3, 2), CaseTally("b", 2, 2), CaseTally("c", 1, 1)], ("r1", "r2"))
    assert found is not None
    assert flakiness_text.summary(found) == (
        "1 of 3 cases is a coin over 1 to 3 answers in 2 runs; 1 always passed, 0 never did, 1 were asked once."
    )
    assert len(flakiness_text.caveats(found)) == 3
    steady = flakiness_of([CaseTally("a", 9, 9)])
    assert steady is not None
    assert flakiness_text.caveats(steady) == []
