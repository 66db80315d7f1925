"""What an A/B test says: after each batch in a sentence, in the end as a report and an exit code."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sharpen.executor.models import RunExecutionResult
from sharpen.experiments.models import ExperimentReport
from sharpen.experiments.offline import PairedExperiment
from sharpen.experiments.wording import overall
from sharpen.storage.experiments import AbRecord
from sharpen.wiring.ab_arms import Arm
from sharpen.wiring.ab_options import AbOptions
from sharpen.wiring.ab_variants import Variant


def report_of(
    record: AbRecord,
    variants: Sequence[Variant],
    options: AbOptions,
    test: PairedExperiment,
    arms: Mapping[str, Arm],
    stop: RunExecutionResult | None,
) -> ExperimentReport:
    """What the test says now. ``stop``: the run that ended it before its end, if one did."""
    comparisons, control = test.comparisons(), variants[0]
    available = len(test.plan.units)
    why = (stop.stop_reason or "it was stopped") if stop else f"all {available:,} cases are used"
    verdict, winner, headline, reason = overall(
        comparisons, control.name, over=True, stop=why, goes_on=stop is not None
    )
    costs = [arm.cost for arm in arms.values()]
    return ExperimentReport(
        id=record.id,
        kind="offline",
        workflow_id=record.workflow_id,
        metric=options.metric,
        verdict=verdict,
        winner=winner,
        headline=headline,
        reason=reason,
        control=control.name,
        variants=tuple(arms[one.name].summary(control=number == 0) for number, one in enumerate(variants)),
        comparisons=comparisons,
        metrics=test.metrics(),
        guardrails=test.guardrails(),
        alpha=options.alpha,
        power=options.power,
        effect=options.effect,
        samples=test.samples,
        available=available,
        stop_reason=why if verdict == "undecided" else None,
        calls=sum(arm.calls for arm in arms.values()),
        cost=None if None in costs else math.fsum(cost or 0.0 for cost in costs),
        started_at=record.started_at,
        finished_at=datetime.now(UTC),
    )


def look_text(test: PairedExperiment) -> str:
    """Where it stands after a look."""
    told = [
        f"{one.variant} {one.estimate * 100:+.1f} points [{one.low * 100:+.1f}, {one.high * 100:+.1f}]"
        + (f" {one.state}" if one.state != "open" else "")
        for one in test.comparisons()
    ]
    return f"{test.samples:,} of {len(test.plan.units):,}: {' · '.join(told)}"


def ab_exit_code(report: ExperimentReport, finished: bool) -> int:
    """0 it came to its end · 1 a guardrail or the split of units was broken · 3 it was stopped before its end."""
    if report.verdict in ("harm", "mismatch"):
        return 1
    return 0 if finished else 3
