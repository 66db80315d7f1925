"""Engine names → classes."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from sharpen.config.references import load_reference
from sharpen.errors import MissingExtraError, PlanError, Problem, UnknownNameError, UserError
from sharpen.optimizer.engines.base import SearchEngine

ENGINES = {
    "race": "sharpen.optimizer.engines.race:RaceEngine",
    "gepa": "sharpen.optimizer.engines.gepa:GepaEngine",
    "mipro": "sharpen.optimizer.engines.mipro:MiproEngine",
}
DEFAULT = "race"


def engine_for(name: str, has_rewriter: bool, base_dir: Path | None = None) -> SearchEngine:
    """``build_engine``, ready to search.

    Raises ``MissingExtraError`` as well when the engine's package is not installed, ``UserError`` when it needs a
    rewriter and the plan names none.
    """
    engine = build_engine(name, base_dir)
    engine.check()
    if engine.needs_rewriter and not has_rewriter:
        raise UserError(f"engine {name!r} needs a model that rewrites: add optimize.rewriter to the plan")
    return engine


def require(engine: str, extra: str, *packages: str) -> None:
    """Raises ``MissingExtraError`` unless all packages can be found; none is imported."""
    if not all(map(find_spec, packages)):
        raise MissingExtraError(f"engine {engine!r}", extra)


def build_engine(name: str = DEFAULT, base_dir: Path | None = None) -> SearchEngine:
    """The engine called ``name``, or the class that ``module:Class`` names.

    Raises ``UnknownNameError`` with the names there are, ``PlanError`` for a reference that leads nowhere.
    """
    if ":" in name:
        found = load_reference(name, base_dir, key="optimize.engine")
        engine = found() if isinstance(found, type) else found
        if not isinstance(engine, SearchEngine):
            expected = "a subclass of sharpen.optimizer.engines.base.SearchEngine"
            raise PlanError(Problem(f"{name!r} is {found!r}", key="optimize.engine", expected=expected))
        return engine
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    module, _, class_name = ENGINES[name].partition(":")
    engine_class: type[SearchEngine] = getattr(import_module(module), class_name)
    return engine_class()
