"""A key is found again in whatever form it comes back."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharpen.targets.failures import redact
from sharpen.targets.secret_forms import holds

keys = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=16, max_size=60)
around = st.binary(max_size=7)


@given(keys, around, around)
def test_no_base64_of_it_is_left(key: str, before: bytes, after: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(before + key.encode() + after).decode()
        hidden = redact(f"header {text} refused", [key])
        left = hidden.removeprefix("header ").removesuffix(" refused")
        assert "<hidden>" in left
        # what is left beside the hidden part spells the neighbours, and two characters of the key at most on each side
        assert len(left) - len("<hidden>") <= len(text) - (len(key) * 8 // 6 - 2)


@given(keys, st.sampled_from([str, quote, quote_plus, html.escape, lambda key: quote(key, safe="")]))
def test_no_quoted_form_of_it_is_left(key: str, encode: object) -> None:
    text = encode(key)  # type: ignore[operator] # one of the functions above
    assert text not in redact(f"what {text} is this?", [key])
    assert key not in redact(f"what {text} is this?", [key])


def test_in_json_and_hex() -> None:
    key = 'hunter2/"very"\\secret'
    for text in (key.replace("/", "\\/"), key.encode().hex(), key.encode().hex().upper()):
        assert redact(f"<{text}>", [key]) == "<<hidden>>"
    assert "hunter2" not in redact(json.dumps({"key": "hunter2-very-secret"}), ["hunter2-very-secret"])


def in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def slashed(text: str) -> str:
    return in_json(text).replace("/", "\\/")


def quoted(text: str) -> str:
    return quote(text, safe="")


@pytest.mark.parametrize("escape", [in_json, slashed, quoted, html.escape], ids=lambda escape: escape.__name__)
@pytest.mark.parametrize("key", ['hunter2/"very"&\\secret%+tail', "sk-proj-0123/456789/abcdef=", "very/secret/key/"])
def test_escaped_twice(escape: Callable[[str], str], key: str) -> None:
    twice = escape(escape(key))
    assert redact(f"<{twice}>", [key]) == "<<hidden>>"
    assert holds(f"so {twice} it", key)


@pytest.mark.parametrize("length", [10, 15, 19])
def test_cut_in_the_middle(length: int) -> None:
    key = "hunter2-very-secret!"
    assert redact(f"wrong key {key[:length]}…", [key]) == "wrong key <hidden>…"


def test_percent_encoded_in_part_and_in_either_case() -> None:
    key = "hunter2/very+secret=0123"
    for text in ("hunter2%2Fvery+secret=0123", "hunter2%2fvery%2bsecret%3D0123", "%68unter2/very+secret=0123"):
        assert redact(f"/{text}?", [key]) == "/<hidden>?"


def test_short_ones_are_left_to_the_careful_way() -> None:
    assert redact("the server is on port 80", ["on"]) == "the server is on port 80"


@pytest.mark.parametrize("secret", ["sk-proj/Ab+12345678-xyz=END", "a-b_c/d+e=f&g-h-i", "-" * 16])
def test_the_quick_look_misses_no_form(secret: str) -> None:
    raw = secret.encode()
    forms = [
        secret,
        secret[: len(secret) // 2],
        quote(secret, safe=""),
        "".join(f"%{byte:02x}" for byte in raw),
        "".join(f"%{byte:02X}" for byte in raw),
        secret.replace("/", "\\/"),
        html.escape(secret),
        raw.hex(),
        raw.hex().upper(),
        *(base64.b64encode(b"x" * offset + raw).decode() for offset in range(3)),
    ]
    assert all(holds(f"so {form} it", secret) for form in forms)


def test_the_quick_look_passes_most_answers() -> None:
    assert not holds("billing, and 50 % off for Ab", "sk-proj/Ab+12345678-xyz=END")
