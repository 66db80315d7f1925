"""A plan, read and checked against everything that it names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sharpen.config.check import check_plan, check_variables
from sharpen.config.estimate import Estimate
from sharpen.config.files import display
from sharpen.config.models import Case, RunManifest
from sharpen.config.targets import LocalTarget, OpenAITarget, Price, ScriptedTarget, TargetConfig
from sharpen.errors import PlanError, Problem, UserError
from sharpen.optimizer.strategies.registry import AUTO, build_strategy, expand
from sharpen.wiring.readiness import check_readiness

PLAN_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class LoadedPlan:
    """A manifest whose names all lead somewhere, its cases, and what is odd but no mistake."""

    manifest: RunManifest
    cases: tuple[Case, ...]
    warnings: tuple[Problem, ...] = ()


def plan_path(subject: str) -> Path | None:
    """``subject`` as a plan's path; None when it is a run's id."""
    path = Path(subject)
    return path if path.suffix in PLAN_SUFFIXES or path.exists() else None


def load_plan(path: Path, overrides: Sequence[str] | None = None) -> LoadedPlan:
    """Read a plan, its prompt and its data set. Raises ``PlanError`` with every mistake found."""
    return complete(RunManifest.from_yaml(path, tuple(overrides or ())))


def complete(manifest: RunManifest, cases: Sequence[Case] | None = None) -> LoadedPlan:
    """Check a manifest's strategies and its prompt's variables; read its cases unless they are given."""
    cases = tuple(manifest.iter_cases()) if cases is None else tuple(cases)
    found = check_variables(manifest, cases)
    problems = [*_strategy_problems(manifest), *found.errors]
    if problems:
        raise PlanError(problems)
    return LoadedPlan(manifest, cases, tuple(found.warnings))


def estimates(plan: LoadedPlan) -> tuple[Estimate, tuple[Problem, ...]]:
    """Calls, tokens and cost to expect, and what is odd about the plan; nothing is called.

    Raises ``PlanError`` for what a run would not find: functions, classes, files.
    """
    ready = check_readiness(plan.manifest, plan.cases)
    if ready.errors:
        raise PlanError(ready.errors)
    found = check_plan(plan.manifest, plan.cases, price_of)
    return found.estimate, (*found.warnings, *ready.warnings)


def price_of(target: TargetConfig) -> Price | None:
    """What a target costs; None when it is unknown. One's own machine and the scripted target are free."""
    if isinstance(target, OpenAITarget):
        from sharpen.targets.pricing import price_per_mtok

        return price_per_mtok(target.model, base_url=target.base_url, override=target.price)
    if isinstance(target, LocalTarget | ScriptedTarget):
        return Price(input_usd_per_mtok=0, output_usd_per_mtok=0)
    return None


def _strategy_problems(manifest: RunManifest) -> list[Problem]:
    where = display(manifest.source) if manifest.source else ""
    problems = []
    for name in manifest.optimize.strategies:
        try:
            expand([name], "clarity_focus", manifest.optimize.rewriter is not None)
            if name != AUTO:
                build_strategy(name, manifest.base_dir)
        except UserError as error:
            problems.append(Problem(str(error), where=where, key="optimize.strategies"))
    return problems
