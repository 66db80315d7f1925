"""What counts as a secret, and how values are shown."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.config.redact import holds_secret, is_secret_key, looks_like_key, mask, show

KEYS = [
    "sk-abc",
    "sk-proj-Ab3dEf6hIj9kLmNoPq",
    "gsk_a1b2c3d4e5f6g7h8",
    "hf_AbCdEfGh1234567890",
    "AIzaSyA1234567890abcdefghijk",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0",
    "Bearer abcdef123456",
]


@pytest.mark.parametrize("key", KEYS)
def test_known_forms(key: str) -> None:
    assert holds_secret(f"x {key} y")
    assert looks_like_key(key)
    assert mask(f"it is {key}!").startswith("it is <hidden>")


@pytest.mark.parametrize(
    "text", ["OPENAI_API_KEY", "task-based-thing", "risk-free", "desk-1", "MY_VERY_LONG_VARIABLE_NAME_2"]
)
def test_no_secrets(text: str) -> None:
    assert not looks_like_key(text)
    assert mask(text) == text


def test_unknown_forms_count_as_a_variables_name_only_when_they_could_be_one() -> None:
    assert looks_like_key("a1b2c3d4e5f6a1b2c3d4e5f6")


@pytest.mark.parametrize(
    "key", ["api_key", "apiKey", "API-KEY", "Authorization", "x-api-key", "password", "client_secret"]
)
def test_secret_keys(key: str) -> None:
    assert is_secret_key(key)
    assert show("anything", key) == "<hidden>"


@pytest.mark.parametrize("key", ["api_key_env", "max_tokens", "key", 5, "tokens_per_minute"])
def test_other_keys(key: object) -> None:
    assert not is_secret_key(key)


@settings(max_examples=50)
@given(st.text(max_size=30), st.sampled_from(KEYS), st.text(max_size=30))
def test_never_shown(before: str, key: str, after: str) -> None:
    assert key not in show(f"{before} {key} {after}")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (5, "5"),
        (10**100, "a number of more than 70 digits"),
        ([1, 2], "a list of 2"),
        ({}, "a mapping of 0"),
        ("x" * 100, repr("x" * 59 + "…")),
    ],
)
def test_show(value: object, shown: str) -> None:
    assert show(value) == shown
