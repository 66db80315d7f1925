"""Versions in the terminal: one with all that is known of it, three side by side, and who moved an alias when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console

from sharpen.reporting import figures as fig
from sharpen.reporting.console import print_verification
from sharpen.reporting.console_lists import print_versions_table
from sharpen.reporting.terminal import print_line, safe, styled
from sharpen.reporting.text import one_line
from sharpen.versions.models import PromptVersion
from sharpen.versions.ports import AliasMove
from sharpen.versions.three_way import Stretch, ThreeWayView

CONTEXT = 2
"""Lines that nobody changed are shown so far around a change."""
_SAID = {"candidate": "only the candidate changed", "live": "only live changed", "both": "both changed alike"}
_HASH_SHOWN = 16


def print_version(console: Console, found: PromptVersion, aliases: Mapping[str, str] | None = None) -> None:
    """A version's line, its evidence and where it comes from. ``aliases``: name → version, of its workflow."""
    print_versions_table(console, [found], aliases)
    if found.verification is not None:
        console.print(f"\n{found.verification.reason}")
        print_verification(console, found.verification)
    console.print()
    for name, value in provenance_lines(found):
        console.print(f"{name:<11} {safe(console, value)}", soft_wrap=True)
    console.print()


def provenance_lines(found: PromptVersion) -> list[tuple[str, str]]:
    """Where a version comes from, as names and values."""
    lines = [("message", one_line(found.message, 1000))] if found.message else []
    lines += [("by", found.created_by)] if found.created_by else []
    lines += [("parent", found.parent)] if found.parent else []
    source = found.provenance
    if source is not None:
        parameters = ", ".join(f"{name}={value}" for name, value in sorted(source.parameters.items()))
        lines += [
            ("plan", source.plan_hash[:_HASH_SHOWN]),
            ("data set", source.dataset_hash[:_HASH_SHOWN]),
            ("model", " ".join(filter(None, (source.model, f"({source.target})")))),
            ("parameters", parameters or "none"),
        ]
    lines += [("run", run_id) for run_id in found.run_ids]
    sealed = "record unaltered" if found.record_hash else "record kept before records were hashed"
    return [*lines, ("contents", f"{found.content_hash[:_HASH_SHOWN]}, unaltered; {sealed}")]


def print_three_way(console: Console, view: ThreeWayView) -> None:
    """What each side changed, stretch by stretch, with little of what nobody did."""
    names = f"base {view.base} · candidate {view.candidate} · live {view.live}"
    console.print(styled(console, f"{view.workflow_id}: {names}", "bold"))
    if all(stretch.kind == "same" for stretch in view.stretches):
        console.print("all three prompts are equal")
        return
    last = len(view.stretches) - 1
    for number, stretch in enumerate(view.stretches):
        if stretch.kind == "same":
            _print_same(console, stretch.base, first=number == 0, last=number == last)
        else:
            _print_change(console, stretch)
    console.print()
    conflicts = "1 conflict" if view.conflicts == 1 else f"{view.conflicts} conflicts"
    console.print(conflicts if view.conflicts else "no conflicts: what they changed stands apart, or is the same")


def _print_same(console: Console, lines: Sequence[str], *, first: bool, last: bool) -> None:
    head = [] if first else list(lines[:CONTEXT])
    tail = [] if last else list(lines[max(len(head), len(lines) - CONTEXT) :])
    left = len(lines) - len(head) - len(tail)
    for line in head:
        console.print(styled(console, f"    {line}"), soft_wrap=True)
    if left:
        console.print(styled(console, f"    … {left} {'line' if left == 1 else 'lines'} as in all three", "dim"))
    for line in tail:
        console.print(styled(console, f"    {line}"), soft_wrap=True)


def _print_change(console: Console, stretch: Stretch) -> None:
    if stretch.kind == "conflict":
        console.print(styled(console, "  conflict: both changed this", "bold red"))
        sides = (
            ("base", stretch.base, "red"),
            ("candidate", stretch.candidate, "green"),
            ("live", stretch.live, "cyan"),
        )
    else:
        console.print(styled(console, f"  {_SAID[stretch.kind]}", "bold"))
        new = stretch.live if stretch.kind == "live" else stretch.candidate
        sides = (("-", stretch.base, "red"), ("+", new, "green"), ("", (), ""))
    for name, lines, style in sides:
        for line in lines:
            text = f"{name:<10}│ {line}" if stretch.kind == "conflict" else f"  {name} {line}"
            console.print(styled(console, text, style), soft_wrap=True)


def print_alias_moves(console: Console, workflow: str, current: Mapping[str, str], moves: Sequence[AliasMove]) -> None:
    """Where each alias points, and every move, newest first."""
    if not current and not moves:
        console.print(styled(console, f"No alias of {workflow} yet: sharpen versions tag VERSION ALIAS", "dim"))
        return
    for alias, version in current.items():
        print_line(console, f"{alias} → {version}", "bold", indent=0)
    for move in sorted(moves, key=lambda one: one.moved_at, reverse=True):
        step = f"{move.previous or fig.NOTHING} → {move.version or '(removed)'}"
        print_line(console, f"{move.moved_at:%Y-%m-%d %H:%M}  {move.alias}  {step}")
        if why := one_line(" · ".join(filter(None, (move.actor, move.reason))), 1000):
            print_line(console, why, "dim", indent=4)  # whole: who asks who moved it asks why, too
