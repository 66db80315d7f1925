"""The ledger of held-out cases in memory: for callers in Python without a store, and for simulations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from sharpen.optimizer.ports import CaseMemory, HoldoutGrant, ProofKey


@dataclass(slots=True)
class _Proof:
    key: ProofKey
    looked: set[str] = field(default_factory=set)
    grant: HoldoutGrant | None = None
    accepted: bool = False


class MemoryLedger:
    """``HoldoutLedger`` that lives as long as the process."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], set[str]] = {}  # by workflow and search
        self._proofs: dict[str, _Proof] = {}

    def memory(self, workflow_id: str, *, search_id: str = "", proof_id: str = "") -> dict[str, CaseMemory]:
        """What was done with cases, by key, other than by that proof, or by that search and those after it."""
        order = list(self._seen)
        mine = (workflow_id, search_id)
        later = set(order[order.index(mine) :] if mine in self._seen else ()) | {mine}
        seen: set[str] = set()
        for search, keys in self._seen.items():
            if search[0] == workflow_id and search not in later:
                seen |= keys
        looks: Counter[str] = Counter()
        spent: set[str] = set()
        for name, proof in self._proofs.items():
            search = (proof.key.workflow_id, proof.key.search_id)
            if search[0] == workflow_id and search not in later and name != proof_id:
                looks.update(proof.looked)
                spent |= proof.looked if proof.accepted else set()
        return {key: CaseMemory(looks[key], key in spent, key in seen) for key in seen | looks.keys()}

    def draw(self, search_id: str, workflow_id: str, seen: Collection[str]) -> None:
        """Note the cases that a search trains and selects on."""
        self._seen.setdefault((workflow_id, search_id), set()).update(seen)

    def open(
        self, proof: ProofKey, keys: Collection[str], choose: Callable[[Mapping[str, CaseMemory]], HoldoutGrant]
    ) -> HoldoutGrant:
        """Note that a proof looks at what ``choose`` grants it of ``keys``."""
        entry = self._proofs.setdefault(proof.id, _Proof(proof))
        if entry.grant is None:
            entry.looked = set(keys)  # before anything is chosen: what fails here has looked at all of them
            entry.grant = choose(self.memory(proof.workflow_id, proof_id=proof.id))
            entry.looked = set(entry.grant.case_ids)
        return entry.grant

    def settle(self, proof: ProofKey, looked_at: Collection[str], accepted: bool) -> None:
        """Note which cases were really looked at, and whether they are spent."""
        entry = self._proofs[proof.id]
        entry.looked, entry.accepted = set(looked_at), accepted or entry.accepted

    def claimed_by(self, workflow_id: str, fingerprint: str) -> str | None:
        """The search with this fingerprint whose claim was accepted."""
        for proof in self._proofs.values():
            if (proof.key.workflow_id, proof.key.fingerprint) == (workflow_id, fingerprint) and proof.accepted:
                return proof.key.search_id
        return None
