"""What a search is going to work on, decided before anything is paid: its split, and what may be proved on it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sharpen.config.models import Case, RunManifest
from sharpen.optimizer.ports import CaseOutcome, HoldoutGrant, HoldoutLedger
from sharpen.optimizer.proof.holdout import HoldoutAccount
from sharpen.optimizer.proof.power import unanimous_units
from sharpen.optimizer.proof.units import case_key, units_of
from sharpen.optimizer.splits import Split, due_message, split_cases


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """``grant``: the held-out cases that a proof could look at now, and its level."""

    account: HoldoutAccount
    split: Split
    grant: HoldoutGrant


def plan_search(manifest: RunManifest, cases: Sequence[Case], ledger: HoldoutLedger, search_id: str) -> SearchPlan:
    """Split the cases as the plan and the ledger say; nothing is noted.

    Raises ``TooFewCasesError``, also when earlier searches have used the cases up.
    """
    config = manifest.optimize
    mark = fingerprint(manifest, cases)
    account = HoldoutAccount(ledger, search_id, manifest.workflow_id, config.alpha, cases, config.group, mark)
    labelled = [(case.id, case.expected) for case in cases]
    split = split_cases(labelled, config.split, config.alpha, account.groups, account.barred())
    return SearchPlan(account, split, account.check(split))


def nothing_to_win(planned: SearchPlan, baseline: Mapping[str, CaseOutcome]) -> str | None:
    """Why no prompt, however good, could be proved better; None when one could.

    ``baseline``: by case id. Only units that it does not pass already can change for the better, and the least that
    prove anything have to (``unanimous_units``).
    """
    units = units_of(planned.grant.case_ids, planned.account.groups)
    left = sum(any(baseline[case_id].pass_rate < 1 for case_id in unit if case_id in baseline) for unit in units)
    least = unanimous_units(planned.grant.level)
    if left >= least:
        return None
    why = (
        f"{left} of the {len(units)} held-out cases are not passed already, and {least} have to change to prove a gain"
    )
    return due_message(why, left, planned.grant.level)


def fingerprint(manifest: RunManifest, cases: Sequence[Case]) -> str:
    """What a search is, hashed: it is repeated when all of this is the same."""
    parts = manifest.model_dump_json(include={"prompt", "target", "assertions", "rules", "optimize"})
    digest = hashlib.sha256(parts.encode())
    for case in cases:
        digest.update(f"\n{case.id} {case_key(case.vars, case.expected)}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
