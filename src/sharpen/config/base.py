"""What every part of a plan has in common: frozen, unknown keys rejected, paths relative to the plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Strict, ValidationInfo


class PlanPart(BaseModel):
    """Base of all plan models. Validation errors never print the input: it may hold a secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


Int = Annotated[int, Strict()]
"""A whole number as written: neither ``true`` nor ``"3"`` counts as one."""

Float = Annotated[float, Strict()]
"""A number as written; whole numbers count."""


def resolve_path(path: Path, base_dir: str | Path | None) -> Path:
    """``path`` as a plan in ``base_dir`` means it; unchanged when it is absolute or there is no plan."""
    path = path.expanduser()
    return path if base_dir is None or path.is_absolute() else Path(base_dir) / path


def _beside_the_plan(path: Path, info: ValidationInfo) -> Path:
    return resolve_path(path, (info.context or {}).get("base_dir"))


PlanPath = Annotated[Path, AfterValidator(_beside_the_plan)]
"""A path that a plan names; a relative one is taken from the plan's directory (validation context ``base_dir``)."""
