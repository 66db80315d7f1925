"""A comparison of two runs, the size of a pull-request comment, in GitHub's Markdown. Pure."""

from __future__ import annotations

from sharpen.history.models import ChangeKind, Comparison, Flakiness
from sharpen.reporting import comparison_text as words
from sharpen.reporting import figures as fig
from sharpen.reporting import flakiness_text
from sharpen.reporting.markdown_parts import cell, head, joined, table

SHOWN = 30


def comparison_markdown(found: Comparison) -> str:
    """What else differs, the verdict, the metrics, the cases by name, and how steady they are."""
    rows = [
        (row.name, row.before, row.after, row.change, row.interval, row.p_value, row.verdict)
        for row in words.metric_rows(found)
    ]
    columns = ("Metric", "First", "Second", "Change", f"{words.level(found)} interval", "p", "Verdict")
    small = [words.tests_used(found), *words.untested(found), *found.notes]
    return joined(
        head(found.second.workflow_id, words.headline(found)),
        _differences(found),
        table(columns, rows, right=6),
        *(_kind(found, kind) for kind in words.KINDS),
        *(
            flakiness_markdown(flakiness, f"Flakiness of the {name} run")
            for name, flakiness in (("first", found.flakiness_first), ("second", found.flakiness_second))
        ),
        "\n".join(f"- {cell(line)}" for line in small if line),
        f"First: {cell(words.side_text(found, 0))}  \nSecond: {cell(words.side_text(found, 1))}",
    )


def flakiness_markdown(found: Flakiness | None, title: str = "Flakiness") -> str:
    """pass@k and pass^k, and the coins; empty when no case was asked more than once."""
    if found is None:
        return ""
    coins = [flakiness_text.coin_row(item) for item in flakiness_text.coins(found)[:SHOWN]]
    columns = ("Case", "Passed", "Rate", f"{(1 - found.alpha) * 100:g}% interval")
    body = joined(
        cell(" ".join([flakiness_text.summary(found), *flakiness_text.caveats(found)])),
        table(flakiness_text.PASS_COLUMNS, flakiness_text.pass_rows(found), right=4),
        table(columns, coins, right=2) if coins else "",
    )
    return f"<details><summary>{title}</summary>\n\n{body}\n</details>"


def _differences(found: Comparison) -> str:
    if not found.differences:
        return ""
    loud = any(item.loud for item in found.differences)
    lines = [
        f"> - {'**' if item.loud else ''}{cell(item.aspect)}{'**' if item.loud else ''}: {cell(item.text)}"
        for item in found.differences
    ]
    first = "> ⚠️ **Not only the prompt: these runs are not alike**\n>\n" if loud else ""
    return first + "\n".join(lines)


def _kind(found: Comparison, kind: ChangeKind) -> str:
    changes = found.of_kind(kind)
    if not changes:
        return ""
    shown = [
        cell(f"{change.case_id} ({words.change_text(change)})" if words.worth_telling(change) else change.case_id)
        for change in changes[:SHOWN]
    ]
    more = f" … and {fig.count(len(changes) - SHOWN)} more" if len(changes) > SHOWN else ""
    return f"**{words.KINDS[kind]} ({len(changes):,})**: {', '.join(shown)}{more}"
