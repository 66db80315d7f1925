"""Two runs side by side in the terminal, and how steady their cases are."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from sharpen.history.models import CaseChange, ChangeKind, Comparison, Flakiness
from sharpen.reporting import comparison_text as words
from sharpen.reporting import flakiness_text
from sharpen.reporting.terminal import print_indented, print_line, safe, styled, table

CASES_SHOWN = 60
"""So many cases of one kind are named."""
COINS_SHOWN = 10
_STYLES = {"good": "green", "bad": "red", "warn": "yellow", "flat": "default", "neutral": "cyan"}
_SIGNS = {"good": "✓", "bad": "✗", "warn": "!", "neutral": "·"}


def print_comparison(console: Console, found: Comparison) -> None:
    """What else differs, loudly; then the verdict, the metrics, the cases by name and how steady they are."""
    _print_differences(console, found)
    verdict = words.headline(found)
    style = _STYLES[verdict.tone]
    console.print(styled(console, f"{_SIGNS[verdict.tone]} {verdict.headline}", f"bold {style}"))
    print_line(console, verdict.detail)
    for number, name in enumerate(("first: ", "second:")):
        print_line(console, f"{name} {words.side_text(found, number)}", "dim")
    console.print()
    _print_metrics(console, found)
    for kind in words.KINDS:
        _print_kind(console, kind, found.of_kind(kind))
    for name, flakiness in (("first", found.flakiness_first), ("second", found.flakiness_second)):
        if flakiness is not None:
            print_flakiness(console, flakiness, f"Flakiness of the {name} run", coins_shown=0)
    for note in found.notes:
        print_line(console, f"- {note}", "dim")


def print_flakiness(
    console: Console, found: Flakiness | None, title: str = "Flakiness", coins_shown: int = COINS_SHOWN
) -> None:
    """pass@k, pass^k and the first coins by name; nothing when no case was asked more than once."""
    if found is None:
        return
    console.print(styled(console, title, "bold"))
    print_line(console, flakiness_text.summary(found))
    rows = flakiness_text.pass_rows(found)
    print_indented(console, table(console, flakiness_text.PASS_COLUMNS, rows, numbers=flakiness_text.PASS_COLUMNS))
    coins = flakiness_text.coins(found) if coins_shown else []
    if coins:
        columns = (*flakiness_text.COIN_COLUMNS[:-1], f"{(1 - found.alpha) * 100:g}% interval")
        shown = [flakiness_text.coin_row(item) for item in coins[:coins_shown]]
        print_indented(console, table(console, columns, shown, numbers=columns[2:], flexible="case"))
        if len(coins) > coins_shown:
            print_line(console, f"… and {len(coins) - coins_shown:,} more (--json names them)", "dim")
    for caveat in flakiness_text.caveats(found):
        print_line(console, caveat, "dim")
    console.print()


def _print_differences(console: Console, found: Comparison) -> None:
    loud = [item for item in found.differences if item.loud]
    if loud:
        console.print(styled(console, "! Not only the prompt: these runs are not alike", "bold yellow"))
    for item in found.differences:
        style = "yellow" if item.loud else "dim"
        for line in styled(console, f"{item.aspect}: {item.text}", style).wrap(console, max(20, console.width - 4)):
            line.rstrip()
            line.pad_left(4)
            console.print(line, soft_wrap=True)
    if found.differences:
        console.print()


def _print_metrics(console: Console, found: Comparison) -> None:
    columns = ("", "first", "second", "change", f"{words.level(found)} interval", "p", "verdict")
    rows = [
        (
            row.name, row.before, row.after, row.change, row.interval, row.p_value,
            Text(safe(console, row.verdict), style=_STYLES[row.tone]),
        )
        for row in words.metric_rows(found)
    ]  # fmt: skip
    print_indented(console, table(console, columns, rows, numbers=columns[1:6]))
    for line in (words.tests_used(found), *words.untested(found)):
        if line:
            print_line(console, line, "dim")
    console.print()


def _print_kind(console: Console, kind: ChangeKind, changes: tuple[CaseChange, ...]) -> None:
    if not changes:
        return
    console.print(styled(console, f"{words.KINDS[kind]} ({len(changes):,})", f"bold {_STYLES[words.TONES[kind]]}"))
    shown = [
        f"{change.case_id} ({words.change_text(change)})" if words.worth_telling(change) else change.case_id
        for change in changes[:CASES_SHOWN]
    ]
    more = f" … and {len(changes) - CASES_SHOWN:,} more (--json names them all)" if len(changes) > CASES_SHOWN else ""
    print_line(console, f"{', '.join(shown)}{more}")
    console.print()
