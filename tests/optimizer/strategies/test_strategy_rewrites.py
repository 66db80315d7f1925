"""What the rule strategies propose, text by text, and that no prompt makes them touch a placeholder."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.config.assertions import AssertionPart, JsonAssertion, LengthAssertion, NumberAssertion, TextAssertion
from sharpen.config.prompts import PromptMessage
from sharpen.optimizer.analysis.analyzer import LintContext, analyze
from sharpen.optimizer.models import Prompt, TextEdit
from sharpen.optimizer.ports import LabelledCase
from sharpen.optimizer.strategies.base import StrategyContext
from sharpen.optimizer.strategies.clarity_focus import ClarityFocus
from sharpen.optimizer.strategies.edits import Draft, keeps_placeholders, literal, placeholders
from sharpen.optimizer.strategies.efficiency_focus import EfficiencyFocus
from sharpen.optimizer.strategies.format_focus import FormatFocus
from sharpen.optimizer.strategies.structure_focus import StructureFocus
from sharpen.templating import render

LABELS = ("billing", "shipping", "technical")
EQUALS: tuple[AssertionPart, ...] = (TextAssertion(type="equals", value="{{ expected }}"),)
JSON: tuple[AssertionPart, ...] = (
    JsonAssertion(
        type="is-json", value={"properties": {"queue": {"enum": list(LABELS)}, "urgent": {"type": "boolean"}}}
    ),
)
CONTRACT = "Answer with exactly one of: billing, shipping, technical. No other words."
ALL = (ClarityFocus, EfficiencyFocus, FormatFocus, StructureFocus)


def context(*contents, assertions=EQUALS, api="chat", **given):
    messages = [
        PromptMessage(role=r, content=c) for r, c in (c if isinstance(c, tuple) else ("user", c) for c in contents)
    ]
    prompt = Prompt(id="p", messages=tuple(messages))
    train = [LabelledCase(f"t{n}", {"message": f"A message {n} about something"}, LABELS[n % 3]) for n in range(9)]
    return StrategyContext(
        prompt=prompt,
        analysis=analyze(prompt),
        assertions=assertions,
        train=train,
        api=api,
        rng=random.Random(0),
        **given,
    )


def propose(strategy, *contents, **given):
    return asyncio.run(strategy().propose(context(*contents, **given)))


def texts(strategy, *contents, **given):
    """Candidates as text, roles in brackets before all but user messages."""
    return [
        "\n---\n".join(m.content if m.role == "user" else f"[{m.role}] {m.content}" for m in candidate.prompt.messages)
        for candidate in propose(strategy, *contents, **given)
    ]


def test_format_focus_tries_every_place_of_the_contract():
    assert texts(FormatFocus, "Sort it.\n\n{{ message }}") == [
        f"Sort it.\n\n{CONTRACT}\n\n{{{{ message }}}}\nAnswer:",
        f"Sort it.\n\n{CONTRACT}\n\n{{{{ message }}}}",
        f"Sort it.\n\n{{{{ message }}}}\n\n{CONTRACT}",
        f"[system] {CONTRACT}\n---\nSort it.\n\n{{{{ message }}}}",
        f"[system] {CONTRACT}\n---\nSort it.\n\n{{{{ message }}}}\nAnswer:",
        "Sort it.\n\n{{ message }}\nAnswer:",
    ]


def test_format_focus_keeps_a_label_fence_or_cue_with_its_value():
    assert texts(FormatFocus, "Sort it.\n\nMessage:\n{{ message }}\nQueue:")[:3] == [
        f"Sort it.\n\n{CONTRACT}\n\nMessage:\n{{{{ message }}}}\nQueue:",
        f"Sort it.\n\nMessage:\n{{{{ message }}}}\n{CONTRACT}\nQueue:",
        f"[system] {CONTRACT}\n---\nSort it.\n\nMessage:\n{{{{ message }}}}\nQueue:",
    ]
    assert texts(FormatFocus, 'Sort it.\n"""\n{{ message }}\n"""')[1].startswith(f'Sort it.\n{CONTRACT}\n\n"""')


def test_format_focus_does_not_come_between_examples_and_question():
    shown = "Text: a\nQueue: billing\n\nText: b\nQueue: shipping\n\nText: {{ text }}\nQueue:"
    assert texts(FormatFocus, f"Sort it.\n\n{shown}")[0] == f"Sort it.\n\n{CONTRACT}\n\n{shown}"
    bare = "a\nAnswer: billing\n\nb\nAnswer: shipping\n\n{{ text }}\nAnswer:"
    assert texts(FormatFocus, f"Sort it.\n\n{bare}")[0] == f"Sort it.\n\n{CONTRACT}\n\n{bare}"


def test_format_focus_adds_to_an_existing_system_message():
    assert (
        texts(FormatFocus, ("system", "You sort."), "{{ message }}")[3]
        == f"[system] You sort.\n{CONTRACT}\n---\n{{{{ message }}}}"
    )


def test_format_focus_does_not_say_it_twice():
    assert texts(FormatFocus, f"Sort it. {CONTRACT}\n\n{{{{ message }}}}") == [
        f"Sort it. {CONTRACT}\n\n{{{{ message }}}}\nAnswer:"
    ]


def test_format_focus_puts_the_contract_before_a_whole_block():
    (first, *_) = texts(FormatFocus, "Sort it.\n{% if message %}\n{{ message }}\n{% endif %}")
    assert first.startswith(f"Sort it.\n{CONTRACT}\n\n{{% if message %}}\n")


def test_format_focus_has_nothing_to_add_without_a_demand():
    assert texts(FormatFocus, "Sort it.\n\n{{ message }}", assertions=()) == []
    assert texts(FormatFocus, "Sort it.\n\n{{ message }}", assertions=(), api="completions") == [
        "Sort it.\n\n{{ message }}\nAnswer:"
    ]


def test_the_answer_line_is_called_what_the_prompt_or_the_data_call_it():
    assert texts(FormatFocus, "Which queue?\n\n{{ message }}")[-2:] == [
        "Which queue?\n\n{{ message }}\nQueue:",
        "Which queue?\n\n{{ message }}\nAnswer:",
    ]
    assert texts(FormatFocus, "Read it.\n\n{{ message }}", assertions=JSON)[0].endswith("\nJSON:")
    by_name = (TextAssertion(type="equals", value="{{ message }}"),)
    train = [LabelledCase(f"{n}", {"message": LABELS[n % 3]}) for n in range(9)]
    asked = context("Read it.\n\n{{ text }}", assertions=by_name)
    asked = StrategyContext(prompt=asked.prompt, analysis=asked.analysis, assertions=by_name, train=train)
    assert asyncio.run(FormatFocus().propose(asked))[0].prompt.text.endswith("\nMessage:")


@pytest.mark.parametrize(
    ("labels", "name"),
    [(("positive", "Negative"), "Sentiment"), (("low", "high"), "Priority"), (("positive", "billing"), "Category")],
)
def test_the_answer_line_is_called_what_the_answers_are(labels, name):
    train = [LabelledCase(f"{n}", {"message": "x"}, labels[n % 2]) for n in range(8)]
    base = context("Classify the message.\n\n{{ message }}")
    asked = StrategyContext(prompt=base.prompt, analysis=base.analysis, assertions=EQUALS, train=train)
    assert asyncio.run(FormatFocus().propose(asked))[0].prompt.text.endswith(f"\n{name}:")


def test_a_prompt_in_another_language_gets_signs_and_names_only():
    text = "Ordne die Nachricht einer der Kategorien zu.\n\n{{ message }}"
    for strategy in ALL:
        for found in texts(strategy, text):
            rest = found.replace("Ordne die Nachricht einer der Kategorien zu.", "")
            assert set(rest.replace("{{ message }}", "").split()) <= {
                "billing", "|", "shipping", "technical", "Message:", "<message>", "</message>", "[system]", "---",
            }  # fmt: skip
    (first, *_) = texts(FormatFocus, text, assertions=JSON)
    assert '{"queue": "billing | shipping | technical", "urgent": boolean}' in first


def test_clarity_focus_states_a_task_that_was_vague():
    task = "Classify the message below as exactly one of: billing, shipping, technical."
    assert texts(ClarityFocus, "Check this message.\n\n{{ message }}")[:4] == [
        f"{task}\n\nMessage: {{{{ message }}}}\nCategory:",
        f"{task}\n\nMessage: {{{{ message }}}}",
        "Which category fits the message below: billing, shipping, technical?\n\nMessage: {{ message }}\nCategory:",
        "Which category fits the message below: billing, shipping, technical?\n\nMessage: {{ message }}",
    ]


def test_clarity_focus_states_a_task_that_was_missing():
    found = texts(ClarityFocus, "{{ message }}", assertions=JSON)[1]
    assert found.startswith("Read the message below and extract: queue, urgent. Answer with one JSON object only")
    found = texts(ClarityFocus, "{{ message }}", assertions=(NumberAssertion(type="is-number"),))[1]
    assert found == "Read the message below and answer. Answer with a number only.\n\nMessage: {{ message }}"


def test_clarity_focus_leaves_a_clear_task_and_names_the_input():
    assert texts(ClarityFocus, "Name the queue.\n\n{{ message }}")[0] == "Name the queue.\n\nMessage: {{ message }}"


def test_clarity_focus_invents_no_numbers():
    prompt = "List several facts. Give some good examples.\n\n{{ text }}"
    (found, *more) = texts(ClarityFocus, prompt, assertions=())
    assert found == "List several facts. Give some good examples.\n\nText: {{ text }}"
    assert not any("three" in text for text in more)


def test_clarity_focus_drops_what_contradicts_the_assertions_and_nothing_else():
    (first, *_) = propose(ClarityFocus, "Name the queue in one word. Explain your reasoning.\n\nMessage: {{ message }}")
    assert first.prompt.text == "Name the queue in one word. \n\nMessage: {{ message }}"
    assert [change.rule_id for change in first.changes] == ["SP104"]
    kept = "Be brief. Explain in great detail.\n\nMessage: {{ message }}"
    assert texts(ClarityFocus, kept, assertions=(LengthAssertion(type="length", max=9),), api="chat") == [
        f"{kept}\nAnswer:"
    ]


def test_clarity_focus_moves_a_buried_task_to_the_front():
    before = " ".join(f"Store {n} of the chain was opened in the year {1900 + n} by the family." for n in range(9))
    (first, *_) = propose(
        ClarityFocus, f"{before} Name the queue. {before.replace('Store', 'Shop')}\n\nMessage: {{{{ message }}}}"
    )
    assert first.prompt.text.startswith("Name the queue.\n\nStore 0")
    assert first.prompt.text.count("Name the queue.") == 1


def test_structure_focus_offers_forms_sections_and_roles():
    found = texts(StructureFocus, ("system", "You sort mail."), "Name the queue.\n\n{{ message }}\n\nDo not explain.")
    said = "You sort mail.\n\nName the queue.\n\nDo not explain."
    assert found == [
        f"You sort mail.\n\nName the queue.\n\nDo not explain.\n\n{CONTRACT}\n\nMessage: {{{{ message }}}}\nQueue:",
        "You sort mail.\n\nName the queue.\n\nDo not explain.\n\nQueue is one of: billing, shipping, technical\n\n"
        "Message: {{ message }}\nQueue:",
        f"[system] {said}\n\n{CONTRACT}\n---\n<message>\n{{{{ message }}}}\n</message>",
        f"## Task\n{said}\n\n## Input\n<message>\n{{{{ message }}}}\n</message>\n\n## Output\n{CONTRACT}\nQueue:",
        "You sort mail.\n\nName the queue.\n\nDo not explain.\n\nMessage: {{ message }}\nQueue:",
    ]


def test_structure_focus_keeps_the_delimiters_there_are():
    found = texts(StructureFocus, "Name the queue.\n\n<mail>\n{{ message }}\n</mail>\nQueue:")
    assert all("<mail>\n{{ message }}\n</mail>" in text for text in found)
    assert all(text.count("Queue:") <= 1 for text in found)


@pytest.mark.parametrize(
    "contents",
    [
        ["Name the queue of {{ message }} in one word."],
        ["Name the queue.\n{% set short = message %}\n{{ message }}"],
        ["Name the queue.\n\n{{ message }}\n\nAnd the language.\n\n{{ text }}"],
        [("system", "Sort {{ message }}"), "Queue of {{ text }}?"],
        ["Text", ("assistant", "billing"), "{{ message }}"],
        ["Name a queue."],
        ["Sort it.\n\nText: a\nQueue: billing\n\nText: {{ text }}\nQueue:"],
    ],
)
def test_structure_focus_lets_be_what_cannot_be_taken_apart(contents):
    assert texts(StructureFocus, *contents) == []


def test_efficiency_focus_takes_out_what_says_nothing():
    text = (
        "Hello there! Please name the queue. We are an old family business in the north. Use the name only.\n\n\n\n"
        "Thank you so much for your help!\nMessage:  {{ message }}"
    )
    assert texts(EfficiencyFocus, text) == [
        "Name the queue. We are an old family business in the north. Use the name only.\n\nMessage: {{ message }}",
        "Name the queue. Use the name only.\n\nMessage: {{ message }}",
    ]


def test_efficiency_focus_keeps_what_belongs_to_the_contract_and_all_statements_without_a_task():
    text = "Name the queue. Everything about an invoice is billing. - {{ message }}"
    assert texts(EfficiencyFocus, text) == []
    assert texts(EfficiencyFocus, "The shop sells many shoes.\n\n{{ message }}") == []


def test_efficiency_focus_keeps_the_spaces_of_code():
    text = "Fix the code.\n\n```\nif x:\n\n\n    y  = 1\n```\n\n{{ message }}"
    assert texts(EfficiencyFocus, text) == []


def test_literal_text_is_never_read_as_a_tag():
    for text in ("a {{ b }}", "{% c %}", "{# d #}", "{", '{"a": 1}', "plain"):
        assert render(literal(text) + "{{ x }}", {"x": "!"}) == f"{text}!"


def test_labels_that_look_like_tags_stay_text():
    strange = ("{{ a }}", "{% b %}")
    train = [LabelledCase(f"{n}", {"message": "x"}, strange[n % 2]) for n in range(8)]
    base = context("Sort it.\n\n{{ message }}")
    asked = StrategyContext(prompt=base.prompt, analysis=base.analysis, assertions=EQUALS, train=train)
    for strategy in ALL:
        for candidate in asyncio.run(strategy().propose(asked)):
            assert keeps_placeholders(base.prompt, candidate.prompt)
            for message in candidate.prompt.messages:
                render(message.content, {"message": "hello"})


def test_a_draft_refuses_to_change_placeholders():
    draft = Draft(context("Sort {{ message }}.").prompt)
    with pytest.raises(ValueError, match="Jinja tag"):
        draft.edited(0, [TextEdit(start=0, end=9)], "x", "y")
    with pytest.raises(ValueError, match="placeholders"):
        draft.rebuilt([PromptMessage(role="user", content="{{ message }} {{ message }}")], "x", "y")
    assert draft.rebuilt(draft.prompt.messages, "x", "y") is draft


PIECES = [
    "Check this.", "Please sort the message.", "Explain in detail.", "Be brief.", "Name a few queues.",
    "Message:", "Queue:", "{{ message }}", "{{ message | trim }}", "{{ text }}", "{% if a %}",
    "{% endif %}", "{% set b = 1 %}", "{# note #}", "{% raw %}{{ x }}{% endraw %}", "{{ '{' }}", "{",
    "}", '"""', "```", "<text>", "</text>", "Hello there!", "Nachricht:", "Antworte nur mit dem Namen.",
    "Sort it. Sort it. Sort it.", "Thank you for your help!", "请翻译。", "- item",
]  # fmt: skip
GAPS = [" ", "\n", "\n\n", "", "  ", "\n\n\n"]
SOURCES = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(GAPS)), max_size=10).map(
    lambda parts: "".join(piece + gap for piece, gap in parts)
)


@settings(max_examples=80, deadline=None)
@given(
    system=st.none() | SOURCES,
    user=SOURCES,
    assertions=st.sampled_from([EQUALS, JSON, ()]),
    api=st.sampled_from(["chat", "completions"]),
)
def test_no_prompt_makes_a_strategy_touch_a_placeholder(system, user, assertions, api):
    contents = [user] if system is None else [("system", system), user]
    asked = context(*contents, assertions=assertions, api=api)
    before = placeholders(asked.prompt)
    for strategy in ALL:
        for candidate in asyncio.run(strategy().propose(asked)):
            assert placeholders(candidate.prompt) == before
            assert candidate.prompt.content_hash != asked.prompt.content_hash
            assert candidate.changes


@settings(max_examples=60, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=8), gap=st.sampled_from([" ", "\n", "\n\n\n"]))
def test_leaving_out_never_lowers_efficiency(pieces, gap):
    asked = context(gap.join(["Name the queue of the message.", *pieces]))
    known = LintContext(assertions=EQUALS, cases=asked.train)
    for candidate in asyncio.run(EfficiencyFocus().propose(asked))[:1]:
        assert analyze(candidate.prompt, known).efficiency_score >= analyze(asked.prompt, known).efficiency_score
