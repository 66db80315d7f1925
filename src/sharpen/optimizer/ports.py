"""The callables the optimizer is given; it never sees an executor, a target or a store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sharpen.errors import ErrorKind

if TYPE_CHECKING:
    from sharpen.optimizer.models import Prompt
    from sharpen.targets.base import Message

Purpose = Literal["baseline", "candidate", "holdout"]


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """One case under one prompt, repeats folded: rates are means over them. Latency in ms, cost in USD.

    ``ran`` is False when the case was cancelled (budget, Ctrl-C): it is then no evidence of anything.
    ``failed_assertions``: types of the assertions that said no, in the order of ``reasons``. ``tokens`` and ``cost``
    are the prompt's own; what judging took stands beside them.
    """

    case_id: str
    pass_rate: float
    score: float
    ran: bool = True
    output: str | None = None
    reasons: tuple[str, ...] = ()
    error_kind: ErrorKind | None = None
    latency_ms: float = 0.0
    tokens: float = 0.0
    cost: float | None = 0.0
    calls: int = 0
    finish_reason: str | None = None
    failed_assertions: tuple[str, ...] = ()
    judge_tokens: float = 0.0
    judge_cost: float | None = 0.0

    @property
    def passed(self) -> bool:
        """Passed in more than half of its repeats."""
        return self.pass_rate > 0.5


@dataclass(frozen=True, slots=True)
class LabelledCase:
    """What strategies may know of a case of the train split: its inputs and its expected answer.

    ``group``: what it shares with other cases, which then count once in a proof (None: it stands alone).
    """

    case_id: str
    variables: dict[str, Any]
    expected: Any = None
    metadata: dict[str, Any] | None = None
    group: str | None = None


class EvaluatePrompt(Protocol):
    """Run a prompt on cases and give one outcome for each, in the order asked. Spends budget."""

    async def __call__(self, prompt: Prompt, case_ids: Sequence[str], purpose: Purpose) -> tuple[CaseOutcome, ...]: ...


class RewritePrompt(Protocol):
    """Ask the rewriter model; its text comes back. Spends budget. Raises ``TargetError`` when it fails."""

    async def __call__(self, messages: tuple[Message, ...]) -> str: ...


class SpendMeter(Protocol):
    """How much may still be spent, in each currency; None: no limit. Who counts calls alone inherits the rest."""

    def calls_made(self) -> int: ...

    def calls_left(self) -> int | None: ...

    def tokens_left(self) -> float | None:
        """Prompt and completion tokens."""
        return None

    def cost_left(self) -> float | None:
        """USD."""
        return None

    def seconds_left(self) -> float | None:
        """Of wall clock."""
        return None

    def seconds_per_call(self) -> float | None:
        """The pace so far: wall clock by calls, side by side as they were made. None: not known yet."""
        return None


class SearchObserver(Protocol):
    """Who watches a search. Return quickly, raise nothing."""

    def phase(self, name: str, detail: str = "") -> None: ...

    def candidate(self, candidate_id: str, strategy: str, success_rate: float, cases: int, status: str) -> None: ...


@dataclass(frozen=True, slots=True)
class CaseMemory:
    """What earlier searches for a workflow did with a case: proofs that looked at it; whether it is used up.

    ``spent``: an accepted claim rests on it. ``seen``: a search trained or selected on it.
    """

    looks: int = 0
    spent: bool = False
    seen: bool = False


@dataclass(frozen=True, slots=True)
class HoldoutGrant:
    """Cases that a proof may look at (none: it may not), at a one-sided level, after so many earlier looks."""

    case_ids: tuple[str, ...]
    level: float
    looks: int = 0


@dataclass(frozen=True, slots=True)
class ProofKey:
    """One proof of one search: ``hypothesis`` says which candidate it is about, ``fingerprint`` what the search was."""

    search_id: str
    workflow_id: str
    hypothesis: str = ""
    fingerprint: str = ""

    @property
    def id(self) -> str:
        """A search that proves the same again, having been cut off, goes on with the same proof."""
        return f"{self.search_id} {self.hypothesis}"


class HoldoutLedger(Protocol):
    """Remembers which cases were looked at to prove something. Cases are named by their content (``case_key``)."""

    def memory(self, workflow_id: str, *, search_id: str = "", proof_id: str = "") -> Mapping[str, CaseMemory]:
        """What was done with cases, by key, other than by that proof; those not named are fresh.

        With ``search_id``: other than by that search and by those that drew their first case after it did, so that a
        search that goes on plans as it planned when it began.
        """
        ...

    def draw(self, search_id: str, workflow_id: str, seen: Collection[str]) -> None:
        """Note the cases that a search trains and selects on. Twice is as once."""
        ...

    def open(
        self, proof: ProofKey, keys: Collection[str], choose: Callable[[Mapping[str, CaseMemory]], HoldoutGrant]
    ) -> HoldoutGrant:
        """Note, for good, that a proof looks at what ``choose`` grants it of ``keys``; a second time: what it did.

        Until it is settled all that was granted counts as looked at.
        """
        ...

    def settle(self, proof: ProofKey, looked_at: Collection[str], accepted: bool) -> None:
        """Note which cases were really looked at, and whether they are spent. What was accepted stays so."""
        ...

    def claimed_by(self, workflow_id: str, fingerprint: str) -> str | None:
        """The search with this fingerprint whose claim was accepted; None without one."""
        ...
