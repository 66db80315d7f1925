"""The sequential proof: which cases are looked at next, and what is known so far. Pure: who runs cases is elsewhere.

::

    proof = SequentialProof(plan)
    while case_ids := proof.next_units():
        for each of them: proof.tell(baseline outcome, candidate outcome)
    proof.verdict()                                 # at any moment: whoever stops early gets an honest answer
"""

from __future__ import annotations

from sharpen.optimizer.models import ProofLook, Verification
from sharpen.optimizer.ports import CaseOutcome
from sharpen.optimizer.proof.claims import BetterClaim, ClaimTest, NonInferiorClaim
from sharpen.optimizer.proof.evidence import Evidence
from sharpen.optimizer.proof.plan import ProofPlan
from sharpen.optimizer.proof.units import looks_of, units_of
from sharpen.optimizer.proof.verdicts import Stop, verification_of

__all__ = ["ProofPlan", "SequentialProof"]


class SequentialProof:
    """One proof. The order of cases, and when one looks, are fixed by the plan; outcomes may come in any order."""

    def __init__(self, plan: ProofPlan) -> None:
        self.plan = plan
        self._units = units_of(plan.cases, plan.groups, plan.seed)
        self._cuts = looks_of(len(self._units), plan.level)
        self._test: ClaimTest = (BetterClaim if plan.claim == "better" else NonInferiorClaim)(plan, self._units)
        self._evidence = Evidence(plan.keep)
        self._told: dict[str, tuple[CaseOutcome, CaseOutcome]] = {}
        self._due: tuple[tuple[str, ...], ...] = ()
        self._pending: dict[str, None] = {}  # of the look that is due, in order
        self._missing: set[str] = set()
        self._looks: list[ProofLook] = []
        self._stopped: Stop | None = None
        if self._test.possible(self._units):
            self._begin_look()
        else:
            self._stopped = "futility"

    def next_units(self) -> tuple[str, ...]:
        """Case ids of the next look, whole groups, in an order of their own; empty when the proof is over."""
        return () if self.over else tuple(self._pending)

    def tell(self, baseline: CaseOutcome, candidate: CaseOutcome) -> None:
        """How one case ended under both prompts. Raises ``ValueError`` for a case that is not asked for."""
        case_id = candidate.case_id
        if baseline.case_id != case_id or self.over or case_id not in self._pending:
            raise ValueError(f"case {case_id!r} (baseline {baseline.case_id!r}) is not one of the look that is due")
        if not (baseline.ran and candidate.ran):
            self._missing.add(case_id)
            return
        del self._pending[case_id]
        self._told[case_id] = (baseline, candidate)
        if not self._pending:
            self._look()

    @property
    def looked_at(self) -> tuple[str, ...]:
        """The cases whose outcomes are known, in the order of the proof."""
        return tuple(case_id for unit in self._units for case_id in unit if case_id in self._told)

    @property
    def planned_looks(self) -> tuple[int, ...]:
        """Cases seen at each look, if none is the last before its time."""
        return tuple(sum(map(len, self._units[:cut])) for cut in self._cuts)

    @property
    def cases_after_look(self) -> int:
        """How many cases will have been looked at after the look that is due."""
        return self._evidence.cases + sum(map(len, self._due)) if not self.over else self._evidence.cases

    @property
    def over(self) -> bool:
        """Nothing is asked any more: it was won, given up, came to its end, or a case did not run."""
        return self._stopped is not None or bool(self._missing)

    def verdict(self) -> Verification:
        """What is proved at this moment. Before the end, unless it was won, that is nothing: "incomplete"."""
        return verification_of(
            self.plan,
            self._evidence,
            self._test,
            tuple(self._looks),
            self._stopped or "incomplete",
            len(self._missing),
        )

    def _begin_look(self) -> None:
        self._due = self._units[len(self._evidence.units) : self._cuts[len(self._looks)]]
        self._pending = dict.fromkeys(case_id for unit in self._due for case_id in unit)

    def _look(self) -> None:
        for unit in self._due:
            self._evidence.add([self._told[case_id] for case_id in unit])
        seen = self._evidence
        found = self._test.look(seen.units[-len(self._due) :], seen.cases / len(self.plan.cases))
        self._looks.append(
            ProofLook(
                cases=seen.cases,
                units=len(seen.units),
                fixed=seen.fixed,
                broken=seen.broken,
                gain=seen.effect * seen.cases,
                needed=found.needed,
                p_value=min(1.0, 2 * found.p_value),
                threshold=min(1.0, 2 * found.threshold),
            )
        )
        left = self._units[len(seen.units) :]
        if found.won:
            self._stopped = "win"
        elif not left:
            self._stopped = "end"
        elif self._test.hopeless(seen.units, left):
            self._stopped = "futility"
        else:
            self._begin_look()
