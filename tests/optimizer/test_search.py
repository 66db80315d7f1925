from sharpen.optimizer.models import Prompt
from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.search import Contender, interleave, rank_key
from sharpen.optimizer.strategies.base import Candidate


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
