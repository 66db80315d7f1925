"""What a plan will take, in the terminal. Apart from the other lists, which bring the models of runs with them."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console

from sharpen.config.estimate import Estimate
from sharpen.errors import Problem
from sharpen.optimizer.forecast import SearchForecast
from sharpen.reporting import figures as fig
from sharpen.reporting.terminal import print_line, print_pairs, styled


def print_check(
    console: Console,
    estimate: Estimate,
    warnings: Iterable[Problem | str] = (),
    title: str = "The plan is valid",
    forecast: SearchForecast | None = None,
) -> None:
    """What a run will take, and what is worth a look before it is paid. All figures are estimates, and say so.

    ``forecast``: what ``optimize`` will take and can prove.
    """
    console.print(styled(console, f"✓ {title}", "bold green"))
    completion = "unknown" if estimate.max_completion_tokens is None else f"at most {estimate.max_completion_tokens:,}"
    cost, limit = estimate.max_cost_usd, estimate.optimize_calls
    pairs = [
        ("Cases", f"{estimate.cases:,}"),
        ("Calls of one run", f"{estimate.calls:,}"),
        ("Judge calls", f"{estimate.judge_calls:,}" if estimate.judge_calls else ""),
        ("Calls of optimize", "no limit" if limit is None else f"at most {limit:,}"),
        ("Prompt tokens", f"about {estimate.prompt_tokens:,}"),
        ("Answer tokens", completion),
        ("Cost of one run", fig.usd(cost) if not cost else f"at most about {fig.usd(cost)}"),
    ]
    print_pairs(console, [(name, value) for name, value in pairs if value], columns=1)
    if forecast is not None:
        print_forecast(console, forecast)
        console.print()
    for warning in warnings:
        console.print(styled(console, f"! {warning}", "yellow"))


def print_forecast(console: Console, forecast: SearchForecast) -> None:
    """Before an optimization: its split, what its phases take, and what it can prove."""
    from sharpen.reporting.forecast_text import forecast_lines

    console.print(styled(console, "Optimize", "bold"))
    for line in forecast_lines(forecast):
        print_line(console, line)
