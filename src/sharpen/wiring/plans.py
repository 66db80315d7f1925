"""A plan, read and checked against everything that it names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from sharpen.config.case_set import CaseSet, sampled
from sharpen.config.check import check_plan, check_variables
from sharpen.config.documents import parse
from sharpen.config.estimate import Estimate
from sharpen.config.files import display, read_text
from sharpen.config.models import Case, RunManifest
from sharpen.config.overrides import apply, parse_override
from sharpen.config.targets import LocalTarget, OpenAITarget, Price, ScriptedTarget, TargetConfig
from sharpen.errors import MissingExtraError, PlanError, Problem, UserError
from sharpen.targets.local_only import local_only
from sharpen.wiring.readiness import check_readiness, targets_elsewhere

AUTO = "auto"
ENGINE = "race"
PLAN_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class LoadedPlan:
    """A manifest whose names all lead somewhere, its cases, and what is odd but no mistake.

    ``cases``: a tuple when they are in memory, else the data set's ``CaseSet``.
    """

    manifest: RunManifest
    cases: Collection[Case]
    warnings: tuple[Problem, ...] = ()

    @property
    def sample(self) -> Sequence[Case]:
        """Cases in memory, for analysis and reports: all of a small data set, a random sample of a large one."""
        return sampled(self.cases)


def plan_path(subject: str) -> Path | None:
    """``subject`` as a plan's path; None when it is a run's id."""
    path = Path(subject)
    return path if path.suffix in PLAN_SUFFIXES or path.exists() else None


def load_plan(path: Path, overrides: Sequence[str] | None = None, *, thorough: bool = False) -> LoadedPlan:
    """Read a plan, its prompt and its data set. Raises ``PlanError`` with every mistake found.

    ``thorough``: also what a run would only find when it opens its targets and compiles its assertions.
    """
    try:
        manifest = RunManifest.from_yaml(path, tuple(overrides or ()))
    except PlanError as error:
        more = _mistakes_of_the_rest(path, overrides or (), error.problems, thorough)
        if not more:
            raise
        raise PlanError([*error.problems, *more]) from error
    return complete(manifest, thorough=thorough)


def _mistakes_of_the_rest(
    path: Path, overrides: Sequence[str], found: Sequence[Problem], thorough: bool
) -> Sequence[Problem]:
    """What is wrong with the blocks of a plan that are whole while others are broken, so that one round tells all.

    Empty where prompt or data set are broken themselves: there is nothing to compare then.
    """
    source = path.expanduser().absolute()
    broken = {problem.key.partition(".")[0] for problem in found}
    own = all(problem.where.startswith((display(source), "--set")) for problem in found)
    if not own or broken & {"", "prompt", "dataset"}:
        return ()
    try:
        data = parse(read_text(source), source).data
        for override in map(parse_override, overrides):
            data, _ = apply(data, override)
        whole = {key: data[key] for key in RunManifest.model_fields if key in data and key not in broken}
        stand_ins = {"workflow_id": "unnamed", "target": {"kind": "scripted"}}
        manifest = RunManifest.model_validate(stand_ins | whole, context={"base_dir": source.parent})
        complete(manifest.with_source(source), thorough=thorough)
    except PlanError as error:
        return [problem for problem in error.problems if problem.key.partition(".")[0] not in broken]
    except (UserError, ValidationError):  # more is broken than can be told apart: the first round has told it
        return ()
    return ()


def complete(manifest: RunManifest, cases: Collection[Case] | None = None, *, thorough: bool = False) -> LoadedPlan:
    """Check a manifest's strategies and its prompt's variables; read its cases unless they are given."""
    subject = manifest.case_set() if cases is None else cases
    found = check_variables(manifest, subject)
    problems = [*_engine_problems(manifest), *_strategy_problems(manifest), *found.errors]
    if local_only():
        problems += targets_elsewhere(manifest, subject)
    if thorough:
        problems += check_readiness(manifest, subject).errors
    if problems:
        raise PlanError(_with_lines(problems, manifest))
    held = subject.held if isinstance(subject, CaseSet) else tuple(subject)
    return LoadedPlan(manifest, subject if held is None else held, tuple(found.warnings))


def estimates(plan: LoadedPlan) -> tuple[Estimate, tuple[Problem, ...]]:
    """Calls, tokens and cost to expect, and what is odd about the plan or lacks here; nothing is called."""
    ready = check_readiness(plan.manifest, plan.cases)
    found = check_plan(plan.manifest, plan.cases, price_of)
    return found.estimate, (*found.warnings, *ready.warnings)


def _with_lines(problems: Sequence[Problem], manifest: RunManifest) -> list[Problem]:
    """Problems that name the plan's file, with the line where their key (or the nearest block around it) stands."""
    if manifest.source is None:
        return list(problems)
    document = parse(read_text(manifest.source), manifest.source)
    return [
        replace(problem, where=document.where([int(key) if key.isdigit() else key for key in problem.key.split(".")]))
        if problem.where == document.name
        else problem
        for problem in problems
    ]


def price_of(target: TargetConfig) -> Price | None:
    """What a target costs; None when it is unknown. One's own machine and the scripted target are free."""
    if isinstance(target, OpenAITarget):
        from sharpen.targets.pricing import price_per_mtok

        return price_per_mtok(target.model, base_url=target.base_url, override=target.price)
    if isinstance(target, LocalTarget | ScriptedTarget):
        return Price(input_usd_per_mtok=0, output_usd_per_mtok=0)
    return None


def _engine_problems(manifest: RunManifest) -> list[Problem]:
    """A package that is missing here is no mistake of the plan's: ``check`` warns, ``optimize`` refuses."""
    config = manifest.optimize
    if config.engine == ENGINE:
        return []  # as below
    from sharpen.optimizer.engines.registry import engine_for

    where = display(manifest.source) if manifest.source else ""
    try:
        engine_for(config.engine, config.rewriter is not None, manifest.base_dir)
    except MissingExtraError:
        return []
    except PlanError as error:
        return [replace(problem, where=where) for problem in error.problems]
    except UserError as error:
        return [Problem(str(error), where=where, key="optimize.engine")]
    return []


def _strategy_problems(manifest: RunManifest) -> list[Problem]:
    if manifest.optimize.strategies == (AUTO,):
        return []  # always right, and most plans say it: that spares importing the optimizer
    from sharpen.optimizer.strategies.registry import build_strategy, expand

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
