"""What an optimization will take and can prove, in lines of text. No line needs more than eighty columns."""

from __future__ import annotations

from sharpen.config.models import Budget
from sharpen.optimizer.forecast import PartSize, SearchForecast, Toll
from sharpen.reporting import figures as fig

OURS = "race"


def forecast_lines(found: SearchForecast) -> tuple[str, ...]:
    """Sizes, what each phase takes at most, and the smallest gain that the holdout is likely to prove."""
    parts = (("train", found.train), ("dev", found.dev), ("holdout", found.holdout))
    return (
        f"split     {', '.join(f'{name} {_size(size, found.grouped)}' for name, size in parts)}",
        f"baseline  {_baseline(found)}",
        f"search    {_limits(found.search)}{_by(found.engine)}",
        f"proof     at most {_toll(found.proof)}",
        provable_line(found),
    )


def provable_line(found: SearchForecast) -> str:
    """``holdout 40 cases: proves +20 points or more (80 % power, alpha 0.05)``."""
    held, used = found.holdout, found.provable_on
    size = fig.plural(used.cases, "case")
    if used.cases < held.cases:
        size = f"{used.cases:,} of {fig.plural(held.cases, 'case')}"
    if found.grouped and used.units < used.cases:
        size += f" in {fig.plural(used.units, 'unit')}"
    alpha = f"alpha {2 * found.level:.2g}"
    if found.earlier_looks:
        alpha += f" after {fig.plural(found.earlier_looks, 'look')}"
    if found.smallest_effect is None:
        return f"holdout {size}: no gain is likely to be proved, below +{_points(found.least_provable)} none ({alpha})"
    power = f"{100 * found.power:.0f} % power"
    return f"holdout {size}: proves +{_points(found.smallest_effect)} points or more ({power}, {alpha})"


def _points(effect: float) -> str:
    return f"{100 * effect:.0f}" if effect >= 0.0995 else f"{100 * effect:.1f}"


def _size(size: PartSize, grouped: bool) -> str:
    return f"{size.cases:,} ({size.units:,} units)" if grouped else f"{size.cases:,}"


def _toll(toll: Toll) -> str:
    tokens = f"about {toll.prompt_tokens:,} prompt tokens" if toll.tokens is None else f"{toll.tokens:,} tokens"
    cost = "cost unknown" if toll.cost_usd is None else fig.usd(toll.cost_usd)
    return f"{fig.plural(toll.calls, 'call')}, {tokens}, {cost}"


def _baseline(found: SearchForecast) -> str:
    """An upper bound where the store may hold answers, which cost nothing."""
    return f"{'at most ' if found.baseline_known else ''}{_toll(found.baseline)}"


def _by(engine: str) -> str:
    """Which engine searches, unless it is ours."""
    return "" if engine == OURS else f" (engine {engine})"


def _limits(budget: Budget) -> str:
    """What the search may still spend, in the currencies that have a limit."""
    limits = [
        fig.plural(budget.max_calls, "call") if budget.max_calls is not None else "",
        f"{budget.max_tokens:,} tokens" if budget.max_tokens is not None else "",
        fig.usd(budget.max_cost_usd) if budget.max_cost_usd is not None else "",
        fig.duration(budget.max_seconds) if budget.max_seconds is not None else "",
    ]
    told = ", ".join(limit for limit in limits if limit)
    return f"at most {told}" if told else "no limit"
