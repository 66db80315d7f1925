from datetime import date
from types import MappingProxyType

from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.executor.cache_keys import CacheKeys
from sharpen.targets.base import Message, TargetRequest

MODEL = CacheKeys({"kind": "openai", "model": "m"}, program=False)
PROGRAM = CacheKeys({"kind": "python", "function": "m:f"}, program=True)
messages = st.lists(st.builds(Message, st.sampled_from(["system", "user"]), st.text()), max_size=4).map(tuple)


@settings(deadline=None)
@given(messages, messages, st.integers(0, 3), st.integers(0, 3))
def test_calls_share_a_key_exactly_when_messages_and_repeat_are_the_same(
    one: tuple[Message, ...], other: tuple[Message, ...], repeat: int, other_repeat: int
) -> None:
    first = TargetRequest(one, repeat=repeat)
    second = TargetRequest(other, {"unseen": 1}, "another case", other_repeat, timeout_s=3)
    assert (MODEL.key(first) == MODEL.key(second)) == ((one, repeat) == (other, other_repeat))


def test_the_target_s_identity_counts() -> None:
    request = TargetRequest((Message("user", "x"),))
    assert MODEL.key(request) != CacheKeys({"kind": "openai", "model": "n"}, program=False).key(request)
    assert MODEL.key(request) == CacheKeys({"model": "m", "kind": "openai"}, program=False).key(request)


def test_programs_see_the_case_and_its_variables() -> None:
    def key(case_id: str, **variables: object) -> str | None:
        return PROGRAM.key(TargetRequest((), variables, case_id))

    assert key("a", x=1, y=2) == key("a", y=2, x=1)
    assert len({key("a", x=1), key("a", x=2), key("b", x=1), key("a", x="1"), key("a", x=date(2026, 1, 2))}) == 5


def test_any_mapping_of_variables_is_the_same_as_a_dict() -> None:
    plain, proxy = ({"x": {"y": 1}} for _ in range(2))
    assert PROGRAM.key(TargetRequest((), plain)) == PROGRAM.key(TargetRequest((), MappingProxyType(proxy)))


def test_what_has_no_canonical_form_is_not_remembered() -> None:
    assert PROGRAM.key(TargetRequest((), {"x": object()})) is None
    assert PROGRAM.key(TargetRequest((), {"x": {1: "a", "b": 2}})) is None


def test_lone_surrogates_have_a_key() -> None:
    assert MODEL.key(TargetRequest((Message("user", "\ud800"),)))
