"""Documents that come into being while they are written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from sharpen.json_stream import Later, Rows, chunks

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


class Item(BaseModel):
    name: str
    more: dict[str, int] = {}


def plain(model: BaseModel) -> Any:
    return {**model.model_dump(), "name": "plain"}


@given(VALUES, VALUES, st.lists(st.text(st.characters(codec="utf-8")), max_size=4), VALUES)
def test_the_text_is_that_of_plain_values(before: Any, after: Any, names: list[str], late: Any) -> None:
    items = [Item(name=name, more={"n": 1}) for name in names]
    filled = {"a": before, "deep": [{"rows": [item.model_dump() for item in items]}], "late": late, "z": after}
    rows = Rows(iter(items), plain)
    text = "".join(chunks({"a": before, "deep": [{"rows": rows}], "late": Later(lambda: late), "z": after}))
    assert json.loads(text) == json.loads(json.dumps(filled))
    assert [len(line) - len(line.lstrip(" ")) for line in text.split("\n")] == [
        len(line) - len(line.lstrip(" ")) for line in json.dumps(filled, ensure_ascii=False, indent=2).split("\n")
    ]


def test_parts_are_asked_for_in_the_order_of_the_text() -> None:
    asked = []

    def rows() -> Iterator[Item]:
        asked.append("rows")
        yield Item(name="\ud800")

    def late() -> int:
        asked.append("late")
        return 7

    parts = chunks([Rows(rows(), plain), Later(late)])
    next(parts)
    assert asked == []
    assert json.loads("[" + "".join(parts)) == [[{"name": "plain", "more": {}}], 7]
    assert asked == ["rows", "late"]


@pytest.mark.parametrize(("odd", "error"), [(float("nan"), ValueError), (object(), TypeError)])
def test_what_is_no_json_is_no_document(odd: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        "".join(chunks({"x": odd}))
    with pytest.raises(error):
        "".join(chunks({"x": Later(lambda: odd)}))
