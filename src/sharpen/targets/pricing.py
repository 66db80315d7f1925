"""What a call costs, in USD: the plan's own price, else the data base that ships with ``genai-prices``.

Nothing is fetched. A model or server the data base does not know has no price: None, never 0. A server is recognised
by its URL; one that is not (a gateway, a machine of your own) has no price either, whatever its models are called,
until the plan's ``target.price`` says so.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import NamedTuple

from sharpen.config.targets import Price
from sharpen.targets.base import Usage

LINEAR_UP_TO = 16_000
"""Prompt tokens up to which every price of the data base is a straight line (its lowest tier starts at 32 000)."""

_PRICES_HOLD_S = 900  # some prices change with the time of day


class Rates(NamedTuple):
    """A straight line through the data base's prices: USD for a call, and for one token of each sort."""

    call: float
    input: float
    cached_input: float
    output: float


def price(
    model: str,
    usage: Usage,
    *,
    base_url: str | None = None,
    override: Price | None = None,
    cached_tokens: int = 0,
) -> float | None:
    """USD for one call, None when unknown.

    ``cached_tokens`` of the prompt came from the provider's cache; an ``override`` knows no discount for them.
    """
    if override is not None:
        return (
            usage.prompt_tokens * override.input_usd_per_mtok + usage.completion_tokens * override.output_usd_per_mtok
        ) / 1e6
    rates = _rates(model, base_url, int(time.time() / _PRICES_HOLD_S))
    if rates is None:
        return None
    cached = min(cached_tokens, usage.prompt_tokens)
    if usage.prompt_tokens > LINEAR_UP_TO:
        return _look_up(model, base_url, usage.prompt_tokens, cached, usage.completion_tokens)
    return (
        rates.call
        + (usage.prompt_tokens - cached) * rates.input
        + cached * rates.cached_input
        + usage.completion_tokens * rates.output
    )


def price_per_mtok(model: str, *, base_url: str | None = None, override: Price | None = None) -> Price | None:
    """USD for one million tokens in prompts of common length, for estimates; None when unknown."""
    if override is not None:
        return override
    rates = _rates(model, base_url, int(time.time() / _PRICES_HOLD_S))
    if rates is None:
        return None
    return Price(input_usd_per_mtok=rates.input * 1e6, output_usd_per_mtok=rates.output * 1e6)


@lru_cache(maxsize=256)
def _rates(model: str, base_url: str | None, period: int) -> Rates | None:  # noqa: ARG001 - period ends the memory
    n = LINEAR_UP_TO
    ends = [_look_up(model, base_url, *tokens) for tokens in ((0, 0, 0), (n, 0, 0), (n, n, 0), (0, 0, n))]
    known = [end for end in ends if end is not None]
    if len(known) < len(ends):
        return None
    if not any(known) and not model.endswith(":free"):
        return None  # the data base lists models whose price it does not know as if they cost nothing
    call, fresh, cached, output = known
    return Rates(call, (fresh - call) / n, (cached - call) / n, (output - call) / n)


def _look_up(model: str, base_url: str | None, prompt: int, cached: int, completion: int) -> float | None:
    from genai_prices import Usage as PricedUsage
    from genai_prices import calc_price

    usage = PricedUsage(input_tokens=prompt, cache_read_tokens=cached, output_tokens=completion)
    try:
        if base_url is not None:
            return float(calc_price(usage, model, provider_api_url=base_url).total_price)
        return float(calc_price(usage, model).total_price)
    except (LookupError, ValueError):  # no such provider, no such model, or a price that needs what we do not know
        return None
