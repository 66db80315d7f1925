import random

import pytest
from pydantic import TypeAdapter

from sharpen.config.assertions import AssertionConfig
from sharpen.optimizer.models import Prompt, PromptAnalysis
from sharpen.optimizer.ports import CaseOutcome, LabelledCase
from sharpen.optimizer.strategies.base import StrategyContext
from sharpen.optimizer.strategies.demonstrations import Demonstrations, draw_balanced, split_question
from sharpen.templating import render

ANALYSIS = PromptAnalysis(prompt_id="p", overall_score=50, clarity_score=50, efficiency_score=50)


def prompt(*contents):
    roles = ("user",) if len(contents) == 1 else ("system", "user")
    messages = [{"role": role, "content": content} for role, content in zip(roles, contents, strict=True)]
    return Prompt.model_validate({"id": "p", "messages": messages})


def train(n=12, answers=("billing", "shipping", "account")):
    return [
        LabelledCase(f"t{k}", {"message": f"text {k} {{{{ not a variable }}}}"}, answers[k % len(answers)])
        for k in range(n)
    ]


def context(given, cases=None, **more):
    cases = train() if cases is None else cases
    return StrategyContext(prompt=given, analysis=ANALYSIS, train=cases, rng=random.Random(1), **more)


async def test_inline_examples_have_the_questions_own_form():
    seed = prompt("Route the message.\n\nMessage: {{ message }}")
    found = await Demonstrations().propose(context(seed, api="completions"))
    assert {len(candidate.prompt.messages) for candidate in found} == {1}
    once = next(c for c in found if c.changes[0].rule_id == "demonstrations/inline")
    text = render(once.prompt.messages[0].content, {"message": "where is my parcel"})
    blocks = text.split("\n\n")
    assert blocks[0] == "Route the message."
    assert blocks[-1] == "Message: where is my parcel\nAnswer:"
    assert len(blocks) == 1 + 8 + 1
    assert all(block.startswith("Message: text ") and "{{ not a variable }}" in block for block in blocks[1:-1])
    assert text.count("Route the message.") == 1


async def test_a_raw_completion_is_offered_with_the_instructions_repeated_too():
    seed = prompt("Route the message.\n\nMessage: {{ message }}")
    found = await Demonstrations().propose(context(seed, api="completions"))
    repeated = next(c for c in found if c.changes[0].rule_id == "demonstrations/repeated")
    text = render(repeated.prompt.text, {"message": "x"})
    assert text.count("Route the message.") == 8 + 1
    assert text.endswith("Message: x\nAnswer:")


async def test_chat_examples_come_as_turns_and_inline():
    found = await Demonstrations().propose(context(prompt("Sort it.\n{{ message }}"), api="chat"))
    assert {candidate.changes[0].rule_id for candidate in found} == {"demonstrations/turns", "demonstrations/inline"}
    turns = next(c for c in found if c.changes[0].rule_id == "demonstrations/turns").prompt.messages
    assert [m.role for m in turns[:3]] == ["system", "user", "assistant"]
    assert turns[-1].content == "{{ message }}"
    assert turns[0].content == "Sort it."


async def test_a_cue_of_the_prompts_own_is_used():
    found = await Demonstrations().propose(context(prompt("{{ message }}\nQueue:"), api="completions"))
    assert "Answer:" not in found[0].prompt.text
    assert found[0].prompt.text.endswith("{{ message }}\nQueue:")


async def test_candidates_differ_in_size_and_draw_and_know_their_cases():
    found = await Demonstrations().propose(context(prompt("{{ message }}"), api="completions"))
    assert len({candidate.prompt.content_hash for candidate in found}) == len(found) == 6
    assert all("t" in candidate.changes[0].reason for candidate in found)


async def test_answers_of_passing_runs_stand_in_for_missing_expectations():
    cases = [LabelledCase(f"t{k}", {"message": str(k)}) for k in range(6)]
    passed = {f"t{k}": CaseOutcome(f"t{k}", float(k < 4), 1.0, output=f" out{k}\n") for k in range(6)}
    found = await Demonstrations().propose(context(prompt("{{ message }}"), cases, train_outcomes=passed))
    assert found
    assert all("out4" not in candidate.prompt.text for candidate in found)
    assert not await Demonstrations().propose(context(prompt("{{ message }}"), cases))


async def test_structured_answers_are_shown_as_json():
    cases = [LabelledCase(f"t{k}", {"message": str(k)}, {"n": k}) for k in range(4)]
    found = await Demonstrations().propose(context(prompt("{{ message }}"), cases, api="completions"))
    assert '{"n": 1}' in render(found[0].prompt.text, {"message": "x"})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"item": "{{ expected }}"}, '{"item": "cup"}'),
        ("Item: {{ expected }}", "Item: cup"),
        ("{{ expected }} for {{ message }}", "cup for 1"),
        ("{{ nobody }}", "cup"),  # its own run says what is wrong with it
    ],
)
async def test_the_answer_that_is_shown_is_the_one_that_passes(value, shown):
    entries = TypeAdapter(tuple[AssertionConfig, ...]).validate_python([{"type": "equals", "value": value}])
    cases = [LabelledCase(f"t{k}", {"message": str(k)}, "cup") for k in range(4)]
    found = await Demonstrations().propose(
        context(prompt("{{ message }}"), cases, api="completions", assertions=entries)
    )
    assert f"1\nAnswer: {shown}\n" in render(found[0].prompt.text, {"message": "x"})


@pytest.mark.parametrize("given", [prompt("No question here."), prompt("sys {{ message }}", "no question")])
async def test_a_prompt_without_a_question_gets_no_examples(given):
    assert await Demonstrations().propose(context(given)) == []


async def test_examples_that_do_not_fit_or_cannot_be_made_are_not_proposed():
    seed = prompt("{{ message }}")
    assert await Demonstrations().propose(context(seed, max_added_tokens=1)) == []
    assert await Demonstrations().propose(context(prompt("{{ other }}"))) == []


def test_draws_are_balanced_over_answers():
    class D:
        def __init__(self, answer):
            self.answer = answer

    pool = [D("a")] * 20 + [D("b")] * 2 + [D("c")] * 2
    drawn = [d.answer for d in draw_balanced(pool, 6, random.Random(0))]
    assert sorted(drawn) == ["a", "a", "b", "b", "c", "c"]


def test_the_question_begins_with_its_first_placeholder():
    assert split_question("Do it.\n\nText: {{ x }}\nLabel:") == ("Do it.", "Text: {{ x }}\nLabel:")
    assert split_question("{% if x %}{{ x }}{% endif %}") == ("", "{% if x %}{{ x }}{% endif %}")
