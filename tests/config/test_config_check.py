"""Does a plan fit its data, and what will it take?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sharpen.config.check import check_plan, check_variables, estimate
from sharpen.config.models import Case, RunManifest
from sharpen.config.targets import OpenAITarget, Price

OPENAI = {"kind": "openai", "model": "m", "params": {"max_tokens": 10}}


def plan(prompt: str = "{{ message }}", target: dict[str, Any] = OPENAI, **fields: Any) -> RunManifest:
    return RunManifest.model_validate(
        {"workflow_id": "w", "prompt": {"user": prompt}, "target": target, "dataset": [{"vars": {}}], **fields}
    )


def cases(*variables: dict[str, Any], expected: Any = "x") -> list[Case]:
    return [Case(id=f"c{n}", vars=each, expected=expected) for n, each in enumerate(variables, 1)]


def errors(manifest: RunManifest, rows: list[Case]) -> list[str]:
    return [str(problem) for problem in check_variables(manifest, rows).errors]


def warnings(manifest: RunManifest, rows: list[Case]) -> list[str]:
    return [str(problem) for problem in check_variables(manifest, rows).warnings]


def test_all_is_well() -> None:
    found = check_variables(plan(), cases({"message": 1}))
    assert (found.errors, found.warnings) == ((), ())


def test_missing_everywhere_suggests() -> None:
    rows = cases({"message": 1}, {"message": 2})
    assert errors(plan("{{ mesage }}"), rows) == ["prompt: variable 'mesage' is in no case; did you mean 'message'?"]


def test_missing_in_some_names_them() -> None:
    rows = cases({"message": 1}, *[{}] * 7)
    assert errors(plan(), rows) == [
        "prompt: variable 'message' is missing in 7 of 8 cases: c2, c3, c4, c5, c6 and 2 more"
    ]


def test_expected_in_a_prompt_leaks() -> None:
    (message,) = errors(plan("{{ message }} {{ expected }}"), cases({"message": 1}))
    assert message.startswith("prompt: the prompt uses 'expected', which would leak the answer")


def test_candidates_of_the_user_are_compared_like_the_prompt() -> None:
    rows = cases({"message": 1, "tone": 2}, {"message": 1, "tone": 3})
    mine = [{"user": "{{ message }} {{ tone }}"}, {"user": "{{ mesage }} {{ zzzz }}"}, {"user": "{{ expected }}"}]
    found = check_variables(plan(optimize={"candidates": mine}), rows)
    assert [str(problem) for problem in found.errors] == [
        "optimize.candidates.2: candidate 3 uses 'expected', which would leak the answer to the model; "
        "expected variables of the cases alone",
        "optimize.candidates.1: candidate 2: variable 'mesage' is in no case; did you mean 'message'?",
        "optimize.candidates.1: candidate 2: variable 'zzzz' is in no case; known: message, tone",
    ]
    assert found.warnings == ()  # what a candidate uses is used


def test_a_candidate_that_some_cases_cannot_fill_names_them() -> None:
    mine = plan(optimize={"candidates": [{"user": "{{ message }} {{ tone }}"}]})
    assert errors(mine, cases({"message": 1, "tone": 2}, {"message": 1})) == [
        "optimize.candidates.0: candidate 1: variable 'tone' is missing in 1 of 2 cases: c2"
    ]


def test_a_group_that_no_case_has_is_an_error() -> None:
    rows = cases({"message": 1, "customer": "a"}, {"message": 2})
    assert errors(plan("{{ message }}", optimize={"group": "customer"}), [*rows, rows[0]]) == []
    assert errors(plan("{{ message }}", optimize={"group": "custmer"}), rows[:1]) == [
        "optimize.group: 'custmer' is in no case's metadata or variables; did you mean 'customer'?"
    ]


def test_a_group_is_looked_for_in_metadata_too_and_not_where_every_case_has_its_own() -> None:
    named = plan(optimize={"group": "document"})
    told = Case(id="a", vars={"message": 1}, metadata={"document": "d1"})
    own = [Case(id="b", vars={"message": 1}, group="g"), Case(id="c", vars={"message": 1}, metadata={"group": "h"})]
    assert errors(named, [told, *own]) == []
    assert errors(named, own) == []
    assert errors(named, [*own, *cases({"message": 1})]) == [
        "optimize.group: 'document' is in no case's metadata or variables; known: group, message"
    ]


@pytest.mark.parametrize("prompt", ["{{ hint | default('') }}", "{% if hint is defined %}{{ hint }}{% endif %}"])
def test_guarded_variables_may_be_missing(prompt: str) -> None:
    assert errors(plan("{{ message }}" + prompt), cases({"message": 1})) == []


def test_loop_variables_and_globals_are_no_columns() -> None:
    prompt = "{% for item in message %}{{ loop.index }}{{ item }}{{ range(3) }}{% endfor %}"
    assert errors(plan(prompt), cases({"message": [1]})) == []


def test_unused_columns_are_warnings() -> None:
    rows = cases({"message": 1, "note": 2})
    assert warnings(plan(), rows) == ["dataset: variable 'note' of the cases is used by no prompt and no assertion"]


@pytest.mark.parametrize(
    "fields",
    [
        {"assertions": [{"type": "contains", "value": "{{ note }}"}]},
        {"assertions": [{"type": "contains-any", "value": ["a", "{{ vars.note }}"]}]},
        {"assertions": [{"type": "python", "value": "vars['note'] in output"}]},
        {"assertions": [{"type": "python", "value": "my:function"}]},
        {"assertions": [{"type": "my:Assertion"}]},
        {"assertions": [{"type": "is-json", "value": {"const": "{{ note }}"}}]},
        {"target": {"kind": "python", "function": "m:f"}},
        {"target": {"kind": "scripted"}},
    ],
)
def test_used_elsewhere(fields: dict[str, Any]) -> None:
    assert warnings(plan(**fields), cases({"message": 1, "note": 2})) == []


def test_programs_still_need_the_prompts_variables() -> None:
    assert errors(plan(target={"kind": "python", "function": "m:f"}), cases({"text": 1})) == [
        "prompt: variable 'message' is in no case; known: text"
    ]


def test_assertion_values() -> None:
    manifest = plan(assertions=[{"type": "equals", "value": "{{ expected }} {{ lable }}"}])
    rows = [*cases({"message": 1, "label": 2}), Case(id="d", vars={"message": 1, "label": 2})]
    assert errors(manifest, rows) == [
        "assertions.0.value: 'expected' is missing in 1 of 2 cases: d",
        "assertions.0.value: variable 'lable' is in no case; did you mean 'label'?",
    ]
    assert errors(manifest, cases({"message": 1, "lable": 2}, expected=None)) == [
        "assertions.0.value: no case has an 'expected'"
    ]


def test_a_cases_own_assertions() -> None:
    case = Case.model_validate(
        {"id": "c", "vars": {"message": 1}, "assertions": [{"type": "equals", "value": "{{ mesage }}"}]}
    )
    assert errors(plan(), [case]) == [
        "c.assertions.0.value: 'mesage' is no variable of this case; did you mean 'message'?"
    ]


def test_a_template_that_does_not_parse() -> None:
    assert errors(plan("{{ message"), cases({})) == [
        "prompt: template: line 1: unexpected end of template, expected 'end of print statement'."
    ]


def test_estimate() -> None:
    manifest = plan("1234{{ message }}", execution={"repeats": 3}, optimize={"budget": {"max_calls": 100}})
    found = estimate(
        manifest, cases({"message": "5678"}, {"message": "56789"}), Price(input_usd_per_mtok=1, output_usd_per_mtok=2)
    )
    assert (found.cases, found.calls, found.judge_calls, found.total_calls) == (2, 6, 0, 6)
    assert found.prompt_tokens == 3 * (2 + 3), "8 and 9 characters, 4 to a token, rounded up"
    assert found.max_completion_tokens == 6 * 10
    assert found.max_cost_usd == pytest.approx((15 * 1 + 60 * 2) / 1e6)
    assert found.optimize_calls == 100


def test_unknown_stays_unknown() -> None:
    rows = cases({"message": "a"})
    assert estimate(plan(), rows).max_cost_usd is None
    assert estimate(plan(), rows, lambda target: None).max_cost_usd is None
    unbounded = plan(target={"kind": "openai", "model": "m"}, optimize={"budget": {}})
    found = estimate(unbounded, rows, Price(input_usd_per_mtok=1, output_usd_per_mtok=1))
    assert (found.max_completion_tokens, found.max_cost_usd, found.optimize_calls) == (None, None, None)
    free = estimate(unbounded, rows, Price(input_usd_per_mtok=4, output_usd_per_mtok=0))
    assert free.max_cost_usd == pytest.approx(4 / 1e6)


def test_the_plans_price_and_the_local_model() -> None:
    rows = cases({"message": "a"})
    priced = plan(target={**OPENAI, "price": {"input_usd_per_mtok": 0, "output_usd_per_mtok": 1}})
    assert estimate(priced, rows, lambda target: pytest.fail("the plan's own price comes first")).max_cost_usd == 1e-5
    assert estimate(plan(target={"kind": "local"}), rows).max_cost_usd == 0


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_names_of_the_completion_bound(name: str) -> None:
    found = estimate(plan(target={"kind": "openai", "model": "m", "params": {name: 7}}), cases({"message": "a"}))
    assert found.max_completion_tokens == 7
    wrong = plan(target={"kind": "openai", "model": "m", "params": {name: "7"}})
    assert estimate(wrong, cases({"message": "a"})).max_completion_tokens is None


def test_judges_are_counted_apart() -> None:
    rubric = {
        "type": "llm-rubric",
        "value": "is it kind?!",
        "judge": {"kind": "openai", "model": "j", "params": {"max_tokens": 5}},
    }
    manifest = plan(assertions=[rubric], execution={"repeats": 2})
    rows = [
        *cases({"message": "a"}),
        Case.model_validate({"id": "d", "vars": {"message": "b"}, "assertions": [rubric]}),
    ]

    def price(target: OpenAITarget) -> Price:
        cents = 1 if target.model == "j" else 0
        return Price(input_usd_per_mtok=cents, output_usd_per_mtok=cents)

    found = estimate(manifest, rows, price)
    assert (found.calls, found.judge_calls) == (4, 6)
    assert found.max_cost_usd == pytest.approx(6 * (3 + 10 + 5) / 1e6), "rubric, answer, and the judge's own answer"
    assert estimate(manifest, rows, lambda t: price(t) if t.model == "m" else None).max_cost_usd is None
    unbounded = plan(assertions=[rubric], target={"kind": "openai", "model": "m"})
    assert estimate(unbounded, rows, price).max_cost_usd is None


def test_one_pass_over_a_stream() -> None:
    def stream() -> Iterator[Case]:
        for n in range(3000):
            yield Case(id=str(n), vars={"message": "abcd"} if n % 2 else {"text": ""})

    found = check_plan(plan(), stream())
    assert found.estimate.cases == 3000
    assert [problem.message.split(":")[0] for problem in found.errors] == [
        "variable 'message' is missing in 1500 of 3000 cases"
    ]
    assert [problem.key for problem in found.warnings] == ["dataset"]


def test_budgets_that_cannot_suffice() -> None:
    budget = {"max_calls": 3, "max_tokens": 1, "max_cost_usd": 1.0}
    manifest = plan(execution={"repeats": 2, "budget": budget})
    found = check_plan(manifest, cases({"message": "12345678"}, {"message": "x"}))
    assert [str(problem) for problem in found.warnings] == [
        "execution.budget.max_calls: 3 will end the run early: it needs 4 calls",
        "execution.budget.max_tokens: 1 will end the run early: it needs 6 prompt tokens (estimated)",
        "execution.budget.max_cost_usd: cannot be watched: the price or the length of answers is unknown; "
        "expected target.price and params.max_tokens",
    ]
    assert check_plan(manifest, [], Price(input_usd_per_mtok=1, output_usd_per_mtok=1)).warnings == ()
