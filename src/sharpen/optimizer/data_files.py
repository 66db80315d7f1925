"""The YAML files that the optimizer's packages bring along."""

from __future__ import annotations

from importlib.resources import files
from typing import Any


def read_data(package: str, name: str) -> Any:
    """What stands in ``data/<name>.yaml`` of a package of the optimizer."""
    import yaml

    text = (files(f"sharpen.optimizer.{package}") / "data" / f"{name}.yaml").read_text("utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, where the wheel brings it
    return yaml.load(text, Loader=loader)  # noqa: S506 - both are safe
