"""What the searches of a store recommend, for ``optimize`` and ``recommend``.

Everything that runs a plan imports this module; what computes is imported where it is called, with numpy behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sharpen.config.models import RunManifest
from sharpen.optimizer.error_patterns import ErrorPatterns, strategies_for
from sharpen.optimizer.models import PromptAnalysis
from sharpen.optimizer.recommending.evidence import SearchEvidence, evidence_of
from sharpen.optimizer.recommending.models import Features, Recommendation
from sharpen.optimizer.strategies.registry import AUTO, expand
from sharpen.storage.store import Store
from sharpen.wiring.plans import load_plan
from sharpen.wiring.queries import decide_plan

NEWEST = 200
"""So many optimizations are looked at: what models and prompts were long ago says little, and it takes a moment."""

NOTE = 0
"""Under this number, which no call of a rewriter bears, a search notes what it was recommended."""


@dataclass(frozen=True, slots=True)
class Recommender:
    """``pipeline.Recommend`` from a store. What a search was told once it is told again when it goes on."""

    store: Store
    manifest: RunManifest
    run_id: str

    def __call__(
        self, rules: Sequence[str], analysis: PromptAnalysis, patterns: ErrorPatterns | None
    ) -> Recommendation:
        noted = self.store.searches.calls(self.run_id).get(NOTE)
        if noted is not None:
            return Recommendation.model_validate(noted[1])
        found = self._ask(rules, features(self.manifest, analysis, patterns, measured=True))
        self.store.searches.save_call(self.run_id, NOTE, "recommendation", found.model_dump(mode="json"))
        return found

    def _ask(self, rules: Sequence[str], known: Features) -> Recommendation:
        from sharpen.optimizer.recommending.recommender import by_the_rules, recommend

        unused = _unused(self.manifest)
        return by_the_rules(known, rules, unused) if unused else recommend(known, rules, history(self.store))


@dataclass(frozen=True, slots=True)
class Advice:
    """What ``recommend`` tells of a plan. ``run_id``: the run whose failures count (None: there is none yet).

    ``unused``: why a search on this plan would not ask (empty: it would).
    """

    workflow_id: str
    recommendation: Recommendation
    run_id: str | None = None
    unused: str = ""


def history(store: Store) -> tuple[SearchEvidence, ...]:
    """What the newest optimizations of a store say about strategies."""
    found = (evidence_of(document) for document in store.optimizations.documents(NEWEST))
    return tuple(evidence for evidence in found if evidence is not None)


def features(
    manifest: RunManifest, analysis: PromptAnalysis, patterns: ErrorPatterns | None, *, measured: bool
) -> Features:
    """The features of a plan's search. A model file is known by its name, wherever it lies."""
    from sharpen.optimizer.recommending.features import features_of

    model = getattr(manifest.target, "model", None)
    name = Path(model).name if manifest.target.kind == "local" and model else str(model or "")
    return features_of(analysis, patterns, measured=measured, model=name, target=manifest.target.kind)


def advise(path: Path, store: Store, overrides: Sequence[str] | None = None) -> Advice:
    """What a search on this plan would be recommended now; nothing is called.

    What fails is taken from the workflow's newest run with this prompt; without one the prompt's text alone counts.
    """
    from sharpen.optimizer.recommending.recommender import recommend

    plan = load_plan(path, overrides)
    manifest = plan.manifest
    decided = decide_plan(plan, store)
    rules = expand(
        (AUTO,),
        decided.decision.strategy,
        manifest.optimize.rewriter is not None,
        strategies_for(decided.patterns),
    )
    known = features(manifest, decided.analysis, decided.patterns, measured=decided.report is not None)
    found = recommend(known, rules, history(store))
    return Advice(manifest.workflow_id, found, decided.run_id, _unused(manifest))


def _unused(manifest: RunManifest) -> str:
    if AUTO not in manifest.optimize.strategies:
        return f"the plan names its strategies: {', '.join(manifest.optimize.strategies)}; only auto is ordered"
    return "" if manifest.optimize.learn else "the plan says optimize.learn: false; its order is that of the rules"
