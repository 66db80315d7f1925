"""``init``: a project to start from."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from sharpen.errors import UserError

STARTER_FILES = ("plan.yaml", "cases.jsonl", "prompt.md")


def init_project(directory: Path) -> tuple[Path, ...]:
    """Write the starter files and return their paths. Raises ``UserError`` when one exists: nothing is overwritten."""
    if directory.exists() and not directory.is_dir():
        raise UserError(f"cannot write to {str(directory)!r}: it is a file; expected a directory")
    targets = tuple(directory / name for name in STARTER_FILES)
    existing = [repr(str(path)) for path in targets if path.exists()]
    if existing:
        raise UserError(f"{', '.join(existing)} would be overwritten; expected a directory without such files")
    starter = resources.files("sharpen.wiring") / "starter"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path in targets:
            path.write_text((starter / path.name).read_text(encoding="utf-8"), encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write to {str(directory)!r}: {error.strerror or error}") from error
    return targets
