"""Plain templates are put together without Jinja2, and nobody can tell: whatever it says of them, they say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError, meta

from sharpen import templating
from sharpen.errors import TemplateError

_names = st.sampled_from(["a", "b_1", "_c", "range", "self", "none", "if", "loop", "é", "1"])
_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.text(max_size=3))
_pieces = st.sampled_from(
    ["{{", "}}", "{", "}", "{%", "{#", "#}", "{{-", "-}}", "\r\n", "\n", " ", "\\", '"', "text", "raw", "{% raw %}",
     "{% endraw %}", "{{ '{{ a }}' }}", "é"]
)  # fmt: skip
_blank = st.sampled_from(["", " ", "\n ", "\t"])
_references = st.builds(lambda name, before, after: f"{{{{{before}{name}{after}}}}}", _names, _blank, _blank)


def by_jinja(source: str, variables: dict[str, Any]) -> str | type[Exception]:
    try:
        return templating.environment().from_string(source).render(variables)
    except Exception as error:
        return type(error)


def ours(source: str, variables: dict[str, Any]) -> str | type[Exception]:
    try:
        return templating.render(source, variables)
    except TemplateError as error:
        return type(error.__cause__)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(_pieces | _references, max_size=6).map("".join),
    st.dictionaries(st.sampled_from(["a", "b_1", "_c", "range", "none", "é"]), _values),
)
def test_renders_as_jinja_does(source: str, variables: dict[str, Any]) -> None:
    assert ours(source, variables) == by_jinja(source, variables)


@settings(max_examples=200, deadline=None)
@given(st.lists(_pieces | _references, max_size=6).map("".join))
def test_needs_what_jinja_finds_it_needs(source: str) -> None:
    try:
        expected = meta.find_undeclared_variables(templating.environment().parse(source))
    except Exception:
        with pytest.raises(TemplateError):
            templating.variables_of(source)
        return
    assert templating.variables_of(source) == expected


@pytest.mark.parametrize(
    ("source", "plain"),
    [
        ("no reference", True),
        ("{{ a }}", True),
        ('{"label": "{{a}}"}', True),
        ("{{ a }} and {{\n b_1 }} {", True),
        ("{{{ a }}", False),
        ("{{ a | upper }}", False),
        ("{{ a.b }}", False),
        ("{% if a %}x{% endif %}", False),
        ("{{ true }}", False),
        ("a\r\nb {{ a }}", False),
    ],
)
def test_what_is_plain(source: str, plain: bool) -> None:
    assert (templating.plain_template(source) is not None) is plain


def test_a_missing_variable_is_told_in_jinjas_words() -> None:
    with pytest.raises(TemplateError, match=r"'b' is undefined \(variables here: a\)") as caught:
        templating.render("{{ a }} {{ b }}", {"a": 1})
    assert isinstance(caught.value.__cause__, UndefinedError)


def test_a_value_that_cannot_be_shown_is_a_template_error() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    for source in ("{{ a }}", "{{ a }} {{ a }}"):
        with pytest.raises(TemplateError, match="no text"):
            templating.render(source, {"a": Broken()})
