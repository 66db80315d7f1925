"""Tags, regions and sentences: the offsets everything else stands on."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.optimizer.analysis.template import TagKind, regions, scan
from sharpen.optimizer.analysis.text import HOLE, MessageText, words
from sharpen.templating import environment


@pytest.mark.parametrize(
    ("source", "tags"),
    [
        ("a {{ b }} c", ["{{ b }}"]),
        ('{{ \'}}\' }}{{ "\\"}}" }}', ["{{ '}}' }}", '{{ "\\"}}" }}']),
        ("{{ {'a': {'b': 1}} }}", ["{{ {'a': {'b': 1}} }}"]),
        ("{% if a %}x{% endif %}", ["{% if a %}", "{% endif %}"]),
        ("{# {{ no }} #}{{ yes }}", ["{# {{ no }} #}", "{{ yes }}"]),
        ("{%- raw -%}{{ no }}{%- endraw -%}!", ["{%- raw -%}{{ no }}{%- endraw -%}"]),
        ("{{ open", ["{{ open"]),
        ("{# open", ["{# open"]),
        ("{% raw %}open", ["{% raw %}open"]),
        ("{ { } }", []),
    ],
)
def test_scan(source, tags):
    assert [tag.source for tag in scan(source)] == tags


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "{{ a }}",
                "{{ '}}' }}",
                "{% if a %}",
                "{% endif %}",
                "{# c #}",
                " x ",
                "\n",
                "}",
                "{",
                "'",
                "{{ {1: [2]} }}",
            ]
        ),
        max_size=8,
    ).map("".join)
)
def test_scan_agrees_with_jinja_on_where_text_stands(source):
    from jinja2 import TemplateSyntaxError

    try:
        tokens = [value for _, kind, value in environment().lex(source) if kind == "data"]
    except TemplateSyntaxError:
        return
    text, position = [], 0
    for tag in (*scan(source), None):
        text.append(source[position : tag.start if tag else len(source)])
        position = tag.end if tag else position
    assert [part for part in text if part] == [part for part in tokens if part]


def test_a_block_is_one_region():
    source = "{{ a }} {% for x in y %}{% if x %}{{ x }}{% endif %}{% endfor %} {% set k = 1 %}{% set z %}b{% endset %}"
    assert [region.source for region in regions(source)] == [
        "{{ a }}",
        "{% for x in y %}{% if x %}{{ x }}{% endif %}{% endfor %}",
        "{% set k = 1 %}",
        "{% set z %}b{% endset %}",
    ]
    assert [set(region.variables) for region in regions(source)] == [{"a"}, {"y"}, set(), set()]
    assert [region.inserts for region in regions(source)] == [True, True, False, False]


def test_an_open_block_reaches_to_the_end():
    (region,) = regions("{% if a %}b {{ c }} d")
    assert region.source == "{% if a %}b {{ c }} d"
    assert region.variables == frozenset()


def test_kinds_and_keywords():
    tags = scan("{{ a }}{%- if a %}{# c #}{% raw %}r{% endraw %}")
    assert [tag.kind for tag in tags] == [TagKind.EXPRESSION, TagKind.STATEMENT, TagKind.COMMENT, TagKind.RAW]
    assert [tag.keyword for tag in tags] == ["", "if", "", ""]
    assert [set(tag.variables) for tag in tags] == [{"a"}, set(), set(), set()]
    assert scan("{{ a b }}")[0].variables == frozenset()


def test_prose_keeps_offsets_and_lines():
    message = MessageText("Say {{ a\n}} now.{# no #}")
    assert message.prose == f"Say {HOLE * 4}\n{HOLE * 2} now.        "
    assert len(message.prose) == len(message.source)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Use a word, e.g. Apple. Or 3.5 of it.", ["Use a word, e.g. Apple.", "Or 3.5 of it."]),
        ("- first item\n- second item", ["first item", "second item"]),
        ("# Heading\n1. Do it.\n\nText", ["Heading", "Do it.", "Text"]),
        ("请翻译。只回答！好", ["请翻译。", "只回答！", "好"]),
        ("لخّص النص. لا تضف شيئا؟ نعم", ["لخّص النص.", "لا تضف شيئا؟", "نعم"]),
        (f"{'word ' * 14}\nwrapped here.", [f"{'word ' * 14}\nwrapped here."]),
        (f"{'word ' * 14}\nNot wrapped.", [("word " * 14).strip(), "Not wrapped."]),
        ("---\n```\n{{ x }}\n```", []),
        ("", []),
    ],
)
def test_sentences(text, sentences):
    message = MessageText(text)
    assert [sentence.text for sentence in message.sentences] == sentences
    assert all(message.prose[s.start : s.end] == s.text for s in message.sentences)


def test_words():
    assert words("Don't re-use 3.5 kg: 中文!") == ("Don't", "re-use", "3.5", "kg", "中", "文")


def test_position():
    assert MessageText("ab\ncd").position(4) == (2, 2)
