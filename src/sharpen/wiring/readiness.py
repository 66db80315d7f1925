"""Would a run find what its plan names: functions, classes, files, keys, weights? Nothing is opened or called."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from sharpen.config.assertions import RubricAssertion
from sharpen.config.case_set import CaseSet
from sharpen.config.files import display
from sharpen.config.models import Case, RunManifest
from sharpen.config.settings import api_key
from sharpen.config.targets import LocalTarget, OpenAITarget, PluginTarget, TargetConfig
from sharpen.errors import MissingExtraError, OfflineError, PlanError, Problem, UserError
from sharpen.targets.local_only import refuse_elsewhere


@dataclass(frozen=True, slots=True)
class Readiness:
    """``errors`` stand in the plan; ``warnings`` lack in this environment and may be there where the plan will run."""

    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def check_readiness(manifest: RunManifest, cases: Collection[Case]) -> Readiness:
    """Compile every assertion, and ask of every target what building it would find."""
    where = display(manifest.source) if manifest.source else ""
    if isinstance(cases, CaseSet) and not cases.own_assertions:
        cases = ()  # only a case's own assertions are looked at, and there are none
    errors = [_placed(problem, where) for problem in _of_assertions(manifest, cases)]
    warnings: list[Problem] = []
    for key, target in _targets(manifest, cases):
        in_environment = isinstance(target, OpenAITarget) or (isinstance(target, LocalTarget) and target.model is None)
        found = [_placed(problem, where, key) for problem in _of_target(target, manifest)]
        (warnings if in_environment else errors).extend(found)
    warnings += [_placed(problem, where) for problem in _of_engine(manifest)]
    return Readiness(tuple(dict.fromkeys(errors)), tuple(dict.fromkeys(warnings)))


def targets_elsewhere(manifest: RunManifest, cases: Collection[Case]) -> Iterator[Problem]:
    """What local-only mode refuses: told before anything is opened, although building those targets would find it."""
    where = display(manifest.source) if manifest.source else ""
    if isinstance(cases, CaseSet) and not cases.own_assertions:
        cases = ()
    for key, target in _targets(manifest, cases):
        try:
            if isinstance(target, OpenAITarget):
                refuse_elsewhere(target.kind, target.base_url)
            elif isinstance(target, PluginTarget):
                from sharpen.targets.registry import build_target

                build_target(target, manifest.base_dir)
        except OfflineError as error:
            yield from (_placed(problem, where, key) for problem in error.problems)
        except UserError:  # told where it is not about the mode
            continue


def _of_assertions(manifest: RunManifest, cases: Collection[Case]) -> Iterator[Problem]:
    from sharpen.assertions.grading import Grader

    grader = Grader(base_dir=manifest.base_dir)
    places = [("", manifest.assertions), *((f"case {case.id!r}", case.assertions) for case in cases if case.assertions)]
    for place, assertions in places:
        try:
            grader.prepare(assertions, place)
        except PlanError as error:
            yield from error.problems


def _of_engine(manifest: RunManifest) -> Iterator[Problem]:
    """The package of another search engine that is not installed here; keys that this one does nothing with."""
    config = manifest.optimize
    if config.engine == RunManifest.model_fields["optimize"].default.engine:
        return  # ours: that spares importing the optimizer
    from sharpen.optimizer.engines.registry import engine_for

    try:
        engine_for(config.engine, config.rewriter is not None, manifest.base_dir)
    except MissingExtraError as error:
        yield Problem(str(error), key="optimize.engine")
    except UserError:  # told with the plan's mistakes
        return
    if ":" in config.engine:
        return  # what a class of the user's does with them is not known
    for key in ("strategies", "candidates"):
        if getattr(config, key) != type(config).model_fields[key].default:
            yield Problem(f"engine {config.engine!r} does nothing with it; 'race' does", key=f"optimize.{key}")


def _targets(manifest: RunManifest, cases: Collection[Case]) -> Iterator[tuple[str, TargetConfig]]:
    yield "target", manifest.target
    if manifest.optimize.rewriter is not None:
        yield "optimize.rewriter", manifest.optimize.rewriter
    for assertions in (manifest.assertions, *(case.assertions for case in cases)):
        for index, assertion in enumerate(assertions):
            if isinstance(assertion, RubricAssertion):
                yield f"assertions.{index}.judge", assertion.judge


def _of_target(target: TargetConfig, manifest: RunManifest) -> Sequence[Problem]:
    try:
        # the two that call a server are not built: all that their constructors could find stands here, and the HTTP
        # client is the dearest import of all
        if isinstance(target, OpenAITarget):
            api_key(target)
            if target.ca_file is not None:
                from sharpen.targets.trust import trusting

                trusting(target.ca_file)
        elif isinstance(target, LocalTarget):
            from sharpen.targets.weights import locate_weights

            locate_weights(target.model)
        else:
            from sharpen.targets.registry import build_target

            build_target(target, manifest.base_dir)
    except PlanError as error:
        return error.problems
    except UserError as error:
        return (Problem(str(error)),)
    return ()


def _placed(problem: Problem, where: str, key: str = "") -> Problem:
    """Under the plan's file, and under the key of the target that is meant."""
    inner = problem.key.removeprefix("target").removeprefix(".") if key else problem.key
    return replace(problem, where=problem.where or where, key=".".join(filter(None, (key, inner))))
