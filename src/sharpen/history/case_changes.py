"""Which cases changed: fixed, broken or only flaky. Pure.

A case is fixed or broken only when all its repeats agree in both runs, and nothing else is known to speak against it:
a case that was seen to pass and to fail under the same prompt has shown that one flip of it means nothing. Whether a
flaky case passes more or less often than before is a question for Fisher's exact test on its repeats.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from sharpen.history.case_tally import CaseTally
from sharpen.history.models import CaseChange, CaseCount, ChangeKind
from sharpen.optimizer.statistics import holm


class CaseChanges:
    """Collects the cases that have a name in the report: all but those that passed before and after."""

    def __init__(self, alpha: float) -> None:
        self._alpha = alpha
        self._found: list[CaseChange] = []
        self._single = 0

    def add(
        self, before: CaseTally, after: CaseTally, elsewhere: CaseTally | None = None, *, once: bool = False
    ) -> None:
        """One case that ran in both runs. ``elsewhere``: in other runs of one of the two prompts, if it flips there.

        ``once``: of one of the two prompts no more than one answer is known.
        """
        kind = _kind(before, after)
        flips = elsewhere is not None and elsewhere.mixed
        if kind is None:
            return
        if flips:
            kind = ChangeKind.FLAKY
        self._single += once and kind in (ChangeKind.FIXED, ChangeKind.BROKEN)
        testable = kind is ChangeKind.FLAKY and before.runs > 1 and after.runs > 1
        self._found.append(
            CaseChange(
                case_id=before.case_id,
                kind=kind,
                before=count_of(before),
                after=count_of(after),
                p_value=fisher(before.passes, before.runs, after.passes, after.runs) if testable else None,
                elsewhere=count_of(elsewhere) if flips and elsewhere is not None else None,
            )
        )

    @property
    def single_flips(self) -> int:
        """Cases called fixed or broken that were asked only once with one of the two prompts."""
        return self._single

    def found(self) -> tuple[CaseChange, ...]:
        """All cases in case order, the flaky ones judged together."""
        tested = [change for change in self._found if change.p_value is not None]
        adjusted: Mapping[str, float] = {
            change.case_id: p
            for change, p in zip(tested, holm([change.p_value or 0.0 for change in tested]), strict=True)
        }
        return tuple(self._judged(change, adjusted.get(change.case_id)) for change in self._found)

    def _judged(self, change: CaseChange, p_value: float | None) -> CaseChange:
        if p_value is None:
            return change
        kind = change.kind
        if p_value <= self._alpha:
            more = change.after.passes * change.before.runs > change.before.passes * change.after.runs
            kind = ChangeKind.MORE_OFTEN if more else ChangeKind.LESS_OFTEN
        return change.model_copy(update={"p_value": p_value, "kind": kind})


def _kind(before: CaseTally, after: CaseTally) -> ChangeKind | None:
    """None for a case that passed before and after."""
    if before.mixed or after.mixed:
        return ChangeKind.FLAKY
    if before.passes:
        return None if after.passes else ChangeKind.BROKEN
    return ChangeKind.FIXED if after.passes else ChangeKind.STILL_FAILING


def count_of(tally: CaseTally) -> CaseCount:
    """The counts alone."""
    return CaseCount(passes=tally.passes, runs=tally.runs, errors=tally.errors)


@lru_cache(maxsize=4096)
def fisher(passes1: int, runs1: int, passes2: int, runs2: int) -> float:
    """Two-sided exact p that two pass rates are the same."""
    from scipy.stats import fisher_exact

    return min(1.0, float(fisher_exact([[passes1, runs1 - passes1], [passes2, runs2 - passes2]]).pvalue))
