"""Completion bodies as servers really write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharpen.targets.base import Usage
from sharpen.targets.completions import MalformedCompletion, parse_json, read_completion, read_usage


def message(**fields: Any) -> dict[str, Any]:
    return {"model": "m-1", "choices": [{"message": {"role": "assistant", **fields}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({"content": "billing"}, "billing"),
        ({"content": ""}, ""),
        ({"content": None}, ""),
        ({}, ""),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "ab"),
        ({"content": [{"type": "image"}, "plain", 3]}, "plain"),
        ({"content": [{"type": "refusal", "refusal": "I can't"}]}, "I can't"),
        ({"content": None, "refusal": "I can't"}, "I can't"),
        ({"content": "kept", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}, "kept"),
        ({"content": None, "tool_calls": [{"function": {"name": "f", "arguments": '{"a": "ü"}'}}]},
         '[{"name": "f", "arguments": {"a": "ü"}}]'),
        ({"content": None, "tool_calls": ["odd", {"function": {"name": "f", "arguments": "{broken"}}]},
         '[{"name": "f", "arguments": "{broken"}]'),
        ({"content": None, "function_call": {"name": "old", "arguments": "1"}}, '[{"name": "old", "arguments": 1}]'),
    ],
)  # fmt: skip
def test_chat_output(fields: dict[str, Any], output: str) -> None:
    completion = read_completion(message(**fields), "chat")
    assert (completion.output, completion.finish_reason, completion.model) == (output, "stop", "m-1")


def test_raw_output_and_usage() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}
    completion = read_completion(
        {"choices": [{"text": " x", "finish_reason": "length"}], "usage": usage}, "completions"
    )
    assert (completion.output, completion.usage, completion.cached_tokens) == (" x", Usage(9, 2), 4)
    assert (completion.finish_reason, completion.model) == ("length", None)


@pytest.mark.parametrize(
    ("payload", "api", "part", "retryable"),
    [
        ({"choices": []}, "chat", "is empty", True),
        ({}, "chat", "no list 'choices' (its keys: none)", False),
        ({"object": "list", "data": []}, "chat", "its keys: data, object", False),
        ({"choices": {"0": {}}}, "chat", "no list 'choices'", False),
        ({"choices": ["x"]}, "chat", "no list 'choices'", False),
        ({"choices": [{"text": "x"}]}, "chat", "try api: completions", False),
        ({"choices": [{}]}, "chat", "choices[0].message is missing", False),
        ({"choices": [{"message": {"x": 1}}]}, "chat", "content is missing", False),
        ({"choices": [{"message": {"content": 7}}]}, "chat", "content is 7", False),
        ({"choices": [{"message": {"content": "x"}}]}, "completions", "try api: chat", False),
        ({"choices": [{"text": None}]}, "completions", "text is None", False),
    ],
)
def test_malformed(payload: dict[str, Any], api: Any, part: str, retryable: bool) -> None:
    paid = {**payload, "usage": {"prompt_tokens": 5, "completion_tokens": 1}}
    with pytest.raises(MalformedCompletion) as caught:
        read_completion(payload if not payload else paid, api)
    assert part in str(caught.value)
    assert caught.value.retryable is retryable
    assert caught.value.usage == (Usage(5, 1) if payload else Usage())


@pytest.mark.parametrize(
    ("body", "part", "retryable"),
    [
        (b"", "an empty body", True),
        (b'{"choices": [{"mess', "no JSON but", True),
        (b"\xff\xfe\xfa", "no JSON", True),
        (b"<!DOCTYPE html><html>", "It usually ends in /v1", False),
        (b"[1]", "a JSON list", False),
        (b"null", "a JSON NoneType", False),
        (b"[" * 100_000, "no JSON", True),
    ],
)
def test_no_object(body: bytes, part: str, retryable: bool) -> None:
    with pytest.raises(MalformedCompletion, match=part) as caught:
        parse_json(body)
    assert caught.value.retryable is retryable


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "content", "text", "usage", "prompt_tokens", "tool_calls", "function", "refusal"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(json_values, st.sampled_from(["chat", "completions"]))
def test_every_json_is_a_completion_or_malformed(value: Any, api: Any) -> None:
    try:
        completion = read_completion(parse_json(json.dumps(value).encode()), api)
    except MalformedCompletion:
        return
    assert isinstance(completion.output, str)


@given(json_values)
def test_usage_never_goes_wrong(value: Any) -> None:
    usage, cached = read_usage(value)
    assert usage.prompt_tokens >= 0
    assert usage.completion_tokens >= 0
    assert cached >= 0
