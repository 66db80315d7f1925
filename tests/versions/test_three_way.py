"""Three versions side by side."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharpen.config.prompts import PromptMessage
from sharpen.optimizer.models import Prompt
from sharpen.versions.three_way import common_base, merge_view, three_way
from sharpen.versions.version_manager import VersionManager

TEXT = st.lists(st.sampled_from(["a", "b", "c", "d", ""]), max_size=12)


def kinds(base, candidate, live):
    return [(each.kind, "".join(each.candidate), "".join(each.live)) for each in merge_view(base, candidate, live)]


@pytest.mark.parametrize(
    ("base", "candidate", "live", "expected"),
    [
        ("abc", "abc", "abc", [("same", "abc", "abc")]),
        ("abc", "aXc", "abc", [("same", "a", "a"), ("candidate", "X", "b"), ("same", "c", "c")]),
        ("abc", "abc", "ab", [("same", "ab", "ab"), ("live", "c", "")]),
        ("abc", "aXc", "aXc", [("same", "a", "a"), ("both", "X", "X"), ("same", "c", "c")]),
        ("abc", "aXc", "aYc", [("same", "a", "a"), ("conflict", "X", "Y"), ("same", "c", "c")]),
        ("ab", "Xab", "abY", [("candidate", "X", ""), ("same", "ab", "ab"), ("live", "", "Y")]),
        ("", "X", "Y", [("conflict", "X", "Y")]),
        ("", "", "", []),
    ],
)
def test_who_changed_what(base, candidate, live, expected):
    assert kinds(list(base), list(candidate), list(live)) == expected


@given(TEXT, TEXT, TEXT)
def test_each_side_can_be_put_together_again(base, candidate, live):
    stretches = list(merge_view(base, candidate, live))
    for name, lines in (("base", base), ("candidate", candidate), ("live", live)):
        assert [line for each in stretches for line in getattr(each, name)] == lines
    assert all(each.base or each.candidate or each.live for each in stretches)


@given(TEXT, TEXT)
def test_a_side_that_changed_nothing_is_in_no_conflict(base, other):
    assert {each.kind for each in merge_view(base, other, base)} <= {"same", "candidate"}
    assert {each.kind for each in merge_view(base, base, other)} <= {"same", "live"}
    assert {each.kind for each in merge_view(base, other, other)} <= {"same", "both"}


def prompt(text):
    return Prompt(id="p", workflow_id="w", messages=(PromptMessage(role="user", content=text),))


def test_the_base_is_the_newest_version_both_come_from():
    manager = VersionManager()
    for number, parent in (("1.0.0", None), ("1.0.1", "1.0.0"), ("1.0.2", "1.0.1"), ("1.0.3", "1.0.1")):
        assert manager.create("w", prompt(number), parent=parent).version == number
    history = manager.list("w")
    one, two, three = (manager.get("w", number) for number in ("1.0.1", "1.0.2", "1.0.3"))
    assert common_base(three, two, history).version == "1.0.1"
    assert common_base(two, one, history).version == "1.0.1"
    assert common_base(one, two, history).version == "1.0.1"
    view = three_way(one, three, two)
    assert (view.base, view.candidate, view.live, view.conflicts) == ("1.0.1", "1.0.3", "1.0.2", 1)


def test_strangers_are_seen_from_the_oldest_ancestor_of_the_candidate():
    manager = VersionManager()
    first, second = manager.create("w", prompt("a")), manager.create("w", prompt("b"), parent="1.0.0")
    stranger = second.model_copy(update={"version": "1.0.9", "parent": "1.0.9"})
    assert common_base(second, stranger, manager.list("w")) == first
