"""Versions between a store and a directory of files that people review: export, import, and new ones from a file."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sharpen.config.documents import parse
from sharpen.config.files import display, file_problem, read_text
from sharpen.config.prompt_files import read_prompt
from sharpen.errors import PlanError, Problem, StoreError, UserError, VersionConflictError
from sharpen.optimizer.models import Prompt
from sharpen.storage.store import Store
from sharpen.versions.files import directory_name, from_files, to_files
from sharpen.versions.models import PromptVersion
from sharpen.versions.semver import Bump, SemVer
from sharpen.versions.version_manager import LATEST, VersionManager
from sharpen.wiring.stores import list_versions, version_manager

ALIASES = "aliases.yaml"


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote. ``files`` are those that were not there like that already."""

    versions: tuple[PromptVersion, ...]
    files: tuple[Path, ...]


@dataclass(slots=True)
class Imported:
    """What an import did: versions that are new here, those that were here, aliases moved, files of something else."""

    added: list[PromptVersion] = field(default_factory=list)
    present: list[PromptVersion] = field(default_factory=list)
    aliases: list[tuple[str, str, str]] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)


def export_versions(store: Store, directory: Path, workflow: str | None = None) -> Exported:
    """Write every version of a workflow (None: of all) below ``directory``, and who points at which.

    A file that holds the same already is left alone, so that an export shows in git as what is new. Raises
    ``UserError`` when a file cannot be written, or when a version's file was edited: no review is overwritten.
    """
    found = list_versions(store, workflow)
    manager, wanted = version_manager(store), dict[Path, str]()
    for version in found:
        home = directory / directory_name(version.workflow_id)
        if _is_there(home / f"{version.version}.md", version):
            continue
        for ending, text in to_files(version).items():
            wanted[home / f"{version.version}{ending}"] = text
    for name in {version.workflow_id for version in found}:
        if manager.aliases(name):
            wanted[directory / directory_name(name) / ALIASES] = _aliases_text(manager, name)
    changed = {path: text for path, text in wanted.items() if not _holds(path, text)}
    for path in changed:
        if path.name != ALIASES and path.exists():
            raise UserError(
                f"{display(path)!r} exists and is not what the store holds; move it away, or keep it as a new version: "
                "sharpen versions create"
            )
    for path, text in changed.items():
        _write(path, text)
    return Exported(found, tuple(changed))


def import_versions(store: Store, path: Path, *, aliases: bool = False, actor: str | None = None) -> Imported:
    """Add the versions in a file or below a directory, exactly as they were; ``aliases``: ``actor`` moves those.

    All files are read and checked before anything is added. Raises ``PlanError``, ``StoreError`` for files that were
    edited, ``VersionConflictError`` when the store has another version of that number.
    """
    if not path.is_dir() and (problem := file_problem(path, "a directory of exported versions, or one of its files")):
        raise PlanError(problem)
    report, versions, manager = Imported(), list[PromptVersion](), version_manager(store)
    for file in sorted(path.rglob("*.md")) if path.is_dir() else [path]:
        found = _read(file)
        if found is None:
            report.skipped.append(file)
        else:
            versions.append(found)
    if not versions:
        raise UserError(f"{display(path)!r} holds no exported version; `sharpen versions export DIRECTORY` writes some")
    _refuse_conflicts(manager, versions)
    wanted = list(_aliases_in(manager, path, versions)) if aliases else []
    for version in sorted(versions, key=lambda one: (one.created_at, SemVer.parse(one.version))):
        (report.added if manager.restore(version) else report.present).append(version)
    report.aliases = list(_moved(manager, wanted, actor))
    return report


def create_version(
    store: Store,
    file: Path,
    workflow: str | None = None,
    *,
    message: str = "",
    bump: Bump = "patch",
    created_by: str | None = None,
) -> PromptVersion:
    """A new version, made by hand, of the prompt in a file.

    ``workflow`` None: the one that the file names (one that was exported and edited), else the store's only one.
    Raises ``VersionConflictError`` when the latest version has these contents already.
    """
    found, manager = read_prompt(file), version_manager(store)
    template = found.template()
    record = found.front_matter.get("metadata")
    record = record if isinstance(record, dict) else {}
    name = workflow or record.get("workflow_id") or next(iter(manager.workflows()), "")
    if workflow is None and "workflow_id" not in record and len(manager.workflows()) != 1:
        raise UserError(f"which workflow is {display(file)!r} of? expected --workflow NAME")
    manager.check_texts(name, message)
    latest = manager.latest(name)
    if latest is not None and latest.content_hash == template.content_hash:
        raise VersionConflictError(f"{name!r} has this prompt already (latest: {latest.version}); nothing to create")
    known = {version.version for version in manager.list(name)}
    parent = record.get("version") if record.get("version") in known else LATEST if latest else None
    prompt = Prompt.of(template, id=name, workflow_id=name)
    message = message or f"from {file.name}"
    return manager.create(name, prompt, bump=bump, parent=parent, message=message, created_by=created_by)


def _refuse_conflicts(manager: VersionManager, versions: Iterable[PromptVersion]) -> None:
    here = {name: {one.version: one for one in manager.list(name)} for name in {one.workflow_id for one in versions}}
    others = [one for one in versions if here[one.workflow_id].get(one.version, one) != one]
    if others:
        names = ", ".join(f"{one.workflow_id} {one.version}" for one in others)
        raise VersionConflictError(f"the store holds another version of that number: {names}; nothing was imported")


def _aliases_text(manager: VersionManager, workflow: str) -> str:
    import yaml

    current = manager.aliases(workflow)
    history = [move.model_dump(mode="json", exclude_none=True) for move in manager.alias_history(workflow)]
    data: dict[str, Any] = {"workflow_id": workflow, "aliases": current, "history": history}
    return str(yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=110))


def _aliases_in(
    manager: VersionManager, path: Path, versions: Iterable[PromptVersion]
) -> Iterator[tuple[Path, str, str, str]]:
    """File, workflow, alias and version of what the lists of aliases say. Raises ``PlanError`` for what cannot be."""
    numbers: dict[str, set[str]] = {}
    for version in versions:
        numbers.setdefault(version.workflow_id, set()).add(version.version)
    for file in sorted(path.rglob(ALIASES)) if path.is_dir() else []:
        document = parse(read_text(file), file, format="yaml")
        data = document.data if isinstance(document.data, dict) else {}
        workflow, aliases = data.get("workflow_id"), data.get("aliases")
        if (
            document.problems
            or not isinstance(workflow, str)
            or workflow not in numbers
            or not isinstance(aliases, dict)
        ):
            expected = "what `sharpen versions export` writes"
            raise PlanError(document.problems or Problem("no list of aliases", display(file), expected=expected))
        known = numbers[workflow] | {one.version for one in manager.list(workflow)}
        for alias, number in aliases.items():
            if not isinstance(number, str) or number not in known:
                wrong = f"alias {alias!r} points at {number!r}"
                raise PlanError(
                    Problem(wrong, display(file), expected=f"one of the versions {', '.join(sorted(known))}")
                )
            manager.check_alias(alias if isinstance(alias, str) else repr(alias))
            yield file, workflow, alias, number


def _moved(
    manager: VersionManager, wanted: Iterable[tuple[Path, str, str, str]], actor: str | None
) -> Iterator[tuple[str, str, str]]:
    for file, workflow, alias, version in wanted:
        current = manager.aliases(workflow).get(alias, "")
        if current != version:
            reason = f"imported from {display(file)}"
            manager.tag(workflow, version, alias, expected_current=current, reason=reason, actor=actor)
            yield workflow, alias, version


def _read(file: Path) -> PromptVersion | None:
    beside = file.with_name(f"{file.stem}.json")
    return from_files(display(file), read_text(file), read_text(beside) if beside.exists() else None)


def _is_there(file: Path, version: PromptVersion) -> bool:
    """Whether the file says the same, if in another form: an editor may have put blank lines or CRLF into it."""
    try:
        return file.exists() and _read(file) == version
    except (PlanError, StoreError):
        return False


def _holds(path: Path, text: str) -> bool:
    try:
        return path.exists() and read_text(path) == text
    except PlanError:  # not even text: certainly something else
        return False


def _write(path: Path, text: str) -> None:
    """Beside its place, then moved there: a reader sees the whole file or none."""
    temporary = path.with_name(f".{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text(text, encoding="utf-8", newline="\n")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {display(path)!r}: {error.strerror or error}") from error
