"""Strategy names → classes, and what ``auto`` stands for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from sharpen.config.references import load_reference
from sharpen.errors import PlanError, Problem, UnknownNameError, UserError
from sharpen.optimizer.strategies.base import Strategy

STRATEGIES = {
    "clarity_focus": "sharpen.optimizer.strategies.clarity_focus:ClarityFocus",
    "efficiency_focus": "sharpen.optimizer.strategies.efficiency_focus:EfficiencyFocus",
    "structure_focus": "sharpen.optimizer.strategies.structure_focus:StructureFocus",
    "format_focus": "sharpen.optimizer.strategies.format_focus:FormatFocus",
    "demonstrations": "sharpen.optimizer.strategies.demonstrations:Demonstrations",
    "rewrite": "sharpen.optimizer.strategies.rewrite:Rewrite",
    "crossover": "sharpen.optimizer.strategies.crossover:Crossover",
}
AUTO = "auto"
SAVES = "efficiency_focus"
"""First of all, it means that tokens are to be saved: a search then ends with a cheaper prompt if none is better."""


def build_strategy(name: str, base_dir: Path | None = None) -> Strategy:
    """The strategy called ``name``, or the class that ``module:Class`` names.

    Raises ``UnknownNameError`` with the names there are, ``PlanError`` for a reference that leads nowhere.
    """
    if ":" in name:
        found = load_reference(name, base_dir, key="optimize.strategies")
        strategy = found() if isinstance(found, type) else found
        if not isinstance(strategy, Strategy):
            expected = "a subclass of sharpen.optimizer.strategies.base.Strategy"
            raise PlanError(Problem(f"{name!r} is {found!r}", key="optimize.strategies", expected=expected))
        return strategy
    if name not in STRATEGIES:
        raise UnknownNameError("strategy", name, [AUTO, *STRATEGIES])
    module, _, class_name = STRATEGIES[name].partition(":")
    strategy_class: type[Strategy] = getattr(import_module(module), class_name)
    return strategy_class()


def expand(
    names: Sequence[str],
    suggested: str,
    has_rewriter: bool,
    promising: Sequence[str] = (),
    learned: Sequence[str] = (),
) -> tuple[str, ...]:
    """Strategy names in the order they are tried: ``auto`` is what the decision suggests, then all others.

    Among those, the ``promising`` ones come first: what the error patterns point to. With ``learned``, ``auto`` is
    what earlier searches recommend, in that order, and then whatever is left of the rest.

    Raises ``UserError`` when ``rewrite`` is asked for by name and the plan names no rewriter.
    """
    if "rewrite" in names and not has_rewriter:
        raise UserError("strategy 'rewrite' needs a model that rewrites: add optimize.rewriter to the plan")
    order: list[str] = []
    for name in names:
        if name == AUTO:
            order += [*learned, suggested, *promising, "demonstrations", "format_focus", *STRATEGIES]
        else:
            order.append(name)
    return tuple(name for name in dict.fromkeys(order) if name != "rewrite" or has_rewriter)
