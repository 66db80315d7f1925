"""The variants of an A/B test at work: sessions, runs, and what they take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from sharpen.config.models import Case
from sharpen.executor.budget import BudgetMeter
from sharpen.executor.executor_service import ExecutorService
from sharpen.executor.models import RunExecutionResult
from sharpen.executor.session import ExecutionSession
from sharpen.experiments.models import VariantSummary
from sharpen.storage.experiments import AbRecord
from sharpen.storage.store import Store
from sharpen.wiring.ab_variants import Variant
from sharpen.wiring.steps import Steps

PURPOSE = "ab"


@dataclass(slots=True)
class Arm:
    """A variant at work: its steps, and what they took."""

    variant: Variant
    steps: Steps
    run_ids: list[str] = field(default_factory=list)
    calls: int = 0
    cost: float | None = 0.0
    passes: list[float] = field(default_factory=list)

    async def run(self, cases: Sequence[Case]) -> RunExecutionResult:
        """Ask these cases, and count what that took: for every repeat, for judges and in a batch that was cut off.

        What is remembered is free.
        """
        result = await self.steps.run(self.variant.plan.manifest.prompt, cases, PURPOSE)
        self.run_ids.append(result.run_id)
        paid = result.task_results
        self.calls += sum(one.attempts + one.judge.calls for one in paid)
        costs = [cost for one in paid for cost in (one.cost, one.judge.cost)]
        unknown = self.cost is None or None in costs
        self.cost = None if unknown else math.fsum([self.cost or 0.0, *(cost or 0.0 for cost in costs)])
        return result

    def summary(self, *, control: bool) -> VariantSummary:
        """As the report shows it."""
        return VariantSummary(
            name=self.variant.name,
            label=self.variant.label,
            control=control,
            samples=len(self.passes),
            mean=math.fsum(self.passes) / len(self.passes) if self.passes else None,
            calls=self.calls,
            cost=self.cost,
            run_ids=tuple(self.run_ids),
            prompt_hash=self.variant.plan.manifest.prompt.content_hash,
            version=self.variant.version,
        )


async def open_arms(
    record: AbRecord, variants: Sequence[Variant], service: ExecutorService, store: Store, stack: AsyncExitStack
) -> dict[str, Arm]:
    """A session for each target: variants of the same one share its limits. One budget holds for all of them."""
    budget = BudgetMeter(variants[0].plan.manifest.execution.budget)
    sessions: list[tuple[Any, ExecutionSession]] = []
    earlier = store.runs.list(limit=None, parent_run_id=record.id)
    arms = {}
    for number, one in enumerate(variants):
        manifest = one.plan.manifest
        session = next((opened for target, opened in sessions if target == manifest.target), None)
        if session is None:
            session = await stack.enter_async_context(service.session(manifest, budget, one.plan.cases))
            sessions.append((manifest.target, session))
        label = f"v{number}"  # names may hold what ids may not
        own = [store.runs.get(run.run_id) for run in earlier if run.run_id.startswith(f"{record.id}-{label}-")]
        arms[one.name] = Arm(one, Steps(record.id, session, store, own, label))
    return arms
