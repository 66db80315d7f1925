"""Prices: known, unknown, overridden. The figures are the data base's own."""

from __future__ import annotations

import sys

import pytest
from genai_prices import Usage as PricedUsage
from genai_prices import calc_price
from genai_prices.data import providers
from genai_prices.types import TieredPrices
from hypothesis import given
from hypothesis import strategies as st

from sharpen.config.targets import Price
from sharpen.targets.base import Usage
from sharpen.targets.pricing import LINEAR_UP_TO, price, price_per_mtok

OPENAI = "https://api.openai.com/v1"


@pytest.mark.parametrize(
    ("model", "base_url"),
    [
        ("gpt-4o-mini", OPENAI),
        ("gpt-4o", None),
        ("sonar", "https://api.perplexity.ai"),  # has a price for the call itself
        ("claude-sonnet-4-5", "https://api.anthropic.com/v1"),  # tiers
        ("gemini-2.5-pro", "https://generativelanguage.googleapis.com/v1beta/openai"),
    ],
)
@pytest.mark.parametrize("tokens", [(0, 0, 0), (1000, 0, 100), (1000, 400, 1), (16_000, 0, 5), (250_000, 0, 9)])
def test_equals_the_data_base(model: str, base_url: str | None, tokens: tuple[int, int, int]) -> None:
    prompt, cached, completion = tokens
    usage = PricedUsage(input_tokens=prompt, cache_read_tokens=cached, output_tokens=completion)
    expected = (
        calc_price(usage, model, provider_api_url=base_url) if base_url else calc_price(usage, model)
    ).total_price
    actual = price(model, Usage(prompt, completion), base_url=base_url, cached_tokens=cached)
    assert actual == pytest.approx(float(expected), rel=1e-9)


def test_no_tier_of_the_data_base_starts_below_the_straight_line() -> None:
    starts = [
        tier.start
        for provider in providers
        for model in provider.models
        for entry in (model.prices if isinstance(model.prices, list) else [model.prices])
        for value in vars(getattr(entry, "prices", entry)).values()
        if isinstance(value, TieredPrices)
        for tier in value.tiers
    ]
    assert starts
    assert min(starts) >= LINEAR_UP_TO


@pytest.mark.parametrize(
    ("model", "base_url"),
    [
        ("no-such-model", OPENAI),
        ("no-such-model", None),
        ("gpt-4o", "http://127.0.0.1:8091/v1"),
        ("gpt-4o", "https://gateway.example.com/v1"),
        ("qwen-3-coder-480b", "https://api.cerebras.ai/v1"),  # listed without a price
    ],
)
def test_unknown_is_none(model: str, base_url: str | None) -> None:
    assert price(model, Usage(10, 1), base_url=base_url) is None
    assert price(model, Usage(10**6, 1), base_url=base_url) is None
    assert price_per_mtok(model, base_url=base_url) is None


def test_a_free_model_is_free() -> None:
    free = next(m.id for p in providers if p.id == "openrouter" for m in p.models if m.id.endswith(":free"))
    assert price(free, Usage(10, 1), base_url="https://openrouter.ai/api/v1") == 0.0


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.floats(0, 1e3), st.floats(0, 1e3))
def test_the_plans_own_price_wins(prompt: int, completion: int, per_input: float, per_output: float) -> None:
    override = Price(input_usd_per_mtok=per_input, output_usd_per_mtok=per_output)
    cost = price("gpt-4o", Usage(prompt, completion), base_url=OPENAI, override=override, cached_tokens=prompt)
    assert cost == pytest.approx(prompt / 1e6 * per_input + completion / 1e6 * per_output)
    assert price_per_mtok("gpt-4o", override=override) is override


def test_per_mtok() -> None:
    found = price_per_mtok("gpt-4o-mini", base_url=OPENAI)
    assert found is not None
    one = float(calc_price(PricedUsage(input_tokens=1000, output_tokens=0), "gpt-4o-mini").total_price)
    assert found.input_usd_per_mtok == pytest.approx(one * 1000)


def test_more_cached_than_sent_is_no_discount_beyond_the_prompt() -> None:
    everything = price("gpt-4o-mini", Usage(100, 0), base_url=OPENAI, cached_tokens=100)
    assert price("gpt-4o-mini", Usage(100, 0), base_url=OPENAI, cached_tokens=999) == everything


def test_the_data_base_is_loaded_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)  # an import would raise
    override = Price(input_usd_per_mtok=1, output_usd_per_mtok=1)
    assert price("any", Usage(1, 1), override=override) == 2e-6
