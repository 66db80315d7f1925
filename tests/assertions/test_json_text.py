import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.assertions import json_text

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(values)
@settings(max_examples=60)
def test_what_json_writes_is_read_and_equal(value):
    assert json_text.same(json_text.parse(json.dumps(value)), value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1, column 1"),
        ("{'a': 1}", "line 1, column 2"),
        ("1 2", "Extra data"),
        ("NaN", "NaN is no JSON"),
        ("[-Infinity]", "-Infinity is no JSON"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_json_is_refused(text, says):
    with pytest.raises(ValueError, match=says):
        json_text.parse(text)


def test_find_all_goes_left_to_right_and_not_inside_what_was_found():
    found = list(json_text.find_all('x {"a": {"b": 1}} y {bad} [1, NaN] [2] {"open": '))
    assert [item.value for item in found] == [{"a": {"b": 1}}, [2]]
    assert [(item.start, item.end) for item in found] == [(2, 17), (35, 38)]


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1.0}, True),
        (True, 1, False),
        (0, False, False),
        ([1, 2], (1, 2), True),
        ([1, 2], [2, 1], False),
        ([1], [1, 1], False),
        ({"a": None}, {}, False),
        ("1", 1, False),
        ([True], [1], False),
    ],
)
def test_same(left, right, equal):
    assert json_text.same(left, right) is equal
    assert json_text.same(right, left) is equal
