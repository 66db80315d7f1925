"""Which held-out cases a proof may look at, and at which level: what earlier looks and claims leave. Pure.

Every look at a case tells a little of it, so that who may try again and again on the same cases will at last be lucky.
The k-th look at a case is therefore taken at one-sided alpha / 2ᵏ: whatever is searched, the probability of ever
claiming a change that is none on the same cases is at most alpha / 2 + alpha / 4 + … ≤ alpha (alpha spending over
looks, as in Foster & Stine 2008, "Alpha-investing", JRSS B 70, without earning any back). An accepted claim spends its
cases for good, and cases that a search has trained or selected on prove nothing about what comes out of it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from sharpen.config.models import Case
from sharpen.errors import TooFewCasesError
from sharpen.optimizer.ports import CaseMemory, HoldoutGrant, HoldoutLedger, ProofKey
from sharpen.optimizer.proof.power import smallest_effect, unanimous_units
from sharpen.optimizer.proof.units import case_key, groups_of, units_of
from sharpen.optimizer.splits import Split, due_message

FRESH = CaseMemory()
USUAL_DISCORDANCE = 0.2
"""A rewritten prompt changes the outcome of about one case in five."""
WORTH_A_STRICTER_LEVEL = 0.9


def level_after(looks: int, alpha: float) -> float:
    """The one-sided level of a proof on cases that were looked at ``looks`` times before."""
    return float(alpha / 2 ** (looks + 1))


def pick_holdout(
    holdout: Sequence[str], memory: Mapping[str, CaseMemory], alpha: float, groups: Mapping[str, str] | None = None
) -> HoldoutGrant:
    """The cases of ``holdout`` to prove on, in its order, and the level for them: empty when none can prove anything.

    ``memory``: by case id. A group has the looks of its most looked-at case, and is spent with any of its cases. Cases
    that were looked at more often join in only if that makes the smallest provable effect smaller by a tenth.
    """
    units = units_of(holdout, groups or {})
    known = {unit: [memory.get(case_id, FRESH) for case_id in unit] for unit in units}
    looks = {unit: max(one.looks for one in found) for unit, found in known.items() if not _barred(found)}
    choices: list[tuple[int, HoldoutGrant]] = []
    for most in sorted(set(looks.values())):
        level = level_after(most, alpha)
        count = sum(number <= most for number in looks.values())
        if count >= unanimous_units(level):
            chosen = {case_id for unit, number in looks.items() if number <= most for case_id in unit}
            granted = tuple(case_id for case_id in holdout if case_id in chosen)
            choices.append((count, HoldoutGrant(granted, level, most)))
    if len(choices) < 2:  # nothing to weigh up, as nearly always: the figures need a library that takes long to load
        return choices[0][1] if choices else HoldoutGrant((), level_after(0, alpha))
    best, best_effect = choices[0][1], math.inf
    for count, grant in choices:
        effect = smallest_effect(count, grant.level, USUAL_DISCORDANCE) or 1.0
        if effect < WORTH_A_STRICTER_LEVEL * best_effect:
            best, best_effect = grant, effect
    return best


def _barred(found: Sequence[CaseMemory]) -> bool:
    return any(one.spent or one.seen for one in found)


class HoldoutAccount:
    """One search's dealings with the ledger. ``groups``: the group of each case that has one, by case id.

    ``fingerprint``: what the search is, from its prompt to its settings. A search that was accepted once may be
    repeated as it was (to see its report again, mostly from remembered answers): its claim is the same claim. Anything
    else that it would claim now is held against all that was looked at.
    """

    def __init__(
        self,
        ledger: HoldoutLedger,
        search_id: str,
        workflow_id: str,
        alpha: float,
        cases: Iterable[Case],
        named: str | None = None,
        fingerprint: str = "",
    ) -> None:
        held = tuple(cases)
        self._ledger, self._workflow_id, self._alpha, self._fingerprint = ledger, workflow_id, alpha, fingerprint
        self._search_id = search_id
        self._take_over_claim()
        self._keys = {case.id: case_key(case.vars, case.expected) for case in held}
        self.groups = groups_of(held, named)

    def barred(self) -> frozenset[str]:
        """Cases that may not come into the holdout: seen by an earlier search, or spent on an accepted claim."""
        return frozenset(case_id for case_id, one in self._earlier().items() if one.spent or one.seen)

    def check(self, split: Split) -> HoldoutGrant:
        """What could be proved on now. Raises ``TooFewCasesError`` that says how many fresh cases are due."""
        memory = self._earlier()
        grant = pick_holdout(split.holdout, memory, self._alpha, self.groups)
        if grant.case_ids:
            return grant
        looks = max((memory.get(case_id, FRESH).looks for case_id in split.holdout), default=0)
        units, times = len(units_of(split.holdout, self.groups)), "once" if looks == 1 else f"{looks} times"
        raise TooFewCasesError(
            due_message(
                f"the {units} held-out cases of workflow {self._workflow_id!r} were looked at {times}, and prove "
                f"nothing at the alpha that leaves, {2 * level_after(looks, self._alpha):.2g}",
                0,
                level_after(0, self._alpha),
            )
        )

    def draw(self, split: Split) -> None:
        """Note which cases the search is going to train and select on, before it does."""
        seen = [self._keys[case_id] for case_id in split.train + split.dev]
        self._ledger.draw(self._search_id, self._workflow_id, seen)

    def open(self, holdout: Sequence[str], hypothesis: str = "") -> HoldoutGrant:
        """Note that a proof begins, before its first case is asked for; what it may look at, and at which level.

        A proof of the same ``hypothesis`` that goes on after a crash is given what it was given then, and so is one of
        a search that ran twice at the same time and was accepted in the other process first.
        """
        self._take_over_claim()
        grant = self._open(holdout, hypothesis)
        if not grant.case_ids and self._take_over_claim():  # accepted there after the line before last
            grant = self._open(holdout, hypothesis)
        return grant

    def _open(self, holdout: Sequence[str], hypothesis: str) -> HoldoutGrant:
        def choose(memory: Mapping[str, CaseMemory]) -> HoldoutGrant:
            by_id = {case_id: memory.get(self._keys[case_id], FRESH) for case_id in holdout}
            grant = pick_holdout(holdout, by_id, self._alpha, self.groups)
            return HoldoutGrant(tuple(self._keys[case_id] for case_id in grant.case_ids), grant.level, grant.looks)

        grant = self._ledger.open(self._proof(hypothesis), [self._keys[case_id] for case_id in holdout], choose)
        granted = set(grant.case_ids)
        chosen = tuple(case_id for case_id in holdout if self._keys[case_id] in granted)
        return HoldoutGrant(chosen, grant.level, grant.looks)

    def settle(self, looked_at: Collection[str], accepted: bool, hypothesis: str = "") -> None:
        """Note how a proof ended, and the cases that it really looked at; the others stay as fresh as they were."""
        self._ledger.settle(self._proof(hypothesis), [self._keys[case_id] for case_id in looked_at], accepted)

    def _take_over_claim(self) -> bool:
        """Be the search with the same fingerprint that was accepted, if there is one; True when that is another."""
        claimed = self._fingerprint and self._ledger.claimed_by(self._workflow_id, self._fingerprint)
        if not claimed or claimed == self._search_id:
            return False
        self._search_id = claimed
        return True

    def _proof(self, hypothesis: str) -> ProofKey:
        return ProofKey(self._search_id, self._workflow_id, hypothesis, self._fingerprint)

    def _earlier(self) -> dict[str, CaseMemory]:
        found = self._ledger.memory(self._workflow_id, search_id=self._search_id)
        return {case_id: found[key] for case_id, key in self._keys.items() if key in found}
