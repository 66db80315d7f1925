from hypothesis import given
from hypothesis import strategies as st

from sharpen.optimizer.models import CandidateReport, Metrics, Prompt
from sharpen.optimizer.pareto import dominates, pareto_front

PROMPT = Prompt.model_validate({"id": "p", "messages": [{"role": "user", "content": "x"}]})


def candidate(name: str, rate: float, tokens: float, latency: float = 1.0, cases: int = 20) -> CandidateReport:
    dev = Metrics(cases=cases, success_rate=rate, tokens_per_request=tokens, avg_latency_ms=latency)
    return CandidateReport(id=name, strategy="s", prompt=PROMPT, dev=dev)


def test_the_front_runs_from_the_best_to_the_cheapest():
    every = [candidate("dear", 0.9, 300), candidate("beaten", 0.7, 320), candidate("cheap", 0.8, 40)]
    assert [each.id for each in pareto_front(every)] == ["dear", "cheap"]


def test_who_saw_few_cases_does_not_stand_on_it():
    every = [candidate("lucky", 1.0, 10, cases=3), candidate("known", 0.8, 40, cases=36)]
    assert [each.id for each in pareto_front(every)] == ["known"]
    assert pareto_front([CandidateReport(id="c", strategy="s", prompt=PROMPT)]) == ()


points = st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.integers(1, 4), st.integers(1, 3))


@given(st.lists(points, min_size=1, max_size=12))
def test_nobody_on_the_front_is_dominated_and_everybody_else_is(rows):
    every = [candidate(f"c{n}", rate, tokens, latency) for n, (rate, tokens, latency) in enumerate(rows)]
    front = pareto_front(every)
    assert front
    for each in every:
        beaten = any(dominates(other.dev, each.dev) for other in every)
        assert beaten == (each not in front)
