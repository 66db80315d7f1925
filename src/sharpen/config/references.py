"""``module:name`` → the object: how plans point at the user's own code."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from sharpen.errors import PlanError, Problem


def load_reference(reference: str, base_dir: Path | None = None, key: str = "") -> Any:
    """Import ``module:name``, looking beside the plan (``base_dir``) first.

    Raises ``PlanError`` that names the reference and what is missing: the module, the name in it, or what its own
    import raised.
    """
    module_name, _, path = reference.partition(":")
    if base_dir is not None and str(base_dir.resolve()) not in sys.path:
        sys.path.insert(0, str(base_dir.resolve()))
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:  # the user's module may raise anything while it is imported
        where = f"beside the plan ({base_dir}) or installed" if base_dir else "an importable module"
        raise PlanError(
            Problem(f"cannot import {module_name!r}: {type(error).__name__}: {error}", key=key, expected=where)
        ) from error
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            public = ", ".join(sorted(n for n in vars(found) if not n.startswith("_"))[:12]) or "nothing public"
            raise PlanError(
                Problem(f"{module_name!r} has no {path!r}", key=key, expected=f"one of: {public}")
            ) from None
    return found
