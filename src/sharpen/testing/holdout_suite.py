"""What every ledger of held-out cases must do: inherit ``HoldoutLedgerSuite`` and give it a fixture ``ledger``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from sharpen.optimizer.ports import CaseMemory, HoldoutGrant, HoldoutLedger, ProofKey

Choose = Callable[[Mapping[str, CaseMemory]], HoldoutGrant]


def grant(*keys: str, level: float = 0.025, looks: int = 0) -> Choose:
    """A choice that grants these keys, whatever is remembered."""
    return lambda _memory: HoldoutGrant(keys, level, looks)


class HoldoutLedgerSuite:
    """A ledger that is empty at the start of each test."""

    @pytest.fixture
    def ledger(self) -> HoldoutLedger:
        """Override: a fresh, empty ledger."""
        # not implemented on purpose: whoever inherits the suite overrides it
        raise NotImplementedError("override 'ledger': return a fresh, empty ledger")

    def test_cases_nobody_used_are_fresh(self, ledger: HoldoutLedger) -> None:
        assert ledger.memory("w") == {}

    def test_what_was_trained_and_selected_on_is_seen(self, ledger: HoldoutLedger) -> None:
        ledger.draw("s1", "w", ["a", "b"])
        ledger.draw("s1", "w", ["a", "b"])
        assert ledger.memory("w") == {"a": CaseMemory(seen=True), "b": CaseMemory(seen=True)}
        assert ledger.memory("w", search_id="s1") == {}
        assert ledger.memory("another workflow") == {}

    def test_a_search_that_goes_on_knows_what_it_knew_when_it_began(self, ledger: HoldoutLedger) -> None:
        ledger.draw("s1", "w", ["a"])
        ledger.draw("s2", "w", ["b"])
        ledger.draw("s3", "w", ["c"])
        ledger.open(ProofKey("s3", "w", "h"), ["d"], grant("d"))
        assert ledger.memory("w", search_id="s2") == {"a": CaseMemory(seen=True)}
        assert ledger.memory("w", search_id="not begun").keys() == {"a", "b", "c", "d"}
        assert ledger.memory("w", proof_id=ProofKey("s2", "w", "h").id)["d"].looks == 1

    def test_an_open_proof_has_looked_at_all_that_it_was_granted(self, ledger: HoldoutLedger) -> None:
        proof = ProofKey("s1", "w", "h")
        assert ledger.open(proof, ["a", "b", "c"], grant("a", "b")).level == 0.025
        assert ledger.memory("w") == {"a": CaseMemory(1), "b": CaseMemory(1)}
        assert ledger.memory("w", search_id="s1") == ledger.memory("w", proof_id=proof.id) == {}

    def test_a_proof_that_is_opened_again_gets_what_it_got(self, ledger: HoldoutLedger) -> None:
        proof = ProofKey("s1", "w", "h")
        ledger.open(proof, ["a", "b", "c"], grant("a", "b", level=0.0125, looks=1))
        again = ledger.open(proof, ["a", "b", "c"], grant("c"))
        assert (set(again.case_ids), again.level, again.looks) == ({"a", "b"}, 0.0125, 1)
        assert ledger.memory("w")["a"].looks == 1

    def test_only_cases_that_were_looked_at_count_in_the_end(self, ledger: HoldoutLedger) -> None:
        proof = ProofKey("s1", "w", "h")
        ledger.open(proof, ["a", "b", "c"], grant("a", "b", "c"))
        for _ in range(2):
            ledger.settle(proof, ["a"], accepted=False)
            assert ledger.memory("w") == {"a": CaseMemory(1)}
        again = ledger.open(proof, ["a", "b", "c"], grant())  # after a crash behind the settling
        assert set(again.case_ids) == {"a", "b", "c"}

    def test_an_accepted_claim_spends_its_cases_for_good(self, ledger: HoldoutLedger) -> None:
        proof = ProofKey("s1", "w", "h", "f")
        ledger.open(proof, ["a", "b"], grant("a", "b"))
        assert ledger.claimed_by("w", "f") is None
        ledger.settle(proof, ["a"], accepted=True)
        ledger.settle(proof, ["a"], accepted=False)
        assert ledger.memory("w") == {"a": CaseMemory(1, spent=True)}
        assert ledger.claimed_by("w", "f") == "s1"
        assert ledger.claimed_by("another workflow", "f") is None
        assert ledger.claimed_by("w", "another search") is None

    def test_every_search_is_a_look_of_its_own(self, ledger: HoldoutLedger) -> None:
        for number in range(3):
            remembered: list[Mapping[str, CaseMemory]] = []

            def choose(
                memory: Mapping[str, CaseMemory], told: list[Mapping[str, CaseMemory]] = remembered
            ) -> HoldoutGrant:
                told.append(memory)
                return HoldoutGrant(("a",), 0.025)

            ledger.open(ProofKey(f"s{number}", "w", "h"), ["a"], choose)
            assert remembered[0].get("a", CaseMemory()).looks == number

    def test_another_candidate_of_the_same_search_is_another_look(self, ledger: HoldoutLedger) -> None:
        ledger.open(ProofKey("s1", "w", "one"), ["a"], grant("a"))
        ledger.open(ProofKey("s1", "w", "other"), ["a"], grant("a"))
        assert ledger.memory("w") == {"a": CaseMemory(2)}

    def test_a_choice_that_fails_leaves_no_free_look(self, ledger: HoldoutLedger) -> None:
        def dies(_memory: Mapping[str, CaseMemory]) -> HoldoutGrant:
            raise KeyboardInterrupt

        proof = ProofKey("s1", "w", "h")
        with pytest.raises(KeyboardInterrupt):
            ledger.open(proof, ["a", "b"], dies)
        assert ledger.memory("w") == {"a": CaseMemory(1), "b": CaseMemory(1)}
        ledger.open(proof, ["a", "b"], grant("b"))
        assert ledger.memory("w") == {"b": CaseMemory(1)}

    def test_any_text_is_a_name(self, ledger: HoldoutLedger) -> None:
        proof = ProofKey("s\ud800", "w\x00", "h\x01json:", "f\x00")
        ledger.open(proof, ["k\x00"], grant("k\x00"))
        ledger.settle(proof, ["k\x00"], accepted=True)
        assert ledger.memory("w\x00") == {"k\x00": CaseMemory(1, spent=True)}
        assert ledger.claimed_by("w\x00", "f\x00") == "s\ud800"
