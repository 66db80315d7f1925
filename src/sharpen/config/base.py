"""What every part of a plan has in common: frozen, unknown keys rejected, paths relative to the plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo


class PlanPart(BaseModel):
    """Base of all plan models."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _beside_the_plan(path: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get("base_dir")
    path = path.expanduser()
    return path if base is None or path.is_absolute() else Path(base) / path


PlanPath = Annotated[Path, AfterValidator(_beside_the_plan)]
"""A path that a plan names; a relative one is taken from the plan's directory (validation context ``base_dir``)."""
