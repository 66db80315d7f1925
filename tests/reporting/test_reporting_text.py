"""Texts that others wrote, numbers, diffs and charts: the pure parts."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import BETTER_PROMPT, SEED_PROMPT, make_case, make_outcome, make_prompt, make_run, make_task
from sharpen.executor.models import TaskStatus
from sharpen.optimizer.models import CandidateReport, Prompt
from sharpen.reporting import charts
from sharpen.reporting import figures as fig
from sharpen.reporting.cases import case_views, text_limit
from sharpen.reporting.comparison import metric_rows, ranked
from sharpen.reporting.prompt_diff import diff_lines, diff_prompts
from sharpen.reporting.tally import LatencySketch
from sharpen.reporting.text import as_text, cut, for_page, for_terminal, for_xml, one_line, to_ascii

ANY_TEXT = st.text(st.characters() | st.sampled_from("\x00\x07\x1b\x9b[]m;\r\n\t\u202e\u2066<>&"), max_size=80)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jgone", "gone"),
        ("\x1bP1$r0m\x1b\\dcs", "dcs"),
        ("\x1bc reset", " reset"),
        ("\x1b]unterminated stays", "unterminated stays"),
        ("a\rb\x08\x00", "ab"),
        ("tab\tand\r\nline", "tab\tand\nline"),
        ("abc\u202edef\u2069", "abcdef"),
    ],
)
def test_a_terminal_gets_no_escape_sequences(text: str, left: str) -> None:
    assert for_terminal(text) == left


@settings(max_examples=100)
@given(ANY_TEXT)
def test_each_place_gets_only_what_it_can_bear(text: str) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", for_terminal(text))
    shown = for_page(text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    assert for_page(shown) == shown
    element = ET.Element("x")
    element.text = for_xml(text)
    ET.fromstring(ET.tostring(element))
    to_ascii(text).encode("ascii")


def test_what_counts_as_printable_hides_nothing() -> None:
    every = [chr(code) for code in range(sys.maxunicode + 1)]
    printable = "".join(character for character in every if character.isprintable())
    assert for_terminal(printable) == for_terminal(f"{printable}\n")[:-1] == printable
    assert for_page(printable) == for_page(f"{printable}\n")[:-1]


def test_hidden_characters_are_shown_on_a_page() -> None:
    assert for_page("a\x00b\x1b\x7f\x85\u202e\ufeff") == "a\u2400b\u241b\u2421‹U+0085›‹U+202E›‹U+FEFF›"
    assert (
        for_page("family 👩\u200d👧 and \u0645\u06cc\u200c\u062e") == "family 👩\u200d👧 and \u0645\u06cc\u200c\u062e"
    )
    assert for_page("lone \ud800") == "lone \ufffd"


def test_values_of_any_kind_become_text() -> None:
    assert as_text(None) == ""
    assert as_text("x") == "x"
    assert as_text({"a": [1, "é"]}) == '{\n  "a": [\n    1,\n    "é"\n  ]\n}'
    assert as_text({(1, 2): 3}) == "{(1, 2): 3}"
    assert one_line("  a \n b  ", 20) == "a b"
    assert one_line("abcdef", 4) == "abc…"
    assert cut("abc", 3) == ("abc", "")
    assert cut("x" * 5000, 100) == ("x" * 100, "4,900 of 5,000 characters left out")


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (fig.percent(0.8125), "81.2%"), (fig.percent(1), "100%"), (fig.percent(0), "0%"), (fig.percent(None), "–"),
        (fig.percent(0.99999), "99.9%"), (fig.percent(0.00001), "0.1%"),
        (fig.signed(3.21), "+3.2"), (fig.signed(-3.21), "−3.2"), (fig.signed(-0.01), "0.0"),
        (fig.points(0.217), "+21.7 points"),
        (fig.milliseconds(0.123), "0.12 ms"), (fig.milliseconds(4.56), "4.6 ms"), (fig.milliseconds(812.3), "812 ms"),
        (fig.milliseconds(999.7), "1.00 s"), (fig.milliseconds(12_345), "12.3 s"), (fig.milliseconds(None), "–"),
        (fig.usd(None), "unknown"), (fig.usd(0), "$0"), (fig.usd(0.00042), "$0.00042"), (fig.usd(0.0123), "$0.012"),
        (fig.usd(0.0000667), "$0.000067"), (fig.usd(1234.5), "$1,234.50"), (fig.usd(0.000000001), "$0.0000000010"),
        (fig.count(12345), "12,345"), (fig.count(1.5), "1.5"), (fig.count(None), "–"),
        (fig.compact(950), "950"), (fig.compact(41_820), "41.8k"), (fig.compact(2.5e6), "2.5M"),
        (fig.p_value(0.00001), "p < 0.0001"), (fig.p_value(0.0009), "p = 0.0009"), (fig.p_value(0.0312), "p = 0.031"),
        (fig.duration(0.84), "0.8 s"), (fig.duration(42), "42 s"), (fig.duration(200), "3 min 20 s"),
        (fig.duration(7500), "2 h 05 min"),
        (fig.plural(1, "case"), "1 case"), (fig.plural(2000, "case"), "2,000 cases"),
    ],
)  # fmt: skip
def test_numbers_as_people_read_them(shown: str, expected: str) -> None:
    assert shown == expected


LINES = st.lists(st.sampled_from(["alpha", "beta gamma", "delta, epsilon", "", "{{ x }}", "same"]), max_size=30)


@settings(max_examples=100)
@given(LINES, LINES)
def test_a_diff_without_gaps_rebuilds_both_texts(old: list[str], new: list[str]) -> None:
    lines = diff_lines("\n".join(old), "\n".join(new), context=1000)
    for kind, text in (("old", old), ("new", new)):
        rebuilt = ["".join(part.text for part in line.segments) for line in lines if line.kind in (kind, "same")]
        assert "\n".join(rebuilt) == "\n".join(text)
    numbers = [line.old_number for line in lines if line.old_number]
    assert numbers == sorted(numbers)


def test_a_diff_marks_words_and_hides_what_is_far_from_changes() -> None:
    old = "\n".join([*(f"line {n}" for n in range(20)), "the quick brown fox jumps", "end"])
    lines = diff_lines(old, old.replace("brown", "red"))
    assert [line.kind for line in lines] == ["gap", "same", "same", "same", "old", "new", "same"]
    assert lines[0].segments[0].text == "17 unchanged lines"
    marked = [[part.text for part in line.segments if part.changed] for line in lines if line.kind in ("old", "new")]
    assert marked == [["brown"], ["red"]]
    (message,) = diff_prompts(make_prompt(SEED_PROMPT), make_prompt(BETTER_PROMPT))
    assert (message.title, message.added, message.removed) == ("user", 10, 1)


def test_a_message_that_only_one_prompt_has_is_all_new() -> None:
    first, second = diff_prompts(make_prompt("Same."), make_prompt("Same.", system="Be brief."))
    assert (first.title, first.added, first.removed) == ("system", 1, 0)
    assert (second.title, second.added, second.removed) == ("user", 0, 0)
    assert [line.kind for line in second.lines] == ["same"]


def test_huge_texts_are_compared_without_quadratic_work() -> None:
    long_line = "word " * 5000
    kinds = [line.kind for line in diff_lines(long_line, long_line + "more")]
    assert kinds == ["old", "new"]
    many = "\n".join(map(str, range(5000)))
    assert len(diff_lines(many, many + "\nx")) == 5000 + 5001
    assert {line.kind for line in diff_lines(many, many)} == {"same"}


@pytest.mark.parametrize(
    ("passed", "total", "low", "high"),
    # reference values: Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_agree_with_published_values(passed: int, total: int, low: float, high: float) -> None:
    assert charts.wilson_interval(passed, total) == pytest.approx((low, high), abs=5e-5)


def test_wilson_interval_of_nothing_is_everything() -> None:
    assert charts.wilson_interval(0, 0) == (0.0, 1.0)


@settings(max_examples=60)
@given(st.lists(st.floats(0, 1e7), max_size=60), st.lists(st.floats(0, 1e7), max_size=60))
def test_a_histogram_holds_for_any_latencies(base: list[float], new: list[float]) -> None:
    series = [charts.Series("a", "base", base), charts.Series("b", "next", new)]
    svg = charts.histogram("Latency", series, fig.milliseconds)
    if not base and not new:
        assert svg == ""
        return
    bars = list(ET.fromstring(svg).iter("rect"))
    assert bars
    for bar in bars:
        x, y, width, height = (float(bar.get(key, "nan")) for key in ("x", "y", "width", "height"))
        assert 0 <= x <= x + width <= charts.WIDTH + 1
        assert height > 0
        assert y >= 15
    for role in ("base", "next"):  # the tallest bar of all is full height, and no series is lost
        assert any(bar.get("class") == f"bar {role}" for bar in bars) == bool({"base": base, "next": new}[role])


@settings(max_examples=60)
@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1))
def test_an_effect_is_drawn_within_the_chart(value: float, below: float, above: float) -> None:
    low, high = max(-1.0, value - below), min(1.0, value + above)
    root = ET.fromstring(charts.effect(value, low, high, "95%"))
    tone = "good" if low > 0 else "bad" if high < 0 else "flat"
    (dot,) = root.iter("circle")
    assert dot.get("class") == f"dot {tone}"
    for node in root.iter("line"):
        assert 0 <= float(node.get("x1", "nan")) <= float(node.get("x2", "nan")) <= charts.WIDTH


def test_charts_escape_names_and_speak() -> None:
    svg = charts.pass_rates([charts.Rate('<b>"x"', "base", 3, 4)])
    root = ET.fromstring(svg)
    assert root.get("aria-label") == 'Pass rate. <b>"x" 75.0% of 4, 95% interval 30.1% to 95.4%'
    assert [node.tag for node in root.iter("b")] == []
    assert ET.fromstring(charts.bars("Nothing", [])).get("aria-label") == "Nothing. "
    assert charts.median([3, 1, 2]) == 2
    assert charts.median([4, 1, 2, 3]) == 2.5
    assert charts.median([]) is None


def test_text_limits_follow_what_a_page_can_hold() -> None:
    assert text_limit(["short"] * 10) == 20_000
    assert text_limit(["x" * 100_000] * 300, budget=1_000_000) == 2_000
    assert text_limit(["<" * 100_000] * 300, budget=1_000_000) == 500
    assert text_limit(["x" * 100_000] * 10, budget=1) == 100


def test_changes_are_counted_as_the_proof_counts_them() -> None:
    won, lost = TaskStatus.SUCCEEDED, TaskStatus.FAILED

    def run(**states: tuple[TaskStatus, ...]) -> object:
        return make_run([make_task(k, s, repeat=n) for k, row in states.items() for n, s in enumerate(row)])

    before = run(a=(lost, lost), b=(won, won), c=(won, lost), d=(lost, lost), e=(won, won))
    after = run(a=(won, won), b=(won, lost), c=(won, lost), d=(won, TaskStatus.CANCELLED))
    views = case_views([make_case("z"), make_case("a")], before, after)  # type: ignore[arg-type]
    assert [(view.id, view.change, view.state) for view in views] == [
        ("z", "", "skipped"),
        ("a", "fixed", "passed"),
        ("b", "broken", "failed"),
        ("c", "", "failed"),
        ("d", "", "passed"),
        ("e", "", "passed"),
    ]


def test_comparisons_tell_better_from_worse_and_unknown() -> None:
    proof = make_outcome().verification
    assert proof is not None
    old = proof.baseline.model_copy(update={"success_rate": 0.5, "mean_score": 0.7, "cost_per_request": None})
    new = old.model_copy(update={"success_rate": 0.75, "avg_latency_ms": 0.0, "timeout_rate": 0.5})
    rows = {row.name: row for row in metric_rows(old, new)}
    assert (rows["Success rate"].difference, rows["Success rate"].tone) == ("+25.0 points", "good")
    assert (rows["Mean score"].difference, rows["Mean score"].tone) == ("0.0 points", "flat")
    assert (rows["Latency, mean"].difference, rows["Latency, mean"].tone) == ("−100%", "good")
    assert (rows["Cost per request"].baseline, rows["Cost per request"].difference) == ("unknown", "–")
    assert rows["Timeouts"].tone == "bad"
    free = old.model_copy(update={"cost_per_request": 0.0})
    costs = {row.name: row for row in metric_rows(free, free.model_copy(update={"cost_per_request": 0.1}))}
    assert costs["Cost per request"].difference == "new"


@settings(max_examples=50)
@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=200))
def test_live_percentiles_are_close_to_the_nearest_rank(times: list[float]) -> None:
    sketch = LatencySketch()
    for seconds in times:
        sketch.add(seconds)
    rank = max(0, -(-95 * len(times) // 100) - 1)
    assert sketch.percentile(0.95) == pytest.approx(sorted(times)[rank], rel=0.026)
    assert LatencySketch().percentile(0.95) is None


def test_no_bar_runs_over_a_name() -> None:
    groups = [
        ("malformed completion " * 2, [("base", 3.0, "3"), ("next", 1.0, "1")]),
        ("timeout", [("base", 1.0, "1")]),
    ]
    root = ET.fromstring(charts.bars("Errors", groups))
    names = [float(item.attrib["y"]) for item in root.iter("text") if item.get("class") == "label"]
    bars = [(float(item.attrib["y"]), float(item.attrib["height"])) for item in root.iter("rect")]
    assert len(names) == 2
    for baseline in names:  # a letter reaches from 11 above its baseline to 4 below it
        assert all(baseline + 4 <= y or y + height <= baseline - 11 for y, height in bars)


def test_candidates_stand_by_how_long_they_raced_before_how_many_cases_they_passed() -> None:
    prompt = Prompt.model_validate({"id": "p", "messages": [{"role": "user", "content": "{{ x }}"}]})

    def report(name: str, status: str, cases: int = 0, rate: float = 0.0) -> CandidateReport:
        dev = {"cases": cases, "success_rate": rate} if cases else None
        fields = {"id": name, "strategy": "s", "prompt": prompt, "status": status, "dev": dev}
        return CandidateReport.model_validate(fields)

    found = ranked(
        [
            report("untried", "unevaluated"),
            report("lucky", "dropped", 2, 1.0),
            report("late", "dropped", 26, 0.7),
            report("later", "dropped", 26, 0.8),
            report("last", "finalist", 29, 0.7),
            report("first", "winner", 29, 0.7),
        ]
    )
    assert [each.id for each in found] == ["first", "last", "later", "late", "lucky", "untried"]
