"""The page of a workflow's history: what changed, a chart of each series, every prompt and every run."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from sharpen.history.trends import ChangePoint, Series, Trend
from sharpen.reporting import charts, trend_rows
from sharpen.reporting.page import made_by, moment, page

RUNS_SHOWN = 200


def history_html(trend: Trend) -> str:
    """The page. Of a long history all runs are in the charts, and the newest ``RUNS_SHOWN`` in the table."""
    newest = list(reversed(trend.runs))[:RUNS_SHOWN]
    left = len(trend.runs) - len(newest)
    return page(
        "history.html.j2",
        title=f"{trend.workflow_id}: history",
        workflow=trend.workflow_id,
        kind="history",
        sections=[("changes", "Changes"), ("charts", "Measurements"), ("prompts", "Prompts"), ("runs", "Runs")],
        verdict=trend_rows.verdict(trend),
        changes=[trend_rows.change_text(change) for change in trend.changes],
        charts=[_chart(trend, series) for series in Series if _drawn(trend, series)],
        columns=trend_rows.COLUMNS,
        numbers=trend_rows.NUMBERS,
        prompts=trend_rows.stretches(trend),
        run_columns=("run", "started", *trend_rows.COLUMNS[:1], *trend_rows.COLUMNS[3:]),
        runs=trend_rows.run_rows(newest),
        omitted=f"the {left:,} oldest runs are in the charts alone; --json has all" if left else "",
        footer=[*([("Newest run", moment(trend.runs[-1].started_at))] if trend.runs else []), *made_by()],
    )


def _drawn(trend: Trend, series: Series) -> bool:
    return any(trend.totals(series)) or (series is Series.SUCCESS and bool(trend.runs))


def _chart(trend: Trend, series: Series) -> tuple[str, str, Markup]:
    """Title, note and SVG."""
    changes = [change for change in trend.changes if change.series is series]
    places = {run.run_id: place for place, run in enumerate(trend.runs)}
    drawn = charts.trend(
        trend_rows.NAMES[series],
        [run.value(series) for run in trend.runs],
        [(places[change.run_id], change.better) for change in changes],
        _levels(changes, places, len(trend.runs)),
        text=lambda value: trend_rows.shown(series, value),
        top=1.0 if series is Series.SUCCESS else None,
    )
    known = trend.totals(series)
    note = f"now {trend_rows.shown(series, known[-1])}" if known else ""
    return trend_rows.NAMES[series], note, Markup(drawn)  # noqa: S704 - charts escape for themselves


def _levels(changes: Sequence[ChangePoint], places: dict[str, int], runs: int) -> list[tuple[int, int, float]]:
    """The mean between two changes, as (first place, end, mean); none without a change."""
    starts = [0, *(places[change.run_id] for change in changes), runs]
    means = [*(change.before for change in changes[:1]), *(change.after for change in changes)]
    return [(start, end, mean) for start, end, mean in zip(starts, starts[1:], means, strict=False)]
