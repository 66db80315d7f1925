"""A workflow's history in GitHub's Markdown. Pure."""

from __future__ import annotations

from sharpen.history.trends import Trend
from sharpen.reporting import trend_rows
from sharpen.reporting.markdown_parts import head, joined, table


def history_markdown(trend: Trend) -> str:
    """What changed, and one row for each stretch of runs with the same prompt."""
    changes = [trend_rows.change_text(change) for change in trend.changes]
    rows = [("better" if text.better else "worse", text.headline, text.where, text.causes) for text in changes]
    return joined(
        head(trend.workflow_id, trend_rows.verdict(trend)),
        table(("", "What", "Since", "Changed just before"), rows) if rows else "",
        table(trend_rows.COLUMNS, trend_rows.stretches(trend)) if trend.runs else "",
    )
