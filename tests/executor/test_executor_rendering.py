import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.config.models import PromptTemplate
from sharpen.errors import TemplateError
from sharpen.executor.rendering import PromptRenderer
from sharpen.targets.base import Message
from sharpen.templating import escape

PROMPT = PromptTemplate.model_validate({"system": "Be brief.", "user": "Sort {{ text }} by {{ how | upper }}"})


def test_renders_each_message_and_keeps_fixed_ones() -> None:
    renderer = PromptRenderer(PROMPT)
    first, second = renderer.render({"text": "a", "how": "x"}), renderer.render({"text": "b", "how": "y"})
    assert first == (Message("system", "Be brief."), Message("user", "Sort a by X"))
    assert second[1].content == "Sort b by Y"
    assert first[0] is second[0]


def test_names_the_message_and_the_variable_that_is_missing() -> None:
    with pytest.raises(TemplateError, match=r"prompt message 2 \(user\).*'how' is undefined.*variables here: text"):
        PromptRenderer(PROMPT).render({"text": "a"})


def test_a_syntax_error_is_found_before_any_case() -> None:
    with pytest.raises(TemplateError, match=r"prompt message 1 \(user\): line 2"):
        PromptRenderer(PromptTemplate.from_text("fine\n{{ broken "))


@settings(deadline=None)
@given(st.text(), st.text())
def test_data_is_never_read_as_a_template(literal: str, data: str) -> None:
    renderer = PromptRenderer(PromptTemplate.from_text(escape(literal) + "{{ x }}"))
    # Jinja2 normalises newlines of the template's own text, never those of data
    (message,) = renderer.render({"x": data})
    assert message.content == literal.replace("\r\n", "\n").replace("\r", "\n") + data
