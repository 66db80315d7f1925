from hypothesis import given
from hypothesis import strategies as st

from sharpen.optimizer.models import CandidateReport, Metrics, Prompt
from sharpen.optimizer.pareto import dominates, pareto_front

PROMPT = Prompt.model_validate({"id": "p", "messages": [{"role": "user", "content": "x"}]})


def candidate(
    name: str, rate: float, tokens: float, latency: float = 1.0, cases: int = 20, cost: float | None = None
) -> CandidateReport:
    dev = Metrics(
        cases=cases, success_rate=rate, tokens_per_request=tokens, avg_latency_ms=latency, cost_per_request=cost
    )
    return CandidateReport(id=name, strategy="s", prompt=PROMPT, dev=dev)


def test_the_front_runs_from_the_best_to_the_cheapest():
    every = [candidate("dear", 0.9, 300), candidate("beaten", 0.7, 320), candidate("cheap", 0.8, 40)]
    assert [each.id for each in pareto_front(every)] == ["dear", "cheap"]


def test_who_saw_few_cases_does_not_stand_on_it():
    every = [candidate("lucky", 1.0, 10, cases=3), candidate("known", 0.8, 40, cases=36)]
    assert [each.id for each in pareto_front(every)] == ["known"]
    assert pareto_front([CandidateReport(id="c", strategy="s", prompt=PROMPT)]) == ()


def test_time_and_money_put_a_candidate_on_the_front_too() -> None:
    every = [candidate("first", 0.8, 40, 100.0, cost=0.2), candidate("quick", 0.8, 41, 60.0, cost=0.2)]
    assert [each.id for each in pareto_front(every)] == ["first", "quick"]
    noise = candidate("noise", 0.8, 41, 95.0, cost=0.2)  # five percent quicker is no quicker
    assert [each.id for each in pareto_front([every[0], noise])] == ["first"]
    tiny = [candidate("slower", 0.8, 40, 0.03), candidate("quicker", 0.8, 41, 0.01)]  # of a model that takes no time
    assert [each.id for each in pareto_front(tiny)] == ["slower"]
    cheap = candidate("cheap", 0.8, 41, 100.0, cost=0.1)  # more tokens, of a cheaper kind
    assert [each.id for each in pareto_front([every[0], cheap])] == ["first", "cheap"]
    assert [each.id for each in pareto_front([every[0], candidate("unpriced", 0.8, 41, 100.0)])] == ["first"]


points = st.tuples(
    st.sampled_from([0.0, 0.5, 1.0]),
    st.integers(1, 4),
    st.floats(50, 200),
    st.sampled_from([0.1, 0.2]),  # within one search a price is known of all or of none
)


@given(st.lists(points, min_size=1, max_size=12), st.booleans())
def test_nobody_on_the_front_is_dominated_and_everybody_else_is(rows, priced):
    every = [
        candidate(f"c{n}", rate, tokens, latency, cost=cost if priced else None)
        for n, (rate, tokens, latency, cost) in enumerate(rows)
    ]
    front = pareto_front(every)
    assert front
    for each in every:
        beaten = any(dominates(other.dev, each.dev) for other in every)
        assert beaten == (each not in front)


@given(st.lists(points, min_size=2, max_size=6))
def test_domination_never_goes_round_in_a_circle(rows):
    every = [candidate(f"c{n}", *row[:3], cost=row[3]).dev for n, row in enumerate(rows)]
    left = list(every)
    while left:  # take away whom nobody dominates: it ends only without a circle
        rest = [mine for mine in left if any(dominates(other, mine) for other in left)]
        assert len(rest) < len(left)
        left = rest
