"""What comes from the environment, and where things lie when nothing is said: keys, the store, plans."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from sharpen.config.models import RunManifest
from sharpen.config.targets import OpenAITarget
from sharpen.errors import PlanError, UnknownNameError, UserError

STORE_VARIABLE = "SHARPEN_STORE"
SQLITE = "sqlite:///"
DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY"
_PLAN_ENDINGS = (".yaml", ".yml", ".json")


def store_url(base_dir: Path, url: str | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """The store to use: ``url`` (the option), else ``SHARPEN_STORE``, else a SQLite file under ``.sharpen/``."""
    return url or environ.get(STORE_VARIABLE) or f"{SQLITE}{base_dir.absolute() / '.sharpen' / 'sharpen.db'}"


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite store; None for what else a URL can mean."""
    path = url.removeprefix(SQLITE).partition("?")[0]
    return Path(path) if url.startswith(SQLITE) and path and not path.startswith((":memory:", "file:")) else None


def api_key(target: OpenAITarget, environ: Mapping[str, str] = os.environ) -> SecretStr | None:
    """The key for a server, from the variable that the target names, else from ``OPENAI_API_KEY``.

    None when the target names no variable, the default one is not set, and the server is not OpenAI's own. Raises
    ``UserError`` that names the variable (never its value) when a key is needed and missing, or cannot be a key.
    """
    variable = target.api_key_env or DEFAULT_KEY_VARIABLE
    key = environ.get(variable, "").strip()
    if not key:
        if target.api_key_env is None and urlsplit(target.base_url).hostname != "api.openai.com":
            return None
        state = "is empty" if variable in environ else "is not set"
        why = "target.api_key_env names it" if target.api_key_env else f"{target.base_url} needs a key"
        raise UserError(f"the environment variable {variable} {state}, and {why}; set it: export {variable}=<your key>")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UserError(f"the environment variable {variable} holds characters that no API key has (value not shown)")
    return SecretStr(key)


def find_plan(workflow_id: str, directory: Path) -> RunManifest:
    """The plan in ``directory`` (not below it) whose ``workflow_id`` this is, read and validated.

    Raises ``UnknownNameError`` with the workflows that were found when there is none, ``UserError`` when there are
    several, ``PlanError`` when the plan has mistakes. Files that are no plans are passed over.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted(directory.iterdir() if directory.is_dir() else ()):
        name = _workflow_of(path) if path.suffix.lower() in _PLAN_ENDINGS else None
        if name is not None:
            found.setdefault(name, []).append(path)
    plans = found.get(workflow_id, [])
    if not plans:
        raise UnknownNameError(f"workflow (of the plans in {str(directory.absolute())!r})", workflow_id, found)
    if len(plans) > 1:
        names = ", ".join(path.name for path in plans)
        raise UserError(f"workflow {workflow_id!r} has several plans in {str(directory)!r}: {names}; expected one")
    return RunManifest.from_yaml(plans[0])


def _workflow_of(path: Path) -> str | None:
    """The ``workflow_id`` a file begins with; None when it is no plan. Parses only files that mention the key."""
    from sharpen.config.documents import parse
    from sharpen.config.files import read_text

    try:
        if not path.is_file() or b"workflow_id" not in path.read_bytes():
            return None
        data = parse(read_text(path), path).data
    except (OSError, PlanError):
        return None
    workflow_id = data.get("workflow_id") if isinstance(data, dict) else None
    return workflow_id if isinstance(workflow_id, str) else None
