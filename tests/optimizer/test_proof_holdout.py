"""The account of held-out cases: what may be looked at, at which level, and when fresh cases are due."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.config.models import Case, SplitConfig
from sharpen.config.rules import Thresholds
from sharpen.errors import TooFewCasesError
from sharpen.optimizer.ports import CaseMemory, CaseOutcome
from sharpen.optimizer.proof.holdout import HoldoutAccount, level_after, pick_holdout
from sharpen.optimizer.proof.memory_ledger import MemoryLedger
from sharpen.optimizer.proof.units import groups_of
from sharpen.optimizer.proving import prove
from sharpen.optimizer.splits import split_cases
from sharpen.testing.holdout_suite import HoldoutLedgerSuite

CASES = tuple(Case(id=f"c{n:03d}", vars={"n": n}, expected="ab"[n % 2]) for n in range(100))
RULES = Thresholds(min_success_rate=0.0)


class TestMemoryLedger(HoldoutLedgerSuite):
    @pytest.fixture
    def ledger(self):
        return MemoryLedger()


def opened(ledger, search_id, cases=CASES, fingerprint="", alpha=0.05):
    """An account and its split, as the pipeline makes them."""
    account = HoldoutAccount(ledger, search_id, "w", alpha, cases, None, fingerprint)
    labelled = [(case.id, case.expected) for case in cases]
    split = split_cases(labelled, SplitConfig(), alpha, account.groups, account.barred())
    account.check(split)
    account.draw(split)
    return account, split


async def proved(account, split, before, after, hypothesis="h", runs=lambda _: True):
    """Prove with the pass rates that ``before`` and ``after`` give for a case id."""
    asked = []

    async def look_at(case_ids):
        asked.extend(case_ids)
        return [CaseOutcome(case_id, after(case_id), after(case_id), ran=runs(case_id)) for case_id in case_ids]

    baseline = {case_id: CaseOutcome(case_id, before(case_id), before(case_id)) for case_id in split.holdout}
    found = await prove(
        look_at, split.holdout, baseline=baseline, alpha=0.05, rules=RULES, account=account, hypothesis=hypothesis
    )
    return found, asked


async def test_each_further_search_on_the_same_cases_proves_at_half_the_level():
    ledger = MemoryLedger()
    thresholds = []
    for number in range(4):
        account, split = opened(ledger, f"s{number}")
        # as good as before: it needs all looks to be sure of nothing
        found, _ = await proved(account, split, lambda c: float(c[-1] in "0123"), lambda c: float(c[-1] in "3456"))
        assert not found.accepted
        thresholds.append(found.threshold)
    assert thresholds[0] == 0.05
    assert all(now <= then for then, now in itertools.pairwise(thresholds))
    assert thresholds[-1] < 0.05


async def test_the_same_plan_keeps_its_split_so_that_answers_are_remembered():
    ledger = MemoryLedger()
    first = opened(ledger, "s1")[1]
    assert opened(ledger, "s2")[1] == first


async def test_an_accepted_claim_spends_its_cases_and_says_when_fresh_ones_are_due():
    ledger = MemoryLedger()
    account, split = opened(ledger, "s1")
    found, asked = await proved(account, split, lambda _: 0.0, lambda _: 1.0)
    assert found.accepted
    account, after = opened(ledger, "s2")
    assert set(after.holdout) == set(split.holdout) - set(asked)
    assert set(asked) <= set(after.train + after.dev)
    for number in range(2, 9):
        try:
            account, split = opened(ledger, f"s{number}")
        except TooFewCasesError as error:
            said = str(error)
            break
        found, more = await proved(account, split, lambda _: 0.0, lambda _: 1.0)
        assert set(more).isdisjoint(asked)
        asked += more
    assert number > 2
    assert "due, " in said
    assert "to prove +10 points" in said


async def test_fresh_cases_are_taken_into_the_holdout_and_old_ones_keep_their_part():
    ledger = MemoryLedger()
    account, split = opened(ledger, "s1")
    await proved(account, split, lambda _: 0.0, lambda _: 1.0)
    fresh = tuple(Case(id=f"d{n:03d}", vars={"n": 1000 + n}, expected="ab"[n % 2]) for n in range(60))
    _, grown = opened(ledger, "s2", CASES + fresh)
    assert set(grown.holdout).isdisjoint(split.train + split.dev)
    assert sum(case_id.startswith("d") for case_id in grown.holdout) > 20


async def test_a_case_is_known_by_its_content_not_by_its_name():
    ledger = MemoryLedger()
    account, split = opened(ledger, "s1")
    await proved(account, split, lambda _: 0.0, lambda _: 1.0)
    renamed = tuple(case.model_copy(update={"id": f"new-{case.id}"}) for case in CASES)
    assert opened(ledger, "s2", renamed)[0].barred()


async def test_a_repeated_search_makes_the_same_claim_and_no_other():
    ledger = MemoryLedger()
    account, split = opened(ledger, "s1", fingerprint="f")
    first, asked = await proved(account, split, lambda _: 0.0, lambda _: 1.0)
    account, again = opened(ledger, "s2", fingerprint="f")
    assert again == split
    second, _ = await proved(account, again, lambda _: 0.0, lambda _: 1.0)
    assert second == first
    other, looked = await proved(account, again, lambda _: 0.0, lambda _: 1.0, hypothesis="another candidate")
    assert set(looked).isdisjoint(asked)
    assert other.threshold == 0.05  # on what is left, which nobody has looked at


@pytest.mark.parametrize("hurried", [False, True])
async def test_a_search_that_runs_twice_at_once_makes_one_claim(hurried):
    """Both drew their cases before either proved: the later one is not refused what the other's claim spent."""

    class Hurried(MemoryLedger):
        """One whose claims are seen a moment after they were looked for."""

        late = hurried

        def claimed_by(self, workflow_id, fingerprint):
            found = super().claimed_by(workflow_id, fingerprint)
            if found and self.late:
                self.late = False
                return None
            return found

    ledger = Hurried()
    cases = CASES[:40]
    one, split = opened(ledger, "s1", cases, fingerprint="f")
    two, same = opened(ledger, "s2", cases, fingerprint="f")
    stranger, _ = opened(ledger, "s3", cases, fingerprint="another")
    assert same == split
    asked = split.holdout[:8]  # what it needed, at its first level
    assert one.open(asked, "h").case_ids == asked
    one.settle(asked, accepted=True, hypothesis="h")
    assert two.open(asked, "h") == one.open(asked, "h")
    assert stranger.open(asked, "h").case_ids == ()


async def test_what_was_cut_off_goes_on_and_counts_as_a_look_for_others():
    ledger = MemoryLedger()
    account, split = opened(ledger, "s1")
    cut, asked = await proved(account, split, lambda _: 0.0, lambda _: 1.0, runs=lambda _: False)
    assert cut.stopped == "incomplete"
    other, other_split = opened(ledger, "s2")
    assert other.check(other_split).level == level_after(1, 0.05)
    account, again = opened(ledger, "s1")
    whole, asked_again = await proved(account, again, lambda _: 0.0, lambda _: 1.0)
    assert whole.accepted
    assert whole.threshold == 0.05
    assert asked_again[: len(asked)] == asked


async def test_a_proof_that_cannot_succeed_looks_at_nothing_and_uses_nothing_up():
    ledger = MemoryLedger()
    account, split = opened(ledger, "s1")
    found, asked = await proved(account, split, lambda c: float(c != split.holdout[0]), lambda _: 1.0)
    assert (found.stopped, asked) == ("futility", [])
    assert "nothing was looked at" in found.reason
    assert opened(ledger, "s2")[0].check(split).level == 0.025


async def test_cases_that_another_search_spent_meanwhile_are_not_looked_at():
    ledger = MemoryLedger()
    first, split = opened(ledger, "s1")
    second, _ = opened(ledger, "s2")
    _, asked = await proved(first, split, lambda _: 0.0, lambda _: 1.0)
    _, looked = await proved(second, split, lambda _: 0.0, lambda _: 1.0)
    assert set(asked).isdisjoint(looked)


MEMORIES = st.builds(CaseMemory, st.integers(0, 5), st.booleans(), st.just(False))


@given(st.lists(MEMORIES, max_size=60), st.integers(1, 4))
@settings(max_examples=80, deadline=None)
def test_what_is_granted_is_unspent_whole_and_at_the_level_of_its_most_looked_at_case(memories, size):
    ids = [f"c{n}" for n in range(len(memories))]
    memory = dict(zip(ids, memories, strict=True))
    groups = {case_id: str(n // size) for n, case_id in enumerate(ids)}
    found = pick_holdout(ids, memory, 0.05, groups)
    assert not any(memory[case_id].spent for case_id in found.case_ids)
    assert list(found.case_ids) == [case_id for case_id in ids if case_id in set(found.case_ids)]
    for case_id in found.case_ids:
        mates = {mate for mate in ids if groups[mate] == groups[case_id]}
        assert mates <= set(found.case_ids)
        assert memory[case_id].looks <= found.looks
    if found.case_ids:
        assert found.looks == max(memory[case_id].looks for case_id in found.case_ids)
        assert found.level == level_after(found.looks, 0.05)
    assert sum(level_after(k, 0.05) for k in range(50)) <= 0.05


def test_many_cases_at_a_stricter_level_or_few_fresh_ones():
    ids = [f"c{n}" for n in range(60)]
    some = pick_holdout(ids, {case_id: CaseMemory(1) for case_id in ids[:10]}, 0.05)
    assert (len(some.case_ids), some.looks) == (50, 0)
    most = pick_holdout(ids, {case_id: CaseMemory(1) for case_id in ids[:50]}, 0.05)
    assert (len(most.case_ids), most.looks) == (60, 1)
    assert pick_holdout(ids, dict.fromkeys(ids, CaseMemory(60)), 0.05).case_ids == ()


def test_cases_looked_at_too_often_are_refused_with_numbers():
    ledger = MemoryLedger()
    small = CASES[:16]
    ids = split_cases([(case.id, case.expected) for case in small], SplitConfig(), 0.05).holdout
    assert HoldoutAccount(ledger, "s1", "w", 0.05, small).open(ids, "h").case_ids == ids
    assert HoldoutAccount(ledger, "s2", "w", 0.05, small).open(ids, "h").case_ids == ()
    with pytest.raises(TooFewCasesError, match=r"6 .* looked at once.* at least 6 fresh cases are due"):
        opened(ledger, "s9", small)


def test_groups_and_copies_of_a_case():
    cases = [
        Case(id="a", vars={"x": 1}, group="g"),
        Case(id="b", vars={"x": 2}, metadata={"group": "g"}),
        Case(id="c", vars={"x": 3, "doc": "d"}),
        Case(id="d", vars={"x": 4}),
        Case(id="e", vars={"x": 4}),
        Case(id="f", vars={"x": 5}),
    ]
    found = groups_of(cases, "doc")
    assert found["a"] == found["b"] == "group g"
    assert found["c"] == "group d"
    assert found["d"] == found["e"]
    assert "f" not in found
    assert "c" not in groups_of(cases)
