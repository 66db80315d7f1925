"""An experiment as one self-contained page. Pure."""

from __future__ import annotations

from markupsafe import Markup

from sharpen.experiments.models import Comparison, ExperimentReport
from sharpen.reporting import experiment_text as words
from sharpen.reporting.experiment_chart import confidence_sequence
from sharpen.reporting.page import made_by, moment, page

LOOKS_SHOWN = 120


def experiment_html(report: ExperimentReport, *, title: str | None = None) -> str:
    """Verdict, variants, one table and one picture for each variant, guardrails."""
    share = any(row.decides and row.unit == "share" for row in report.metrics)
    sections = [("variants", "Variants"), ("metrics", "Metrics")]
    if report.guardrails:
        sections.append(("guardrails", "Guardrails"))
    name = "A/B test" if report.kind == "offline" else "Experiment"
    footer = [(name, report.id), ("Began", moment(report.started_at))]
    if report.finished_at is not None:
        footer.append(("Ended", moment(report.finished_at)))
    return page(
        "experiment.html.j2",
        title=title or f"{report.workflow_id or report.id}: {report.headline}",
        workflow=report.workflow_id or report.id,
        kind="A/B test" if report.kind == "offline" else "online experiment",
        verdict=words.head(report),
        variants=report.variants,
        report=report,
        share=share,
        metric=words.NAMES.get(report.metric, report.metric),
        control=report.control,
        tables=[(one, words.metric_rows(report, one.variant), _picture(one, share)) for one in report.comparisons],
        asymptotic=words.ASYMPTOTIC if words.has_asymptotic(report) else "",
        guardrails=report.guardrails,
        sections=sections,
        footer=[*footer, *made_by()],
    )


def _picture(one: Comparison, share: bool) -> Markup:
    step = max(1, len(one.looks) // LOOKS_SHOWN)
    looks = [*one.looks[:-1][::step], *one.looks[-1:]]
    svg = confidence_sequence(
        f"{one.variant}: difference by number of samples",
        [(look.samples, look.estimate, look.low, look.high) for look in looks],
        lambda value: f"{value * 100:+.3g}" if share else f"{value:+.3g}",
    )
    return Markup(svg)  # noqa: S704 - charts escape for themselves
