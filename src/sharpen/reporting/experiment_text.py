"""An experiment in words and figures, for the terminal, pages and files alike. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sharpen.experiments.models import ExperimentReport, GuardrailCheck, MetricRow, VariantSummary
from sharpen.experiments.planning import SamplePlan
from sharpen.reporting import figures as fig

TONES = {
    "win": "good",
    "loss": "bad",
    "harm": "bad",
    "mismatch": "bad",
    "futility": "neutral",
    "undecided": "warn",
    "running": "neutral",
}
LABELS = {
    "win": "Winner",
    "loss": "No winner",
    "harm": "Harm",
    "mismatch": "No verdict",
    "futility": "No winner",
    "undecided": "Undecided",
    "running": "Under way",
}
NAMES = {"pass_rate": "pass rate", "score": "score", "latency": "latency", "tokens": "tokens", "cost": "cost"}
ASYMPTOTIC = "≈ holds for many samples, the others for any number of them"


@dataclass(frozen=True, slots=True)
class Head:
    """What is said first."""

    tone: str
    label: str
    headline: str
    detail: str
    notes: tuple[str, ...] = ()


def head(report: ExperimentReport) -> Head:
    """The verdict and what it rests on."""
    return Head(
        tone=TONES[report.verdict],
        label=LABELS[report.verdict],
        headline=report.headline,
        detail=f"{report.reason[:1].upper()}{report.reason[1:]}.",
        notes=tuple(notes(report)),
    )


def notes(report: ExperimentReport) -> list[str]:
    """What else must be known."""
    found = [looked(report)]
    if report.promotion is not None:
        found.append(promoted(report))
    if report.split is not None:
        found.append(split_text(report))
    if report.refused:
        told = ", ".join(f"{number:,} {reason}" for reason, number in report.refused.items())
        found.append(f"outcomes that do not count: {told}")
    return found


def looked(report: ExperimentReport) -> str:
    """How much was seen, and what the level means."""
    of = f" of {report.available:,}" if report.available else ""
    noun = report.sample_name if report.samples == 1 and not of else f"{report.sample_name}s"
    seen = f"{report.samples:,}{of} {noun}"
    cost = "cost unknown" if report.cost is None else fig.usd(report.cost)
    calls = f", {fig.plural(report.calls, 'call')}, {cost}" if report.kind == "offline" else ""
    return (
        f"{seen}{calls}; one looks as often as one likes: a false winner or loser at most in {report.alpha:.0%} "
        "of experiments"
    )


def promoted(report: ExperimentReport) -> str:
    """What became of the alias."""
    moved = report.promotion
    assert moved is not None  # asked only then
    if moved.version is None:
        return f"{moved.alias} {moved.reason}"
    before = f", before that at {moved.previous}" if moved.previous and moved.previous != moved.version else ""
    return f"{moved.alias} points at {moved.version}{before}"


def split_text(report: ExperimentReport) -> str:
    """Whether units are split as they were assigned."""
    split = report.split
    assert split is not None  # asked only then
    total = sum(split.counts.values())
    shares = ", ".join(
        f"{name} {number / total if total else 0:.1%} (assigned {split.expected[name]:.1%})"
        for name, number in split.counts.items()
    )
    state = "MISMATCH" if split.mismatch else "as assigned"
    return f"units are split {state}: {shares}; evidence against {split.e_value:.2g}, alarm at {1 / split.level:g}"


def amount(value: float, row: MetricRow) -> str:
    """A figure of a metric."""
    match row.unit:
        case "share":
            return fig.percent(value)
        case "ms":
            return fig.milliseconds(value)
        case "USD":
            return fig.usd(value)
        case _:
            return f"{value:,.4g}"


def change(value: float, row: MetricRow) -> str:
    """A difference of a metric, with its sign."""
    match row.unit:
        case "share":
            return fig.signed(value * 100)
        case "USD":
            sign = "+" if value > 0 else "−" if value < 0 else ""
            return f"{sign}{fig.usd(abs(value))}"
        case "ms":
            return fig.signed(value, 0 if abs(value) >= 10 else 1)
        case _:
            return fig.signed(value, 1 if abs(value) >= 1 else 3)


def interval(row: MetricRow) -> str:
    """The always-valid interval of a difference; ≈ where it holds for many samples only."""
    if row.low is None or row.high is None:
        return fig.NOTHING
    sign = "" if row.method == "exact" else "≈ "
    return f"{sign}{change(row.low, row)} to {change(row.high, row)}"


def has_asymptotic(report: ExperimentReport) -> bool:
    """Whether a ≈ is shown, which ``ASYMPTOTIC`` explains."""
    return any(row.method == "asymptotic" and row.low is not None for row in report.metrics)


def metric_name(row: MetricRow) -> str:
    """With its unit."""
    unit = {"share": " (points)", "ms": " (ms)"}.get(row.unit, "")
    return f"{NAMES.get(row.metric, row.metric)}{unit}"


def metric_rows(report: ExperimentReport, variant: str) -> list[tuple[str, str, str, str, str]]:
    """The table of one variant."""
    return [
        (
            metric_name(row),
            amount(row.control_mean, row),
            amount(row.variant_mean, row),
            change(row.difference, row),
            interval(row),
        )
        for row in report.metrics
        if row.variant == variant and not (row.metric == "cost" and row.control_mean == row.variant_mean == 0)
    ]


def guardrail_line(check: GuardrailCheck) -> str:
    """One guardrail of one variant."""
    state = check.state if check.state == "holds" else check.state.upper()
    return f"{check.guardrail} of {check.variant}: {state}, {check.reason}"


def variant_line(one: VariantSummary) -> str:
    """What a variant stands for."""
    label = "" if one.label == one.name else f" = {one.label}"
    return f"{one.name}{label}{' (control)' if one.control else ''}"


PLAN_COLUMNS = ("cases that differ", "to prove it", "if it is better", "if it is not", "one look", "here")


def plan_rows(plans: tuple[SamplePlan, ...]) -> list[tuple[str, ...]]:
    """What an effect takes, for each share of cases that may differ."""
    return [
        (
            f"{plan.changed:.0%}",
            "too many" if plan.samples is None else f"{plan.samples:,}",
            f"{plan.if_better:,}",
            f"{plan.if_equal:,}",
            f"{plan.fixed:,}",
            fig.NOTHING if plan.power_with is None else f"{plan.power_with:.0%}",
        )
        for plan in plans
    ]


def plan_note(plans: tuple[SamplePlan, ...], available: int) -> str:
    """What the columns mean."""
    first = plans[0]
    return (
        f"Cases (or groups) for an effect of {first.effect * 100:g} points, alpha {first.alpha:g}. To prove it: with "
        f"probability {first.power:.0%}. If it is better, or not: when it is over, on average. One look: a test of "
        f"fixed size. Here: the chance to prove it with the {available:,} of the data set."
    )
