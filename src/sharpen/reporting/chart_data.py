"""Which numbers go into which chart. Both prompts are compared on the same cases: those that the candidate ran on."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from sharpen.executor.models import TaskResult, TaskStatus
from sharpen.optimizer.models import OptimizationOutcome, Verification
from sharpen.reporting import charts
from sharpen.reporting import figures as fig
from sharpen.reporting.cases import tasks_by_case
from sharpen.reporting.charts import Role
from sharpen.reporting.front_tables import baseline_on_dev, front_points

Chart = tuple[str, str, Markup]
"""Title, note and SVG."""


class ChartFigures:
    """What the charts need of one prompt's results, added case by case: numbers alone, however many there are."""

    def __init__(self, name: str, role: Role) -> None:
        self.name = name
        self.role = role
        self.times_ms = array("d")
        self.tokens = array("d")
        self.kinds = Counter[str]()
        self.ran_all = True
        self.rate = charts.Rate(name, role, 0.0, 0)
        self._prompt_tokens = self._completion_tokens = 0
        self._cost: float | None = 0.0

    def add(self, tasks: Iterable[TaskResult]) -> None:
        """Count the results of one case.

        Cases are the unit of the pass rate (repeats of one case are no independent evidence); a case counts by its own.
        """
        ran = passed = 0
        for task in tasks:
            if task.total_tokens:
                self.tokens.append(task.total_tokens)
            if not task.status.completed:
                self.ran_all = False
                continue
            ran += 1
            passed += task.status is TaskStatus.SUCCEEDED
            self.times_ms.append(task.execution_time * 1000)
            if task.error:
                self.kinds[task.error.kind.value] += 1
            self._prompt_tokens += task.prompt_tokens
            self._completion_tokens += task.completion_tokens
            price = task.price
            self._cost = None if self._cost is None or price is None else self._cost + price
        if ran:
            self.rate = charts.Rate(self.name, self.role, self.rate.passed + passed / ran, self.rate.total + 1)

    @property
    def means(self) -> Means:
        """For each request that ran to an end."""
        number = max(1, len(self.times_ms))
        cost = None if self._cost is None else self._cost / number
        return Means(self._prompt_tokens / number, self._completion_tokens / number, cost)


class Means(NamedTuple):
    """Tokens, and cost in USD (None: unknown)."""

    prompt: float
    completion: float
    cost: float | None


def of_run(figures: ChartFigures, *, complete: bool) -> list[Chart]:
    """The charts of a single run. ``complete``: every task of it ran to an end."""
    return _charts([figures], complete=complete)


def of_optimization(outcome: OptimizationOutcome) -> list[Chart]:
    """The charts of an optimization; of its baseline alone when no candidate reached the held-out cases."""
    before, after = ChartFigures("Baseline", "base"), ChartFigures("Candidate", "next")
    held = tasks_by_case(outcome.holdout_run)
    for case_id, tasks in tasks_by_case(outcome.baseline_run).items():
        if outcome.holdout_run is None or case_id in held:
            before.add(tasks)
    for tasks in held.values():
        after.add(tasks)
    return _charts([before] if outcome.holdout_run is None else [before, after])


def effect(proof: Verification, level: str) -> Markup:
    """The proof's difference with its interval."""
    return _safe(charts.effect(proof.effect, proof.effect_low, proof.effect_high, level))


def fronts(outcome: OptimizationOutcome) -> list[tuple[str, Markup]]:
    """Titles and charts: every measured candidate's pass rate against its tokens, and against its latency.

    None when there are fewer than two; no chart of a figure that nobody has.
    """
    points, seed = front_points(outcome), baseline_on_dev(outcome)
    if len(points) < 2:
        return []
    found = []
    rates = [(each.id, dev, on) for each, dev, on in points]
    if any(dev.tokens_per_request for _, dev, _ in rates):
        tokens = [(name, dev.success_rate, dev.tokens_per_request, on) for name, dev, on in rates]
        svg = charts.front(tokens, (seed.success_rate, seed.tokens_per_request))
        found.append(("Pass rate against tokens per request", _safe(svg)))
    if any(dev.avg_latency_ms for _, dev, _ in rates):
        times = [(name, dev.success_rate, dev.avg_latency_ms, on) for name, dev, on in rates]
        base = (seed.success_rate, seed.avg_latency_ms)
        svg = charts.front(times, base, "mean latency", fig.milliseconds, "{:g} ms".format)
        found.append(("Pass rate against mean latency", _safe(svg)))
    return found


def _charts(groups: Sequence[ChartFigures], *, complete: bool = True) -> list[Chart]:
    ran_all = all(group.ran_all for group in groups)
    note = "95% interval" if ran_all and complete else "of the tests that ran; 95% interval"
    found = [("Pass rate", note, charts.pass_rates([group.rate for group in groups]))]
    times = [charts.Series(group.name, group.role, group.times_ms) for group in groups]
    if histogram := charts.histogram("Latency", times, fig.milliseconds):
        found.append(("Latency", "share of calls", histogram))
    found += _use(groups)
    kinds = [group.kinds for group in groups]
    names = sorted(set().union(*kinds), key=lambda kind: (-sum(counter[kind] for counter in kinds), kind))
    if names:
        roles = [group.role for group in groups]
        errors = [
            (
                name.replace("_", " "),
                [(role, counter[name], fig.count(counter[name])) for role, counter in zip(roles, kinds, strict=True)],
            )
            for name in names
        ]
        found.append(("Errors by kind", "tasks", charts.bars("Errors by kind", errors)))
    return [(title, note, _safe(svg)) for title, note, svg in found]


def _use(groups: Sequence[ChartFigures]) -> list[tuple[str, str, str]]:
    """Two prompts: what each request takes on average. A lone one: how its tokens are spread."""
    if len(groups) == 1:
        (lone,) = groups
        svg = charts.histogram("Tokens per request", [charts.Series(lone.name, lone.role, lone.tokens)], fig.count)
        return [("Tokens per request", "share of requests", svg)] if svg else []
    means = [(group.role, group.means) for group in groups]
    rows: list[tuple[str, list[charts.Bar]]] = [
        ("Prompt tokens", [(role, mean.prompt, fig.count(round(mean.prompt, 1))) for role, mean in means]),
        ("Answer tokens", [(role, mean.completion, fig.count(round(mean.completion, 1))) for role, mean in means]),
    ]
    if any(mean.cost != 0 for _, mean in means):
        rows.append(("Cost", [(role, mean.cost or 0.0, fig.usd(mean.cost)) for role, mean in means]))
    return [("Tokens and cost", "mean per request", charts.bars("Tokens and cost", rows, shared_scale=False))]


def _safe(svg: str) -> Markup:
    return Markup(svg)  # noqa: S704 - charts escape every text that they are given
