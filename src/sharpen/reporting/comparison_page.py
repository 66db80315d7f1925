"""A comparison of two runs as one self-contained page. Pure."""

from __future__ import annotations

from markupsafe import Markup

from sharpen.history.models import CaseChange, Comparison, Flakiness, MetricName
from sharpen.reporting import charts, flakiness_text
from sharpen.reporting import comparison_text as words
from sharpen.reporting.page import made_by, page

CASES_SHOWN = 500
"""So many cases of one kind are on the page."""
COINS_SHOWN = 200


def comparison_html(found: Comparison, *, title: str | None = None) -> str:
    """What else differs, the verdict, the metrics, the cases by name, and how steady they are."""
    success = next(metric for metric in found.metrics if metric.name is MetricName.SUCCESS)
    effect = None
    if success.change is not None and success.low is not None and success.high is not None:
        svg = charts.effect(success.change, success.low, success.high, words.level(found))
        effect = Markup(svg)  # noqa: S704 - charts escape for themselves
    kinds = [
        (kind.value, name, words.TONES[kind], len(changes), [_line(change) for change in changes[:CASES_SHOWN]])
        for kind, name in words.KINDS.items()
        if (changes := found.of_kind(kind))
    ]
    steady = [
        flakiness_page(flakiness, f"the {name} run")
        for name, flakiness in (("first", found.flakiness_first), ("second", found.flakiness_second))
        if flakiness is not None
    ]
    sections = [
        ("differences", "Differences", any(item.loud for item in found.differences)),
        ("metrics", "Metrics", True),
        ("prompt", "Prompt", found.prompt_diff),
        ("changes", "Cases", kinds),
        ("flakiness", "Flakiness", steady),
    ]
    return page(
        "comparison.html.j2",
        title=title or f"{found.second.workflow_id}: {found.first.run_id} and {found.second.run_id}",
        workflow=found.second.workflow_id,
        kind="two runs compared",
        verdict=words.headline(found),
        effect=effect,
        effect_title=f"Success: difference in points, {words.level(found)} interval",
        sides=[("First", words.side_text(found, 0)), ("Second", words.side_text(found, 1))],
        loud=any(item.loud for item in found.differences),
        differences=found.differences,
        quiet=[item for item in found.differences if not item.loud],
        level=words.level(found),
        metrics=words.metric_rows(found),
        small=[line for line in (words.tests_used(found), *words.untested(found)) if line],
        notes=found.notes,
        diff=found.prompt_diff,
        kinds=kinds,
        flakiness=steady,
        sections=[(anchor, name) for anchor, name, there in sections if there],
        footer=[("First", found.first.run_id), ("Second", found.second.run_id), *made_by()],
    )


def flakiness_page(found: Flakiness | None, of: str = "") -> dict[str, object] | None:
    """What the template needs of one run's flakiness; None when no case was asked more than once."""
    if found is None:
        return None
    coins = flakiness_text.coins(found)
    return {
        "of": of,
        "summary": flakiness_text.summary(found),
        "caveats": flakiness_text.caveats(found),
        "pass_rows": flakiness_text.pass_rows(found),
        "interval": f"{(1 - found.alpha) * 100:g}% interval",
        "coins": [flakiness_text.coin_row(item) for item in coins[:COINS_SHOWN]],
        "more": max(0, len(coins) - COINS_SHOWN),
    }


def _line(change: CaseChange) -> tuple[str, str]:
    return change.case_id, words.change_text(change)
