"""A summary the size of a pull-request comment, in GitHub's Markdown. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from sharpen.config.models import Case
from sharpen.executor.models import RunExecutionResult
from sharpen.history.models import Flakiness
from sharpen.optimizer.error_patterns import ErrorPatterns
from sharpen.optimizer.models import Decision, OptimizationOutcome, TestExecutionReport
from sharpen.reporting import comparison, time_breakdown, time_tables, verdict
from sharpen.reporting import figures as fig
from sharpen.reporting.cases import CaseView, case_views
from sharpen.reporting.comparison_markdown import flakiness_markdown
from sharpen.reporting.digest import failing_cases
from sharpen.reporting.front_tables import FRONT_MEANS, cut_line, front_table
from sharpen.reporting.markdown_parts import cell, escape, head, joined, table
from sharpen.reporting.prompt_diff import diff_prompts
from sharpen.reporting.text import for_page, one_line

SHOWN = 10
PATTERNS_SHOWN = 5
_MARK = {"old": "-", "new": "+", "gap": "@ ", "same": " "}
DIFF_LINES = 120


def run_markdown(
    result: RunExecutionResult,
    report: TestExecutionReport | None,
    decision: Decision | None,
    cases: Collection[Case] = (),
    patterns: ErrorPatterns | None = None,
    flakiness: Flakiness | None = None,
) -> str:
    """Verdict, figures, what went wrong, the first failing cases and where the time went."""
    rows = [(name, value) for name, value in comparison.run_figures(result, report) if value != fig.NOTHING]
    failing, number = failing_cases(result, cases, SHOWN)
    return joined(
        head(result.workflow_id, verdict.of_run(result, report, decision)),
        table(("Measure", "Value"), rows, right=1),
        _patterns(patterns),
        _failing(failing, number),
        flakiness_markdown(flakiness),
        _time(time_breakdown.of_run(result)),
        f"Run `{_code(result.run_id)}`",
    )


def optimization_markdown(outcome: OptimizationOutcome, cases: Sequence[Case] = ()) -> str:
    """Verdict, baseline against candidate, the prompt's diff, and what broke."""
    proof, result = outcome.verification, outcome.result
    parts = [head(outcome.workflow_id, verdict.of_optimization(outcome))]
    if proof:
        rows = [
            (row.name, row.baseline, row.candidate, row.difference)
            for row in comparison.metric_rows(proof.baseline, proof.candidate)
        ]
        parts.append(table(("Measure", "Baseline", "Candidate", "Difference"), rows, right=3))
    if result:
        lines = [
            _MARK[line.kind] + "".join(part.text for part in line.segments)
            for message in diff_prompts(result.original_prompt, result.optimized_prompt)
            for line in message.lines
        ]
        if len(lines) > DIFF_LINES:
            lines = [*lines[:DIFF_LINES], f"@{len(lines) - DIFF_LINES:,} more lines"]
        parts.append(f"<details><summary>Prompt diff</summary>\n\n{_fenced(lines)}\n\n</details>")
    parts.append(_front(outcome))
    parts.append(_patterns(outcome.patterns))
    split_of = {case_id: name for name, ids in outcome.split.items() for case_id in ids}
    views = case_views(cases, outcome.baseline_run, outcome.holdout_run, split_of)
    broken = [row for row in views if row.change == "broken"]
    parts.append(_failing(broken[:SHOWN], len(broken), "Broken by the candidate"))
    spent = f"{outcome.calls:,} calls, {outcome.tokens:,} tokens, {fig.usd(outcome.cost)}"
    parts.append(f"Run `{_code(outcome.run_id)}` · {escape(spent)}")
    return joined(*parts)


def _front(outcome: OptimizationOutcome) -> str:
    """Who is on the Pareto front, where there is a choice, and who found no place in the race."""
    found, cut = front_table(outcome), cut_line(outcome.shares)
    if len(found.rows) <= 2:
        return cell(cut)
    columns = (found.columns[0] or "Prompt", *found.columns[1:])
    rows = [
        (f"{row[0]} (winner)" if place == found.winner else row[0], *row[1:]) for place, row in enumerate(found.rows)
    ]
    body = "\n\n".join(part for part in (table(columns, rows, right=len(columns) - 1), cell(cut)) if part)
    return f"<details><summary>Pareto front: {FRONT_MEANS}</summary>\n\n{body}\n\n</details>"


def _patterns(found: ErrorPatterns | None) -> str:
    """The largest groups of failures."""
    if found is None:
        return ""
    rows = [
        (group.name, f"{group.size:,}", fig.percent(group.share), group.suggestion)
        for group in found.groups[:PATTERNS_SHOWN]
    ]
    groups = table(("Group", "Failures", "Share", "What may help"), rows, right=0)
    return f"**What went wrong** ({cell(found.basis)})\n\n{groups}"


def _failing(rows: Sequence[CaseView], number: int, title: str = "Failing cases") -> str:
    """The first rows of so many."""
    if not rows:
        return ""
    lines = []
    for row in rows:
        attempt = next((item for item in row.current if item.failures), row.current[0])
        said = one_line(attempt.output.text, 60) if attempt.output else attempt.status.value
        why = "; ".join(f"{failure.name}: {failure.reason}" for failure in attempt.failures)
        lines.append((row.id, said, one_line(why, 120)))
    more = f"\n\n… and {number - len(rows):,} more" if number > len(rows) else ""
    return f"#### {title} ({number:,})\n\n{table(('Case', 'Output', 'Why'), lines)}{more}"


def _time(found: time_breakdown.TimeBreakdown) -> str:
    """Folded away: it answers a question that not every reader has."""
    tables = [
        table(columns, rows, right=len(columns) - 1)
        for columns, rows in (
            (time_tables.TIME_COLUMNS, time_tables.time_rows(found)),
            (time_tables.ERROR_COLUMNS, time_tables.error_rows(found)),
        )
        if rows
    ]
    if not tables:
        return ""
    body = "\n\n".join([cell(time_tables.summary(found)), *tables])
    return f"<details><summary>Where the time went</summary>\n\n{body}\n\n</details>"


def _code(text: str) -> str:
    return " ".join(for_page(text).replace("`", "'").split())


def _fenced(lines: Sequence[str]) -> str:
    """A fence longer than any run of backquotes inside."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}diff\n" + "\n".join(lines) + f"\n{fence}"
