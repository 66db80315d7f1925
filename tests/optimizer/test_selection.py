"""What goes on to the proof, and what is proved of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharpen.config.rules import Thresholds
from sharpen.config.weights import Weights
from sharpen.optimizer.models import Prompt
from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.search import Complement, Contender, complement
from sharpen.optimizer.selection import Choice, Selector
from sharpen.optimizer.strategies.base import Candidate

DEV = [f"c{n:02}" for n in range(20)]


def outcomes(passes: int, tokens: float = 100.0, latency: float = 100.0, cost: float | None = None, cases: int = 20):
    return {
        case_id: CaseOutcome(
            case_id, float(n < passes), float(n < passes), tokens=tokens, latency_ms=latency, cost=cost
        )
        for n, case_id in enumerate(DEV[:cases])
    }


def contender(name: str, passes: int, tokens: float = 100.0, **fields: float) -> Contender:
    prompt = Prompt.model_validate({"id": "p", "messages": [{"role": "user", "content": name}]})
    return Contender(name, Candidate(prompt, "s", ()), outcomes=outcomes(passes, tokens, **fields))


def selector(weights: Weights | None = None, seed: int = 10, **rules: float) -> Selector:
    return Selector(DEV, outcomes(seed, cost=0.01), Thresholds(**rules), weights)


def test_without_weights_passes_decide_and_who_breaks_a_limit_is_passed_over() -> None:
    good, slow = contender("good", 15), contender("slow", 18, latency=9000.0)
    assert selector(min_success_rate=0.1).breaks(slow) == ("max_acceptable_latency_ms",)
    assert selector().better([slow, good]) is good
    assert selector().better([slow]) is None
    assert selector().better([contender("worse", 9)]) is None
    assert selector().better([contender("unseen", 0, cases=0), good]) is good


def test_a_limit_that_the_prompt_breaks_itself_stands_in_nobodys_way() -> None:
    choose = Selector(DEV, outcomes(10, latency=9000.0), Thresholds())
    slow = contender("slow", 15, latency=9500.0)
    assert choose.breaks(slow) == ()
    assert choose.better([slow]) is slow


def test_a_new_best_must_beat_the_old_one_on_the_cases_that_both_saw() -> None:
    best = contender("best", 15)
    assert selector().better([contender("same", 15)], best) is best
    assert selector().better([contender("cheaper", 15, 90)], best).id == "cheaper"
    lucky = contender("lucky", 5, cases=5)  # 100 % of five, which the best one passed as well
    assert selector().better([lucky], best) is best
    assert selector().better([best], best) is best


def test_weights_choose_among_the_front_and_the_claim_is_one_that_the_proof_tests() -> None:
    better, lean = contender("better", 14, 100), contender("lean", 10, 40)
    every = [better, lean, contender("beaten", 9, 120)]
    assert selector(Weights(tokens=0.1)).weighted(every) == Choice(better, "better")
    assert selector(Weights(tokens=1.0)).weighted(every) == Choice(lean, "non_inferior")
    both = contender("both", 11, 40)  # five points more are hardly proved; no loss for fewer tokens is
    assert selector(Weights(tokens=1.0)).weighted([both]) == Choice(both, "non_inferior")
    assert selector(Weights(tokens=1.0)).weighted([contender("much", 16, 40)]).claim == "better"


def test_weights_hold_two_against_each_other_on_the_cases_that_both_saw() -> None:
    full = contender("full", 16, 100)
    lucky = contender("lucky", 12, 110, cases=12)  # all of the easy ones, which the other passed as well, for less
    choose = selector(Weights(tokens=0.1), seed=0)
    assert choose.score(lucky) > choose.score(full)
    assert choose.weighted([lucky, full]) == Choice(full, "better")
    ahead = contender("ahead", 12, 90, cases=12)
    assert choose.weighted([lucky, full, ahead]) == Choice(ahead, "better")


def test_weights_never_buy_more_than_the_margin_or_what_nobody_proves() -> None:
    weights = Weights(quality=0.01, tokens=1, latency=10)
    assert selector(weights).weighted([contender("lost", 8, 10)]) == Choice()
    assert selector(weights).weighted([contender("quick", 10, 100, latency=1.0)]) == Choice()
    assert selector(weights).better([contender("quick", 10, 100, latency=1.0)]) is None
    assert selector(Weights(tokens=1)).weighted([contender("dear", 11, 400)]) == Choice()  # a gain not worth its tokens
    assert selector(weights).weighted([]) == Choice()
    slow = contender("slow", 16, 10, latency=9000.0)
    assert selector(Weights(tokens=1)).weighted([slow]) == Choice()


def test_scores_are_told_where_there_are_weights_and_cases() -> None:
    assert selector().score(contender("a", 12)) is None
    assert selector(Weights()).score(contender("a", 12)) == pytest.approx(0.1)
    assert selector(Weights()).score(contender("a", 0, cases=0)) is None


def test_the_cheapest_of_those_within_the_margin() -> None:
    standing = [contender("a", 9, 80), contender("b", 9, 60), contender("c", 8, 10)]
    assert selector().cheaper(standing) == Choice(standing[1], "non_inferior")
    assert selector().cheaper([contender("d", 10, 97)]) == Choice()


marks = st.lists(st.booleans(), min_size=0, max_size=8)


def _by_marks(name: str, passed: list[bool]) -> Contender:
    found = contender(name, 0, cases=0)
    found.outcomes.update({f"c{n:02}": CaseOutcome(f"c{n:02}", float(mark), 0.0) for n, mark in enumerate(passed)})
    return found


@given(st.lists(marks, min_size=0, max_size=5))
def test_a_pair_passes_more_together_than_its_better_one_and_no_pair_more_than_it(rows: list[list[bool]]) -> None:
    every = [_by_marks(f"k{n}", row) for n, row in enumerate(rows)]
    pair = complement(every, DEV)
    most = max(map(len, rows), default=0)
    gains = []
    for place, one in enumerate(rows):
        for other in rows[place + 1 :]:
            both = min(len(one), len(other))
            union = sum(a or b for a, b in zip(one, other, strict=False))
            if both >= most / 4 and union > max(sum(one[:both]), sum(other[:both])):
                gains.append((union + 1) / (both + 2))
    assert (pair is None) == (not gains)
    if pair is not None:
        assert (pair.union + 1) / (pair.cases + 2) == max(gains)
        assert pair.union > pair.best


def test_the_better_one_of_a_pair_comes_first_and_the_pair_says_how_different_they_are() -> None:
    one, other = _by_marks("one", [True, False, False, True]), _by_marks("other", [True, True, True, False])
    pair = complement([one, other, _by_marks("few", [True])], DEV)
    assert pair == Complement(other, one, 4, 4, 3)
    assert str(pair) == "one or the other passes 4 of 4 dev cases, the better one alone 3"
