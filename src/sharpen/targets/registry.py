"""From a plan's target to the object that does the calling. Classes are imported only when they are built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sharpen.config.references import load_reference
from sharpen.config.targets import PluginTarget, TargetConfig
from sharpen.errors import PlanError, Problem, UnknownNameError
from sharpen.targets.base import Target
from sharpen.targets.local_only import local_only, refuse_elsewhere

TARGETS: dict[str, str] = {
    "openai": "sharpen.targets.openai_compatible:OpenAICompatibleTarget",
    "local": "sharpen.targets.local_model:LocalModelTarget",
    "python": "sharpen.targets.python_callable:PythonCallableTarget",
    "dspy": "sharpen.targets.dspy_program:DspyProgram",
    "scripted": "sharpen.targets.scripted:ScriptedReplies",
}
"""Kind → ``module:Class``, built as ``Class(config, base_dir)``. A kind of sharpen's own is one line here."""


def build_target(config: TargetConfig, base_dir: Path | None = None) -> Target:
    """Build the target that ``config`` describes; nothing is opened or called yet.

    ``base_dir`` is where the plan stands: the user's own modules are looked for there first. Raises ``UserError``
    (mostly ``PlanError``) when the plan names something that does not exist or cannot be used, and ``OfflineError`` for
    a target elsewhere in local-only mode.
    """
    target = _build(config, base_dir)
    if local_only():
        refuse_elsewhere(config.kind, target.address())
    return target


def _build(config: TargetConfig, base_dir: Path | None) -> Target:
    if isinstance(config, PluginTarget):
        return _build_plugin(config, base_dir)
    if config.kind not in TARGETS:
        raise UnknownNameError("target kind", config.kind, TARGETS)
    target: Target = load_reference(TARGETS[config.kind])(config, base_dir)
    return target


def _build_plugin(config: PluginTarget, base_dir: Path | None) -> Target:
    factory: Any = load_reference(config.kind, base_dir, key="target.kind")
    if not callable(factory):
        raise PlanError(
            Problem(
                f"{config.kind!r} is a {type(factory).__name__}", key="target.kind", expected="a subclass of Target"
            )
        )
    try:
        built = factory(**config.options)
    except Exception as error:
        what = f"{config.kind}(**options) raised {type(error).__name__}: {error}"
        names = ", ".join(sorted(config.options)) or "none"
        raise PlanError(
            Problem(what, key="target.options", expected=f"options its constructor takes (given: {names})")
        ) from error
    if not isinstance(built, Target):
        raise PlanError(
            Problem(
                f"{config.kind!r} makes a {type(built).__name__}",
                key="target.kind",
                expected="a subclass of sharpen.targets.base.Target",
            )
        )
    return built
