"""The rules of a plan, with the version that they are to be held against looked up in the store."""

from __future__ import annotations

import dataclasses

from sharpen.config.models import RunManifest
from sharpen.errors import UnknownNameError
from sharpen.optimizer.models import Decision
from sharpen.optimizer.reference import HistoricalRules, Reference
from sharpen.optimizer.scoring_rules import ScoringRules
from sharpen.storage.store import Store
from sharpen.wiring.stores import version_manager


def rules_of(manifest: RunManifest, store: Store | None) -> ScoringRules:
    """The plan's rules. What ``no_worse_than`` names is no reference before it was kept and measured."""
    rules, name = ScoringRules.of(manifest.rules), manifest.rules.no_worse_than
    if name is None:
        return rules
    reference = _reference(manifest.workflow_id, name, store) if store else None
    return HistoricalRules(**dataclasses.asdict(rules), no_worse_than=name, reference=reference)


def _reference(workflow_id: str, name: str, store: Store) -> Reference | None:
    try:
        version = version_manager(store).get(workflow_id, name)
    except UnknownNameError:
        return None
    return Reference.of(version.version, version.metrics)


def breaks_measured_rules(decision: Decision) -> bool:
    """Whether a rule on what was measured was broken, and not only one on the prompt's text."""
    return any(trigger.metric not in ("overall_score", "critical_issues") for trigger in decision.triggers)
