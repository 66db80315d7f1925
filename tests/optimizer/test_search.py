import itertools

from hypothesis import given
from hypothesis import strategies as st

from sharpen.optimizer.models import Prompt
from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.search import Contender, affordable, interleave, race_cost, rank_key, rungs
from sharpen.optimizer.strategies.base import Candidate

contenders = st.integers(1, 40)
dev_cases = st.integers(1, 200)


@given(contenders, dev_cases)
def test_rungs_halve_the_field_and_end_with_the_whole_dev_split(n, dev):
    ladder = rungs(n, dev)
    assert ladder[0].contenders == n
    assert ladder[-1].cases == dev
    for lower, upper in itertools.pairwise(ladder):
        assert upper.contenders <= lower.contenders
        assert upper.cases >= lower.cases
    assert race_cost(n, dev) <= n * dev


@given(contenders, dev_cases, st.integers(0, 3000))
def test_what_is_affordable_costs_no_more_than_there_is(n, dev, runs):
    held = affordable(n, dev, runs)
    assert 0 <= held <= n
    assert race_cost(held, dev) <= runs
    if held < n:
        assert race_cost(held + 1, dev) > runs
    assert affordable(n, dev, None) == n


def test_no_contender_or_no_case_is_no_race():
    assert rungs(0, 10) == rungs(5, 0) == ()


def outcome(case_id, rate, score=None, tokens=10.0, ran=True):
    return CaseOutcome(case_id, rate, rate if score is None else score, ran=ran, tokens=tokens)


def test_rank_is_by_passes_then_score_then_tokens_and_no_evidence_is_no_merit():
    ids = ["a", "b"]
    good = {"a": outcome("a", 1.0), "b": outcome("b", 1.0)}
    wordy = {"a": outcome("a", 1.0, tokens=99), "b": outcome("b", 1.0, tokens=99)}
    half = {"a": outcome("a", 1.0), "b": outcome("b", 0.0, score=0.9)}
    lost = {"a": outcome("a", 1.0), "b": outcome("b", 1.0, ran=False)}
    order = sorted([lost, half, wordy, good], key=lambda outcomes: rank_key(outcomes, ids))
    assert order == [good, wordy, half, lost]


def test_interleaving_keeps_every_strategy_in_the_race():
    def candidate(name):
        return Candidate(Prompt.model_validate({"id": name, "messages": [{"role": "user", "content": name}]}), name, ())

    a1, a2, b1 = candidate("a1"), candidate("a2"), candidate("b1")
    assert interleave([[a1, a2], [], [b1]]) == [a1, b1, a2]
    assert Contender("c01", a1).rank_key([]) == (0, 0, 0)
