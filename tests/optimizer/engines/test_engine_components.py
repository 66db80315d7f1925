"""Which texts of a prompt other engines may rewrite."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.config.prompts import PromptMessage
from sharpen.optimizer.engines.components import Components
from sharpen.optimizer.models import Prompt
from sharpen.optimizer.strategies.edits import keeps_placeholders


def prompt(*messages):
    return Prompt(id="p", messages=tuple(PromptMessage(role=role, content=content) for role, content in messages))


def test_what_stands_before_the_input_is_the_text_and_the_input_stays():
    seed = prompt(("user", "Sort the message.\n\nMessage: {{ message }}\nQueue:"))
    parts = Components.of(seed)
    assert parts.texts == {"user": "Sort the message."}
    assert parts.with_texts({"user": "Pick a queue.\n"}).text == "Pick a queue.\n\nMessage: {{ message }}\nQueue:"
    assert parts.with_texts(parts.texts).content_hash == seed.content_hash


def test_braces_in_a_new_text_are_text():
    parts = Components.of(prompt(("user", "Sort the message as JSON.\n{{ message }}")))
    changed = parts.with_texts({"user": 'Answer like {{ "queue" }} or {% this %}.'})
    assert changed.variables == {"message"}
    assert keeps_placeholders(parts.prompt, changed)


def test_an_input_inside_a_sentence_makes_the_message_one_text_that_must_keep_it():
    parts = Components.of(prompt(("user", "Say where {{ message }} belongs.")))
    assert parts.texts == {"user": "Say where {{ message }} belongs."}
    assert parts.with_texts({"user": "Put {{ message }} into a queue."}).text == "Put {{ message }} into a queue."
    for broken in ("Put it into a queue.", "Put {{ message }} {{ other }} there.", "Put {{ message", "  "):
        assert parts.with_texts({"user": broken}) is None


def test_system_and_user_are_two_texts_and_examples_are_none():
    parts = Components.of(
        prompt(
            ("system", "You sort."),
            ("user", "an example"),
            ("assistant", "billing"),
            ("user", "Now sort this one for me:\n{{ message }}"),
        )
    )
    assert parts.texts == {"system": "You sort.", "user_2": "Now sort this one for me:"}
    changed = parts.with_texts({"system": "You route."})
    assert [message.content for message in changed.messages][:3] == ["You route.", "an example", "billing"]


@pytest.mark.parametrize("text", ["{{ message }}", "{% if message %}{{ message }}{% endif %}"])
def test_a_prompt_that_says_nothing_is_rewritten_as_a_whole(text):
    parts = Components.of(prompt(("user", text)))
    assert parts.texts == {"user": text}
    assert parts.with_texts({"user": f"Sort:\n{text}"}).text == f"Sort:\n{text}"


@settings(max_examples=80, deadline=None)
@given(new=st.text(max_size=60), before=st.sampled_from(["Sort it now.", "A\n\nB c d", "Do {x} {{ m }} too, please."]))
def test_whatever_is_written_the_placeholders_survive_or_nothing_comes_of_it(new, before):
    parts = Components.of(prompt(("system", "Be brief."), ("user", f"{before}\n\n{{{{ message }}}}")))
    for name in parts.texts:
        changed = parts.with_texts({name: new})
        if changed is not None:
            assert keeps_placeholders(parts.prompt, changed)
            assert changed.variables == parts.prompt.variables
