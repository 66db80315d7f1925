"""The HTML reports: what they say, that nothing in them can run or call out, and that they stay small."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from factories import (
    make_case,
    make_decision,
    make_outcome,
    make_report,
    make_run,
    make_task,
    nothing_to_do,
    triage_cases,
    unfinished_run,
)
from sharpen.executor.models import TaskStatus
from sharpen.reporting.html import render_optimization_html, render_run_html

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"' onmouseover=alert(1) x='",
    "]]> <!-- --> {{ 7 * 7 }} {% raw %}",
    "evil \u202etxt.exe\u202c",
    "nul \x00 bell \x07",
    "\x1b[31mred\x1b]8;;http://evil.example\x07link\x1b]8;;\x07",
    "javascript:alert(1)",
    "</textarea></title></style><svg onload=alert(1)>",
]


class Page(HTMLParser):
    """Tags with their attributes, and all text outside of style and script."""

    VOID = frozenset({"meta", "link", "input", "img", "br", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif self.open and self.open[-1] == "style":
            self.styles.append(data)
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def accepted() -> Page:
    return Page(render_optimization_html(make_outcome(), triage_cases()))


def test_the_verdict_comes_first_and_the_evidence_is_whole(accepted: Page) -> None:
    outcome = make_outcome()
    proof = outcome.verification
    assert proof is not None
    text = accepted.text
    assert text.index("Accepted New version 2.0.0") < text.index("Baseline and candidate") < text.index("triage-001")
    assert f"{proof.baseline.success_rate:.1%} → {proof.candidate.success_rate:.1%} on 60 held-out cases" in text
    assert f"{proof.fixed} fixed, {proof.broken} broken" in text
    assert "p = 0.0009 (exact McNemar)" in text
    for section in ("comparison", "prompt", "candidates", "decision", "charts", "cases"):
        assert any(attrs.get("id") == section for attrs in accepted.all("section"))
    assert "OF001 The assertions accept four answers only" in text
    assert "success_rate 0.56 < 0.8 too few cases pass" in text
    assert "demonstrations 80.0%" in text


def test_every_case_is_there_with_inputs_answers_and_reasons(accepted: Page) -> None:
    rows = [attrs for attrs in accepted.all("details") if attrs.get("class") == "case"]
    assert len(rows) == 150
    outcome = make_outcome()
    proof = outcome.verification
    assert proof is not None
    assert sum(row["data-change"] == "fixed" for row in rows) == proof.fixed
    assert sum(row["data-change"] == "broken" for row in rows) == proof.broken
    assert {row["data-split"] for row in rows} == {"train", "dev", "holdout"}
    for case in triage_cases():
        assert " ".join(str(case.vars["message"]).split()) in accepted.text
    assert "equals expected 'billing', got" in accepted.text


def test_nothing_is_requested_and_only_our_script_may_run(accepted: Page) -> None:
    html = render_optimization_html(make_outcome(), triage_cases())
    assert not re.search(r"""(?:src|href|action|url)\s*[=(]\s*["']?\s*(?:https?:|//)""", html)
    assert "@import" not in html
    (policy,) = [m["content"] for m in accepted.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for content, directive in ((accepted.scripts, "script-src"), (accepted.styles, "style-src")):
        digest = base64.b64encode(hashlib.sha256("".join(content).encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert len(accepted.all("script")) == len(accepted.all("style")) == 1
    for _, attrs in accepted.tags:  # the policy forbids both; a browser would ignore them
        assert "style" not in attrs
        assert not any(name.startswith("on") for name in attrs)


@pytest.mark.parametrize("evil", HOSTILE)
def test_hostile_text_stays_text_wherever_it_stands(evil: str) -> None:
    case = make_case(f"id {evil}", vars={f"name {evil}": evil, "deep": {"list": [evil]}}, expected=evil)
    failed = make_task(case.id, TaskStatus.FAILED)
    broken = failed.assertion_results[0].model_copy(update={"reason": evil, "type": evil})
    tasks = [failed.model_copy(update={"output": evil, "assertion_results": (broken,)})]
    run = make_run(tasks, workflow_id=evil, run_id=evil, stop_reason=evil)
    decision = make_decision(strategy=evil, strategy_reason=evil, skipped=(evil,))
    outcome = make_outcome(20)
    result, (first, *rest) = outcome.result, outcome.candidates
    assert result is not None
    change = result.changes[0].model_copy(update={"rule_id": evil, "reason": evil, "before": evil, "after": evil})
    prompt = result.optimized_prompt.model_copy(
        update={"messages": (result.optimized_prompt.messages[0].model_copy(update={"content": evil}),)}
    )
    outcome = outcome.model_copy(
        update={
            "workflow_id": evil,
            "stop_reason": evil,
            "decision": decision,
            "candidates": (first.model_copy(update={"id": evil, "strategy": evil, "note": evil}), *rest),
            "result": result.model_copy(update={"changes": (change,), "optimized_prompt": prompt}),
            "baseline_run": run,
        }
    )
    calm = Page(render_run_html(make_run([failed]), make_report(), make_decision(), [make_case()]))
    for html in (
        render_run_html(run, make_report(run), decision, [case]),
        render_optimization_html(outcome, [case]),
    ):
        page = Page(html)
        assert {tag for tag, _ in page.tags} <= {tag for tag, _ in calm.tags} | {"ol", "mark", "del", "ins"}
        assert len(page.all("script")) == len(page.all("style")) == 1
        assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", html)
        assert "49" not in re.findall(r"\]\]> <!-- --> (\S+)", page.text)
        html.encode()


def test_a_megabyte_of_output_is_cut_with_a_note() -> None:
    run = make_run([make_task("case-1", TaskStatus.FAILED, output="<&>" * 350_000)])
    html = render_run_html(run, make_report(run), make_decision(), [make_case()])
    assert len(html) < 400_000
    assert "1,030,000 of 1,050,000 characters left out" in html


def test_five_thousand_cases_stay_below_ten_megabytes() -> None:
    cases = [make_case(f"case-{n:05}", vars={"message": "a <long> message & more. " * 40}) for n in range(5000)]
    tasks = [make_task(case.id, TaskStatus.FAILED, output="long 'answers' \u00fc " * 200) for case in cases]
    run = make_run(tasks)
    html = render_run_html(run, make_report(run), make_decision(), cases)
    assert html.count('<details class="case"') == 5000
    assert len(html.encode()) < 10_000_000


def test_a_run_says_whether_its_rules_hold() -> None:
    run = make_run()
    bad = Page(render_run_html(run, make_report(run), make_decision(), [make_case()])).text
    assert "Rules broken" in bad
    assert "33.3% passed" in bad
    passing = make_run([make_task()])
    good = Page(render_run_html(passing, make_report(passing), make_decision(False), [make_case()])).text
    assert "Rules hold 100% passed 1 of 1 test passed, and every measured rule holds." in good
    open_ended = Page(render_run_html(unfinished_run(), None, None, [], title="T & co")).text
    assert "T & co" in open_ended
    assert "3 of 3 that ran passed, 3 did not run" in open_ended
    assert "Passed 100% 3 of 3 that ran" in open_ended  # the tile and the chart below it agree
    assert "Pass rate · of the tests that ran; 95% interval" in open_ended
    assert "budget of 3 calls is spent" in open_ended
    assert "Not run 3" in open_ended


def test_an_optimization_without_proof_is_honest() -> None:
    refused = Page(render_optimization_html(make_outcome(candidate_rate=0.5), triage_cases())).text
    assert "Not accepted No improvement proved The gain may be luck: p = 0.38, above alpha 0.05. 48.3% → " in refused
    assert "kept as draft 1.1.0-draft.1" in refused
    idle = Page(render_optimization_html(nothing_to_do(), triage_cases(40)))
    assert "Nothing to optimize 100% of 40 tests pass, and every rule holds." in idle.text
    assert not any(attrs.get("id") in ("comparison", "prompt", "candidates") for attrs in idle.all("section"))
    lost = make_outcome(result=None, verification=None, holdout_run=None, version=None, stop_reason="budget spent")
    text = Page(render_optimization_html(lost, triage_cases())).text
    assert "Stopped before the proof None of 3 measured candidates had done better" in text
    assert "Stopped early: budget spent" in text
    assert "Stopped early: budget spent" in text


def test_an_unknown_cost_is_unknown_and_a_free_one_is_zero() -> None:
    unknown = make_run([make_task(cost=None)])
    text = Page(render_run_html(unknown, make_report(unknown), None, [make_case()])).text
    assert "Cost unknown the price is unknown" in text
    free = make_run([make_task(cost=0.0)])
    assert "Cost $0 " in Page(render_run_html(free, make_report(free), None, [make_case()])).text


def test_repeats_and_rows_without_a_case_are_shown() -> None:
    tasks = [make_task("gone", status, repeat=n) for n, status in enumerate((TaskStatus.SUCCEEDED, TaskStatus.ERROR))]
    run = make_run(tasks)
    page = Page(render_run_html(run, make_report(run), None, []))
    assert "Answer, repeat 1 succeeded" in page.text
    assert "Answer, repeat 2 error" in page.text
    (row,) = page.all("details")
    assert (row["data-state"], row["data-kinds"]) == ("failed", "server")


def test_one_heading_labels_and_controls_that_have_names(accepted: Page) -> None:
    assert len(accepted.all("h1")) == 1
    ids = {attrs["id"] for _, attrs in accepted.tags if "id" in attrs}
    for _, attrs in accepted.tags:
        if "aria-labelledby" in attrs:
            assert attrs["aria-labelledby"] in ids
    for control in (*accepted.all("input"), *accepted.all("select")):
        assert control.get("aria-label")
    for image in accepted.all("svg"):
        assert image["role"] == "img"
        assert image["aria-label"]
    for link in accepted.all("a"):
        assert str(link["href"]).removeprefix("#") in ids


def _luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", [0, 1])
def test_text_colours_reach_contrast_aa(accepted: Page, theme: int) -> None:
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", "".join(accepted.styles))
    colours = {name: both[theme] for name, *both in found}
    pairs = [
        (ink, paper)
        for ink in ("text", "muted", "accent", "good", "bad", "warn")
        for paper in ("page", "card", "sunken")
    ]
    pairs += [(name, f"{name}-soft") for name in ("good", "bad", "warn", "accent")]
    pairs += [("text", f"{name}-{kind}") for name in ("good", "bad") for kind in ("soft", "mark")]
    pairs += [("muted", "good-soft"), ("muted", "bad-soft"), ("muted", "accent-soft")]
    for ink, paper in pairs:
        light, dark = sorted((_luminance(colours[ink]), _luminance(colours[paper])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{ink} on {paper}"
