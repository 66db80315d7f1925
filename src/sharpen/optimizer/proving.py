"""The proof as it happens: look after look at held-out cases, noted in the ledger before the first and settled after.

::

    verification = await prove(look_at, holdout, baseline=…, alpha=…, rules=…, account=…)

``look_at`` runs the candidate on the cases it is given, side by side, and gives one outcome for each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from sharpen.config.rules import Thresholds
from sharpen.optimizer.models import Verification
from sharpen.optimizer.ports import CaseOutcome, HoldoutGrant
from sharpen.optimizer.proof.holdout import HoldoutAccount, level_after
from sharpen.optimizer.proof.plan import DEFAULT_MARGIN, Claim
from sharpen.optimizer.proof.sequential import ProofPlan, SequentialProof

LookAt = Callable[[tuple[str, ...]], Awaitable[Sequence[CaseOutcome]]]
OnLook = Callable[[SequentialProof], None]
"""Told before each look, when ``next_units()`` says what is due, and once when the proof is over."""


async def prove(
    look_at: LookAt,
    holdout: Sequence[str],
    *,
    baseline: Mapping[str, CaseOutcome],
    alpha: float,
    rules: Thresholds,
    account: HoldoutAccount | None = None,
    groups: Mapping[str, str] | None = None,
    repeats: int = 1,
    seed: int = 0,
    claim: Claim = "better",
    margin: float = DEFAULT_MARGIN,
    hypothesis: str = "",
    on_look: OnLook | None = None,
) -> Verification:
    """Compare a candidate with the baseline on ``holdout`` until it is won, hopeless, at its end or cut off.

    ``account``: the ledger's page of this search; it grants the cases and the level, and the look is noted before the
    first case is asked for. None: all of ``holdout`` at one-sided alpha / 2, and nothing is remembered. ``hypothesis``
    names the candidate by its content: the same one is the same proof, another one is a look of its own.

    A proof in which a case did not run is "incomplete" and stays open in the ledger: the same search may go on with it,
    and all that was granted counts as looked at until it does. What ``look_at`` raises passes through, with the same
    effect.
    """
    grant = account.open(holdout, hypothesis) if account else HoldoutGrant(tuple(holdout), level_after(0, alpha))
    proof = SequentialProof(
        ProofPlan(
            cases=grant.case_ids,
            level=grant.level,
            alpha=alpha,
            rules=rules,
            groups=groups or {},
            baseline={case_id: baseline[case_id].pass_rate for case_id in grant.case_ids if case_id in baseline},
            repeats=repeats,
            seed=seed,
            claim=claim,
            margin=margin,
            earlier_looks=grant.looks,
        )
    )
    while case_ids := proof.next_units():
        if on_look:
            on_look(proof)
        outcomes = {outcome.case_id: outcome for outcome in await look_at(case_ids)}
        for case_id in case_ids:
            if proof.over:  # a case that did not run ended it: the rest of the look has nothing to say
                break
            missing = CaseOutcome(case_id, 0.0, 0.0, ran=False)
            proof.tell(baseline.get(case_id, missing), outcomes.get(case_id, missing))
    found = proof.verdict()
    if account and found.stopped != "incomplete":
        account.settle(proof.looked_at, found.accepted, hypothesis)
    if on_look:
        on_look(proof)
    return found
