"""What earlier searches recommend, as people read it."""

from __future__ import annotations

import io
from typing import Any

from sharpen.optimizer.recommending.models import Expectation, Features, Recommendation, Replay, SimilarSearch
from sharpen.reporting.recommendation import print_recommendation
from sharpen.reporting.recommendation_text import alike, note_of, replay_lines
from sharpen.reporting.terminal import make_console

KNOWN = Features(clarity=50, efficiency=50, failure_rate=0.5)
NEAR = SimilarSearch(search_id="s1", workflow_id="w", similarity=0.9, gain=0.31)
FAR = SimilarSearch(search_id="s2", workflow_id="w", similarity=0.2, gain=-0.1)
TRIED = Expectation(
    strategy="demonstrations", gain=0.312, low=-0.02, high=0.5, known=True, searches=12, worth=4.25, won=3, proved=2,
    similar=(NEAR, FAR),
)  # fmt: skip
UNTRIED = Expectation(strategy="rewrite", gain=0.0, low=-0.4, high=0.4, known=False)
REPLAY = Replay(
    searches=12, workflows=6, changed=5, recommended=0.34, rules=0.22, best=0.4, advantage=0.12, low=0.05, high=0.19,
    level=0.95, covered=0.833,
)  # fmt: skip


def recommendation(**changes: Any) -> Recommendation:
    order = ("demonstrations", "rewrite")
    found = {"features": KNOWN, "rules": order, "order": order, "reason": "because", "searches": 12, "workflows": 6}
    found |= {"expectations": (TRIED, UNTRIED), "replay": REPLAY, "trusted": True}
    return Recommendation(**(found | changes))


def shown(found: Recommendation, run_id: str | None = "r1", applies: str = "", width: int = 80) -> str:
    out = io.StringIO()
    print_recommendation(make_console(file=out, width=width), found, "w", run_id, applies)
    assert max(map(len, out.getvalue().splitlines())) <= width
    return out.getvalue()


def test_trusted() -> None:
    text = shown(recommendation())
    assert "✓ Ordered by earlier searches w" in text
    assert "Because." in text
    assert "by run r1, in which 50.0% failed" in text
    assert "+31.2" in text
    assert "−2.0 to +50.0" in text
    assert "3 / 2" in text
    assert "not tried yet" in text
    assert "gained +34.0 points, by the rules +22.0 points" in " ".join(text.split())


def test_not_trusted() -> None:
    text = shown(recommendation(trusted=False), applies="the plan names its strategies")
    assert "· Ordered by the rules" in text
    assert "! the plan names its strategies" in text


def test_nothing_known() -> None:
    static = KNOWN.model_copy(update={"failure_rate": None})
    text = shown(
        recommendation(trusted=False, searches=0, replay=None, basis="static", features=static), None, width=50
    )
    assert "text alone" in text
    assert "auto tries: demonstrations, rewrite" in text
    assert "Replay" not in text


def test_the_nearest_first_with_all_that_was_tried() -> None:
    other = TRIED.model_copy(update={"strategy": "format_focus", "similar": (NEAR.model_copy(update={"gain": 0.0}),)})
    assert alike((TRIED, other)) == (
        ("s1", "w", "0.90", "demonstrations +31, format_focus 0"),
        ("s2", "w", "0.20", "demonstrations −10"),
    )


def test_a_report_speaks_of_an_order_that_was_learned_alone() -> None:
    assert note_of(None) == ()
    assert note_of(recommendation(trusted=False)) == ()
    assert note_of(recommendation()) == ("because",)


def test_one_search() -> None:
    line = replay_lines(REPLAY.model_copy(update={"searches": 1, "workflows": 1, "covered": None}))
    assert line[0].startswith("1 search of 1 workflow,")
    assert len(line) == 2
