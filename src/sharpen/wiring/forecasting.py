"""What an optimization will take and can prove, for ``check`` and before ``optimize`` pays anything."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sharpen.config.estimate import Estimate, estimate
from sharpen.config.files import display
from sharpen.config.models import RunManifest
from sharpen.config.settings import sqlite_file, store_url
from sharpen.errors import PlanError, Problem, StoreError, TooFewCasesError
from sharpen.optimizer.forecast import SearchForecast, Shortage, forecast, shortages
from sharpen.optimizer.planning import plan_search
from sharpen.optimizer.ports import HoldoutLedger
from sharpen.optimizer.proof.memory_ledger import MemoryLedger
from sharpen.wiring.plans import LoadedPlan, price_of

if TYPE_CHECKING:
    from sharpen.storage.store import Store

PREVIEW = "a check"


@dataclass(frozen=True, slots=True)
class Outlook:
    """``forecast`` is None when ``optimize`` would refuse these cases; ``problems``: why it would refuse, or may."""

    forecast: SearchForecast | None
    problems: tuple[Problem, ...] = ()


def outlook(plan: LoadedPlan, found: Estimate, url: str | None = None) -> Outlook:
    """What ``check`` tells of an optimization; ``found``: the estimate of one run.

    What a store that is there remembers of the cases counts; one that is not is not made. Of a data set that is not
    kept in memory nothing is said: what to prove is not what its size leaves open.
    """
    if not isinstance(plan.cases, tuple):
        return Outlook(None)
    manifest, problems = plan.manifest, []
    with ExitStack() as opened:
        try:
            ledger, known = _remembered(manifest, url, opened)
        except StoreError as error:
            ledger, known = MemoryLedger(), False
            problems.append(Problem(f"what was proved on these cases before is not known: {error}"))
        try:
            planned = plan_search(manifest, plan.cases, ledger, PREVIEW)
        except TooFewCasesError as error:
            return Outlook(None, (*problems, Problem(f"optimize would refuse: {error}")))
        told = forecast(planned, found, manifest.optimize, baseline_known=known)
    return Outlook(told, (*problems, *_placed(shortages(told), manifest)))


def refuse_hopeless(plan: LoadedPlan, store: Store) -> SearchForecast:
    """What a new search will take. Raises ``TooFewCasesError``, ``PlanError`` for a budget that cannot do."""
    manifest, known = plan.manifest, baseline_known(plan.manifest, store)
    planned = plan_search(manifest, tuple(plan.cases), store.holdout, PREVIEW)
    told = forecast(planned, estimate(manifest, plan.cases, price_of), manifest.optimize, baseline_known=known)
    if short := shortages(told):
        raise PlanError(_placed(short, manifest))
    return told


def baseline_known(manifest: RunManifest, store: Store) -> bool:
    """The store may answer the baseline: this very prompt was run before, and answers are remembered."""
    if not manifest.execution.cache:
        return False
    return bool(store.runs.list(manifest.workflow_id, 1, prompt_hash=manifest.prompt.content_hash))


def _remembered(manifest: RunManifest, url: str | None, opened: ExitStack) -> tuple[HoldoutLedger, bool]:
    """What the store of the plan remembers of its cases, and whether it may answer the baseline.

    Nothing, unless it is a SQLite file that is there: only a file can be looked for without making it. Raises
    ``StoreError``.
    """
    found = store_url(manifest.base_dir, url)
    path = sqlite_file(found)
    if path is None or not path.is_file():
        return MemoryLedger(), False
    from sharpen.storage.glance import glance

    if seen := opened.enter_context(glance(path)):
        return seen, manifest.execution.cache and seen.ran(manifest.workflow_id, manifest.prompt.content_hash)
    from sharpen.storage.store import Store
    from sharpen.wiring.stores import tell_upgrade

    store = opened.enter_context(Store.open(found, on_upgrade=tell_upgrade))
    return store.holdout, baseline_known(manifest, store)


def _placed(short: tuple[Shortage, ...], manifest: RunManifest) -> list[Problem]:
    where = display(manifest.source) if manifest.source else ""
    return [Problem(one.why, where, f"optimize.budget.{one.key}") for one in short]
