"""Scores: the examples the threshold was set by, and properties that hold for any prompt."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lint_kit import ROUTING, lint, prompt_of

from sharpen.optimizer.analysis.analyzer import LintContext, analyze
from sharpen.optimizer.analysis.document import Document
from sharpen.optimizer.analysis.fixes import apply_fixes
from sharpen.optimizer.analysis.scores import PENALTY, PER_SENTENCE, ROOM, clarity_score, measure_text, overall_score
from sharpen.optimizer.models import AnalysisIssue, Severity

GOOD = [
    ("Classify the support message by the team that should handle it.\n\n"
     "Answer with exactly one of: billing, shipping, technical. No other words.\n\nMessage: {{ message }}",),
    (("system", "You route messages. Choose exactly one of: billing, shipping, technical. Reply with the name only."),
     ("user", "<message>\n{{ message }}\n</message>")),
    ("Which team should handle the message: billing, shipping or technical?\n\nMessage: {{ message }}\nTeam:",),
]  # fmt: skip
WEAK = [
    "Check this message.\n\n{{ message }}",
    "{{ message }}",
    "Please have a look at this and tell me what you think about it:\n{{ message }}",
    "Sort the message.",
]
FILLER = [
    "I hope you are doing well today.",
    "Thank you so much for your help!",
    "This is very important to my career.",
    "Have a nice day!",
    "You can do it!",
]
SENTENCES = [
    "Sort the message into a queue.",
    "Please keep it short.",
    "Answer with exactly one of: billing, shipping, technical.",
    "Don't explain your choice.",
    "Explain your reasoning in great detail.",
    "Give a few examples!!!",
    "The shop sells shoes.",
    "It is important to note that names matter.",
    "DO NOT GUESS ANYTHING AT ALL.",
    "Antworte nur auf Deutsch.",
    "{{ message }}",
    "{% if urgent %}Hurry, please.{% endif %}",
    "Message: {{ message }}",
    "- Keep names. ",
    "请翻译。",
    "{{ broken",
    "",
]
TEXTS = st.lists(
    st.tuples(st.sampled_from([*SENTENCES, *FILLER]), st.sampled_from([" ", "\n", "\n\n", "  "])), max_size=9
).map(lambda parts: "".join(text + gap for text, gap in parts))
CONTEXTS = st.sampled_from([None, ROUTING, LintContext(api="completions"), LintContext(columns=frozenset({"message"}))])


@pytest.mark.parametrize("contents", GOOD)
def test_a_good_prompt_scores_high(contents):
    assert lint(*contents, context=ROUTING).overall_score >= 85


@pytest.mark.parametrize("text", WEAK)
def test_a_weak_prompt_falls_under_the_threshold(text):
    assert lint(text, context=ROUTING).overall_score < 80


def test_overall_is_the_documented_mean():
    analysis = lint("Please check this message. Thank you for your help!\n\n{{ message }}", context=ROUTING)
    assert analysis.overall_score == pytest.approx(
        0.6 * analysis.clarity_score + 0.4 * analysis.efficiency_score, abs=0.01
    )
    assert overall_score(100, 50) == 80


def test_penalties_halve_with_every_further_finding():
    issue = AnalysisIssue(type="SP301", severity=Severity.WARNING, description="", suggestion="")
    assert clarity_score([issue]) == 100 - PENALTY[Severity.WARNING]
    assert clarity_score([issue] * 2) == 100 - PENALTY[Severity.WARNING] * 1.5
    assert clarity_score([issue] * 50) == pytest.approx(100 - PENALTY[Severity.WARNING] * 2)


def test_rules_that_inform_or_measure_efficiency_do_not_lower_clarity():
    issues = [AnalysisIssue(type=t, severity=Severity.INFO, description="", suggestion="") for t in ("SP002", "SP303")]
    assert clarity_score(issues) == 100


def test_words_are_counted_by_what_they_do():
    text = "Sort the message into a queue. Thank you! Sort the message into a queue."
    measure = measure_text(Document(prompt_of(text)))
    assert (measure.useful, measure.filler, measure.repeated, measure.excess) == (6, 2, 6, 0)
    assert measure.efficiency == pytest.approx(100 * 6 / 14)


def test_a_wall_of_text_for_one_task_is_excess():
    wall = " ".join(f"Shop number {n} in town {n * 7} sells kind {n * 3} of shoe {n + 1}." for n in range(60))
    measure = measure_text(Document(prompt_of(f"Name the shop that is the largest. {wall}")))
    assert measure.excess > 0
    assert measure.efficiency < 100


@settings(max_examples=80, deadline=None)
@given(TEXTS, CONTEXTS)
def test_scores_are_in_range_and_the_same_every_time(text, context):
    first, second = lint(text, context=context), lint(text, context=context)
    assert first == second
    assert all(0 <= score <= 100 for score in (first.overall_score, first.clarity_score, first.efficiency_score))


@settings(max_examples=80, deadline=None)
@given(st.text(alphabet="ab {}%#'\"\n.!?A日ل-<>`:", max_size=60), CONTEXTS)
def test_any_text_can_be_analysed(text, context):
    analysis = lint(text, context=context)
    for issue in analysis.issues:
        assert 0 <= issue.start <= issue.end <= len(text)
        assert issue.description
        assert issue.suggestion
        assert issue.fixable == bool(issue.edits)


@settings(max_examples=80, deadline=None)
@given(TEXTS, st.sampled_from(FILLER))
def test_a_filler_sentence_never_raises_efficiency(text, filler):
    english = f"Sort the message into the queue it belongs to.\n{text}"
    assume(lint(english).metadata["language"] == "en")  # of a text in several languages no filler is known
    assert lint(f"{english}\n\n{filler}").efficiency_score <= lint(english).efficiency_score


@settings(max_examples=80, deadline=None)
@given(TEXTS, CONTEXTS)
def test_fixing_never_lowers_the_overall_score(text, context):
    prompt = prompt_of(f"Sort the message into the queue it belongs to.\n{text}")
    before = analyze(prompt, context)
    for issue in before.issues:
        assert analyze(apply_fixes(prompt, [issue]), context).overall_score >= before.overall_score
    assert analyze(apply_fixes(prompt, before.issues), context).overall_score >= before.overall_score


@settings(max_examples=80, deadline=None)
@given(TEXTS)
def test_fixes_keep_every_jinja_tag_in_its_place(text):
    from sharpen.optimizer.analysis.template import scan

    fixed = apply_fixes(prompt_of(text), lint(text).issues)
    assert [tag.source for tag in scan(fixed.text)] == [tag.source for tag in scan(text)]


def test_the_page_on_scores_tells_the_numbers_that_are_used():
    page = (Path(__file__).parents[3] / "docs" / "scores.md").read_text("utf-8")
    for severity, penalty in PENALTY.items():
        assert f"| {severity} | {penalty:g} |" in page
    analysis = lint("Check this message.\n\n{{ message }}", context=ROUTING)
    assert [issue.type for issue in analysis.issues] == ["SP102", "SP201", "SP202"]
    assert (analysis.clarity_score, analysis.efficiency_score, analysis.overall_score) == (20, 100, 52)
    assert "overall 0.6 · 20 + 0.4 · 100 = 52" in page
    assert f"words above {ROOM} + {PER_SENTENCE} for each instruction" in page
