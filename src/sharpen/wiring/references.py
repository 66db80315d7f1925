"""The rules of a plan, with the version that they are to be held against looked up in the store."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from sharpen.config.models import RunManifest
from sharpen.errors import UnknownNameError
from sharpen.executor.models import RunStatus
from sharpen.optimizer.models import Decision
from sharpen.optimizer.reference import HistoricalRules, Reference, cases_of
from sharpen.optimizer.scoring_rules import ScoringRules
from sharpen.storage.store import Store
from sharpen.versions.models import PromptVersion
from sharpen.wiring.stores import version_manager


def rules_of(manifest: RunManifest, store: Store | None) -> ScoringRules:
    """The plan's rules. What ``no_worse_than`` names is no reference before it was kept and measured."""
    rules, name = ScoringRules.of(manifest.rules), manifest.rules.no_worse_than
    if name is None:
        return rules
    reference = _reference(manifest.workflow_id, name, store) if store else None
    repeats = manifest.execution.repeats
    return HistoricalRules(**dataclasses.asdict(rules), no_worse_than=name, reference=reference, repeats=repeats)


def _reference(workflow_id: str, name: str, store: Store) -> Reference | None:
    """What a version's proof measured; of one that was made by hand, what a run of its prompt did."""
    manager = version_manager(store)
    try:
        version = manager.get(workflow_id, name)
    except UnknownNameError:
        return None
    moves = [move.moved_at for move in manager.alias_history(workflow_id, name)]
    accepted_at = moves[-1] if moves else version.created_at
    return Reference.of(version.version, version.metrics) or _of_a_run(version, accepted_at, store)


def _of_a_run(version: PromptVersion, accepted_at: datetime, store: Store) -> Reference | None:
    """The newest complete run of the version's prompt before it was accepted, else the first one since.

    Not the newest one of all: a reference that is measured anew with every run would follow a slow decline down.
    """
    runs = [
        run
        for run in store.history.of(version.workflow_id)
        if run.prompt_hash == version.content_hash and run.status is RunStatus.COMPLETED and run.completed_tasks
    ]
    run = next((run for run in reversed(runs) if run.started_at <= accepted_at), next(iter(runs), None))
    if run is None:
        return None
    repeats = int((store.runs.get(run.run_id).manifest.get("execution") or {}).get("repeats") or 1)
    passed, cases = cases_of(run.succeeded_tasks, run.completed_tasks, repeats)
    return Reference(version=version.version, passed=passed, cases=cases, run_id=run.run_id)


def breaks_measured_rules(decision: Decision) -> bool:
    """Whether a rule on what was measured was broken, and not only one on the prompt's text."""
    return any(trigger.metric not in ("overall_score", "critical_issues") for trigger in decision.triggers)
