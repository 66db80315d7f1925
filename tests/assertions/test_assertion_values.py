import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen import templating
from sharpen.assertions.values import compile_value, is_template
from sharpen.errors import TemplateError

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
variables = st.fixed_dictionaries(
    {"expected": scalars, "vars": st.fixed_dictionaries({"a": scalars, "items": scalars})}, optional={"a": scalars}
)
SOURCES = [
    "{{ expected }}", "{{expected}}", "{{ a }}", "{{ vars.a }}", "{{ vars['a'] }}", "x {{ expected }} y\n",
    "{{ a }}{{ expected }}", "{{ expected }} {# note #}", "{{ expected | upper }}", "{% if expected %}1{% endif %}",
    "{{ true }}", "{{ none }}", "{{ expected.real }}", "{{ vars }}", "{{ '{' }}", "\\d{2} {{ expected }}",
    "{{ expected[0] }}", "{{ range }}", "a {{ dict }} b", "{{ self }}", "{{ 1 + 1 }}",
    "{% raw %}{{ expected }}{% endraw %}",
]  # fmt: skip


def outcome(function):
    try:
        return str(function())
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize("source", SOURCES)
@given(names=variables)
@settings(max_examples=10)
def test_as_text_a_value_renders_as_the_template_engine_renders_it(source, names):
    def blunt(text):
        return text if isinstance(text, tuple) else text.partition(" object at ")[0]

    wanted = outcome(lambda: templating.render(source, names))
    assert blunt(outcome(lambda: compile_value(source)(names))) == blunt(wanted)


@pytest.mark.parametrize("source", ["plain", "", r"\d{2}", "{a}", "}}", 5, 1.5, True, None, [], ["a"], {"a": {"b": 1}}])
def test_what_holds_no_template_is_left_alone(source):
    assert compile_value(source) is None
    assert not is_template(source)


@pytest.mark.parametrize("value", [["a", "b"], {"a": 1}, 5, 1.5, True, None])
def test_a_lone_reference_keeps_the_type(value):
    assert compile_value("{{ expected }}")({"expected": value}) == value
    assert type(compile_value("{{ vars.x }}")({"vars": {"x": value}})) is type(value)
    assert compile_value("{{ expected }}.")({"expected": value}) == f"{value}."


def test_texts_inside_lists_and_mappings_are_rendered_and_keys_are_not():
    value = {"{{ a }}": ["{{ a }}", "x{{ a }}", 3, {"deep": "{{ vars.b }}", "plain": "p"}], "c": [1, 2]}
    render = compile_value(value)
    assert render({"a": 1, "vars": {"b": [2]}}) == {
        "{{ a }}": [1, "x1", 3, {"deep": [2], "plain": "p"}],
        "c": [1, 2],
    }
    assert compile_value(("{{ a }}", "b"))({"a": 1}) == [1, "b"]


@pytest.mark.parametrize("source", ["{{ missing }}", "{{ vars.missing }}", "x {{ missing }}", "{{ vars['missing'] }}"])
def test_a_missing_variable_is_named_with_those_that_exist(source):
    with pytest.raises(TemplateError, match=r"missing.*variables here: a, vars"):
        compile_value(source)({"a": 1, "vars": {}})


def test_a_syntax_error_shows_when_compiling():
    with pytest.raises(TemplateError, match="line 1"):
        compile_value(["fine", {"a": "{{ broken"}])


def test_the_sandbox_holds_in_the_shortcut_too():
    with pytest.raises(TemplateError, match=r"unsafe|undefined"):
        compile_value("{{ expected.__class__ }}")({"expected": "x"})
