"""What the commands about versions print: text for people, or the one JSON document that ``--json`` asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sharpen.json_stream import dumps
from sharpen.reporting.console_lists import print_versions_table
from sharpen.reporting.terminal import make_console
from sharpen.reporting.text import for_terminal

if TYPE_CHECKING:
    from sharpen.versions.comparison import VersionComparison
    from sharpen.versions.models import PromptVersion
    from sharpen.versions.ports import AliasMove
    from sharpen.versions.three_way import ThreeWayView
    from sharpen.wiring.version_files import Exported, Imported


def versions(
    found: Sequence[PromptVersion], as_json: bool, quiet: bool, aliases: Mapping[str, str] | None = None
) -> None:
    """A list of versions. ``aliases``: name → version, where all are of one workflow."""
    if as_json:
        print(dumps({"versions": [item.model_dump(mode="json") for item in found]}))
        return
    if not quiet:
        print_versions_table(make_console(), found, aliases)


def version(found: PromptVersion, form: str, aliases: Mapping[str, str] | None = None) -> None:
    """One version: its prompt alone, its record, or both for people."""
    if form == "json":
        print(dumps(found.model_dump(mode="json")))
        return
    from sharpen.versions.files import prompt_text

    text = prompt_text(found.prompt.messages)
    if form == "text":  # to look at, so what would move the cursor is left out; 'prompt' is exact
        from sharpen.reporting.console_versions import print_version

        print_version(make_console(), found, aliases)
        text = for_terminal(text)
    print(text)


def comparison(found: VersionComparison, as_json: bool) -> None:
    """Two versions, side by side."""
    if as_json:
        print(dumps(found.model_dump(mode="json")))
        return
    print(for_terminal(f"{found.workflow_id} {found.a} → {found.b}"))
    print(for_terminal(found.diff) or "the prompts are equal")
    for metric in found.metrics:
        print(f"{metric.name}: {_number(metric.a)} → {_number(metric.b)}")


def three_way(found: ThreeWayView, as_json: bool) -> None:
    """Three versions, side by side."""
    if as_json:
        print(dumps({**found.model_dump(mode="json"), "conflicts": found.conflicts}))
        return
    from sharpen.reporting.console_versions import print_three_way

    print_three_way(make_console(), found)


def new_version(found: PromptVersion, as_json: bool, quiet: bool) -> None:
    """A version that was just made."""
    if as_json:
        print(dumps(found.model_dump(mode="json")))
        return
    if not quiet:
        print(for_terminal(f"{found.workflow_id} {found.version}: {found.message}"))


def tagged(workflow: str, version: str | None, alias: str, as_json: bool, quiet: bool) -> None:
    """An alias that was just moved, or removed (None)."""
    if as_json:
        print(dumps({"workflow_id": workflow, "version": version, "alias": alias}))
        return
    if not quiet:
        moved = f"{alias} → {workflow} {version}" if version else f"{alias} of {workflow} is removed; its history stays"
        print(for_terminal(moved))


def aliases(workflow: str, current: Mapping[str, str], moves: Sequence[AliasMove], as_json: bool, quiet: bool) -> None:
    """Where each alias points, and how it came there."""
    if as_json:
        history = [move.model_dump(mode="json") for move in moves]
        print(dumps({"workflow_id": workflow, "aliases": dict(current), "history": history}))
        return
    if not quiet:
        from sharpen.reporting.console_versions import print_alias_moves

        print_alias_moves(make_console(), workflow, current, moves)


def exported(found: Exported, as_json: bool, quiet: bool) -> None:
    """What an export wrote."""
    if as_json:
        names = [{"workflow_id": one.workflow_id, "version": one.version} for one in found.versions]
        print(dumps({"versions": names, "written": [str(path) for path in found.files]}))
        return
    if not quiet:
        for path in found.files:
            print(for_terminal(f"wrote {path}"))
        print(f"{_count(len(found.versions), 'version')}, {_count(len(found.files), 'file')} new or changed")


def imported(found: Imported, as_json: bool, quiet: bool) -> None:
    """What an import added."""
    if as_json:
        document = {
            name: [{"workflow_id": one.workflow_id, "version": one.version} for one in versions]
            for name, versions in (("added", found.added), ("present", found.present))
        }
        moved = [{"workflow_id": name, "alias": alias, "version": to} for name, alias, to in found.aliases]
        print(dumps({**document, "aliases": moved, "skipped": [str(path) for path in found.skipped]}))
        return
    if quiet:
        return
    for one in found.added:
        print(for_terminal(f"{one.workflow_id} {one.version}: {one.message}"))
    for workflow, alias, to in found.aliases:
        print(for_terminal(f"{alias} → {workflow} {to}"))
    skipped = f"; {_count(len(found.skipped), 'other file')} left alone" if found.skipped else ""
    print(f"{_count(len(found.added), 'version')} added, {len(found.present)} were here already{skipped}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
