"""The comparison itself, folded from pairs of cases. Pure: whoever reads the store hands the pairs in.

::

    fold = ComparisonFold(alpha)
    for ...:
        fold.add(before, after, group=…, elsewhere=…)
    comparison = fold.comparison(first, second, data, differences, pools, …)
"""

from __future__ import annotations

from collections.abc import Sequence

from sharpen.history.case_changes import CaseChanges
from sharpen.history.case_tally import CaseTally
from sharpen.history.flakiness import FlakinessFold
from sharpen.history.metric_tests import compare_metrics
from sharpen.history.models import (
    ComparedRun,
    Comparison,
    DataSetMatch,
    MetricChange,
    MetricName,
    RunDifference,
)
from sharpen.history.paired import PairedColumns, PairedFold

_NOTHING_DIFFERS = (
    "Prompt, model, parameters and cases are the same in both runs: what differs is chance, or was changed where "
    "sharpen does not see it, such as the model behind its name."
)


class ComparisonFold:
    """Collects the cases that ran in both runs, one by one."""

    def __init__(self, alpha: float = 0.05, seed: int = 0) -> None:
        self._alpha, self._seed = alpha, seed
        self._pairs = PairedFold()
        self._changes = CaseChanges(alpha)
        self._steady = FlakinessFold(alpha), FlakinessFold(alpha)
        self.paired = 0

    def add(
        self,
        before: CaseTally,
        after: CaseTally,
        group: str | None = None,
        elsewhere: Sequence[CaseTally | None] = (None, None),
    ) -> None:
        """One case. ``elsewhere``: for each side what all runs with its prompt, model and cases found, if several."""
        flipping = next((tally for tally in elsewhere if tally is not None and tally.mixed), None)
        self._pairs.add(before, after, group)
        once = any((pooled or own).runs == 1 for own, pooled in zip((before, after), elsewhere, strict=True))
        self._changes.add(before, after, flipping, once=once)
        for fold, own, pooled in zip(self._steady, (before, after), elsewhere, strict=True):
            fold.add(pooled or own)
        self.paired += 1

    def comparison(
        self,
        first: ComparedRun,
        second: ComparedRun,
        data: DataSetMatch,
        differences: Sequence[RunDifference],
        pools: tuple[Sequence[str], Sequence[str]],
        notes: Sequence[str] = (),
        prompt_diff: str = "",
    ) -> Comparison:
        """All that was added. ``pools``: the runs behind each side's flakiness, its own first."""
        columns = self._pairs.columns()
        metrics = compare_metrics(columns, self._alpha, self._seed)
        steady = self._steady[0].found(pools[0]), self._steady[1].found(pools[1])
        return Comparison(
            first=first.model_copy(update={"cached": columns.cached[0]}),
            second=second.model_copy(update={"cached": columns.cached[1]}),
            alpha=self._alpha,
            differences=tuple(differences),
            data=data,
            metrics=metrics,
            changes=self._changes.found(),
            flakiness_first=steady[0],
            flakiness_second=steady[1],
            prompt_diff=prompt_diff,
            notes=(*notes, *self._notes(columns, differences, pools), *_about_latency(metrics)),
        )

    def _notes(
        self,
        columns: PairedColumns,
        differences: Sequence[RunDifference],
        pools: Sequence[Sequence[str]],
    ) -> list[str]:
        notes = []
        if not differences:
            notes.append(_NOTHING_DIFFERS)
        for name, number in zip(("first", "second"), columns.cached, strict=True):
            if number:
                notes.append(
                    f"{number:,} {'answer' if number == 1 else 'answers'} of the {name} run came from the cache: they "
                    "repeat what an earlier run was told, and have no latency of their own."
                )
        if columns.unanswered:
            number = columns.unanswered
            notes.append(
                f"{number:,} {'case' if number == 1 else 'cases'} had no answer in one of the runs (an error or a "
                "timeout): not passed, and without latency, tokens and cost."
            )
        if columns.grouped:
            notes.append(f"{columns.cases:,} cases in {columns.units:,} groups: a group counts once in every test.")
        pooled = sorted({run for pool in pools if len(pool) > 1 for run in pool})
        if pooled:
            notes.append(
                "Flaky cases are also known from other runs with the same prompt, model and cases: "
                f"{', '.join(pooled)}."
            )
        if number := self._changes.single_flips:
            cases = "1 case that is called fixed or broken was" if number == 1 else f"{number:,} cases that are called "
            cases += "" if number == 1 else "fixed or broken were"
            notes.append(
                f"{cases} asked only once in one of the runs, and may be coins that fell the other way. "
                "`--set execution.repeats=5` shows which ones are."
            )
        return notes


def _about_latency(metrics: Sequence[MetricChange]) -> list[str]:
    times = (MetricName.LATENCY_MEDIAN, MetricName.LATENCY_P95)
    if not any(metric.name in times and metric.verdict in ("better", "worse") for metric in metrics):
        return []
    return ["Latency tells of the hour as well as of the prompt: the two runs met another load on server and machine."]
