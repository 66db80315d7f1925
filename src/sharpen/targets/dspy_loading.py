"""A DSPy program of the user's: found, built, its predictors named, and copies of it with another instruction.

``with_instructions`` and ``instructions_of`` are for users, too: what an optimization found goes back into the program
with them, and from there into a file with DSPy's own ``program.save``.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from sharpen.config.references import load_reference
from sharpen.errors import MissingExtraError, PlanError, Problem, UserError, suggest


def import_dspy() -> Any:
    """The package. Raises ``MissingExtraError``."""
    try:
        import dspy
    except ImportError as error:
        raise MissingExtraError("target kind 'dspy'", "dspy") from error
    return dspy


def load_program(reference: str, base_dir: Path | None = None, saved: Path | None = None) -> Any:
    """The program that ``module:name`` names: a module of DSPy, or what makes one when it is called without arguments.

    ``saved``: a file written by ``program.save``, whose instructions and demonstrations it is given. Raises
    ``PlanError``, ``MissingExtraError``.
    """
    dspy = import_dspy()
    found = load_reference(reference, base_dir, key="target.program")
    expected = "a dspy.Module, or a function or class that makes one without arguments"
    if not isinstance(found, dspy.Module) and callable(found):
        try:
            found = found()
        except Exception as error:  # the user's code may raise anything
            raised = f"{reference}() raised {type(error).__name__}: {error}"
            raise PlanError(Problem(raised, key="target.program", expected=expected)) from error
    if not isinstance(found, dspy.Module):
        raise PlanError(Problem(f"{reference!r} is a {type(found).__name__}", key="target.program", expected=expected))
    if saved is not None:
        found = found.deepcopy()
        try:
            found.load(str(saved))
        except Exception as error:  # a file of another program, of another version, or no such file at all
            raise PlanError(
                Problem(
                    f"{str(saved)!r} cannot be loaded into {reference}: {type(error).__name__}: {error}",
                    key="target.saved",
                    expected="a JSON file that program.save of this very program wrote",
                )
            ) from error
    return found


def predictor_name(program: Any, name: str | None = None) -> str:
    """The predictor whose instruction is meant; without a name: the only one. Raises ``UserError``."""
    names = [known for known, _ in program.named_predictors()]
    if name is not None:
        if name not in names:
            raise PlanError(Problem(f"the program has no predictor {name!r}; {suggest(name, names)}", key=_KEY))
        return name
    if len(names) != 1:
        many = f"the program has {len(names)} predictors" if names else "the program has no predictor"
        expected = f"one of: {', '.join(names)}" if names else "a dspy.Predict, or a module that holds one"
        raise PlanError(Problem(many, key=_KEY, expected=expected))
    return str(names[0])


def instructions_of(program: Any, predictor: str | None = None) -> str:
    """The instruction of a predictor, as it is now: the prompt to begin with. Raises ``UserError``."""
    return str(dict(program.named_predictors())[predictor_name(program, predictor)].signature.instructions)


def with_instructions(program: Any, instructions: str, predictor: str | None = None) -> Any:
    """A copy of ``program`` in which one predictor has another instruction. Raises ``UserError``."""
    if not instructions.strip():
        raise UserError(f"the instruction is empty: {instructions!r}")
    name = predictor_name(program, predictor)
    changed = program.deepcopy()
    meant = dict(changed.named_predictors())[name]
    meant.signature = meant.signature.with_instructions(instructions)
    return changed


def inputs_of(program: Any) -> tuple[frozenset[str] | None, frozenset[str]]:
    """Names of the inputs a program takes (None: any) and of those it cannot do without."""
    signature: Any = getattr(program, "signature", None)
    if hasattr(signature, "input_fields"):
        names = frozenset(signature.input_fields)
        return names, names
    entry = getattr(type(program), "forward", None) or getattr(type(program), "aforward", None)
    if entry is None:
        return None, frozenset()
    parameters = list(inspect.signature(entry).parameters.values())[1:]  # without self
    plain = [each for each in parameters if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)]
    required = frozenset(each.name for each in plain if each.default is each.empty)
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        first = [predictor.signature.input_fields for _, predictor in program.named_predictors()]
        # a chain of thought takes what its one predictor takes
        return (frozenset(first[0]), frozenset(first[0])) if len(first) == 1 else (None, required)
    return frozenset(each.name for each in plain), required


_KEY = "target.predictor"
