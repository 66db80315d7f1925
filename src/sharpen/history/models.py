"""What a comparison of two runs and a look at flaky cases find: data only, as JSON and back without loss."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from sharpen.executor.models import AwareDatetime, Record, RunStatus

Verdict = Literal["better", "worse", "no difference shown", "not tested"]


class MetricName(StrEnum):
    """The metrics of a comparison. Rates in 0..1, latency in ms, tokens and USD per answered request."""

    SUCCESS = "success_rate"
    LATENCY_MEDIAN = "latency_median_ms"
    LATENCY_P95 = "latency_p95_ms"
    TOKENS = "tokens_per_request"
    COST = "cost_per_request"


class MetricChange(Record):
    """One metric in both runs, over the cases that can be paired for it.

    ``change`` is second − first, except for the median latency: there it is the typical shift of a case (Hodges and
    Lehmann). ``low`` and ``high``: its interval at 1 − alpha (None: too few pairs to say). ``p_value`` is two-sided,
    ``p_adjusted`` corrected by Holm for all metrics tested; None when it was not tested, and ``note`` says why.
    ``units``: cases, or groups of cases, that count as independent.
    """

    name: MetricName
    before: float | None = None
    after: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    verdict: Verdict = "not tested"
    test: str = ""
    cases: int = 0
    units: int = 0
    note: str = ""


class CaseCount(Record):
    """How often a case passed, of how many repeats that ran; ``errors`` of them had no answer."""

    passes: int = Field(ge=0)
    runs: int = Field(ge=0)
    errors: int = Field(default=0, ge=0)


class ChangeKind(StrEnum):
    """``fixed``, ``broken``, ``still_failing``: all repeats agree in both runs. ``flaky``: they do not, and no change
    is shown. ``more_often``, ``less_often``: they do not, but the share that passes has changed beyond chance.
    """

    BROKEN = "broken"
    LESS_OFTEN = "less_often"
    FIXED = "fixed"
    MORE_OFTEN = "more_often"
    FLAKY = "flaky"
    STILL_FAILING = "still_failing"


class CaseChange(Record):
    """A case worth a name. ``p_value``: of Fisher's exact test on its repeats, corrected by Holm for all so tested.

    ``elsewhere``: how often it passed in other runs with the same prompt, model and cases, if that is why it is flaky.
    """

    case_id: str
    kind: ChangeKind
    before: CaseCount
    after: CaseCount
    p_value: float | None = None
    elsewhere: CaseCount | None = None


class RunDifference(Record):
    """Something that is not the same in both runs. ``loud``: it may be the reason for what the metrics show."""

    aspect: Literal["data set", "model", "parameters", "prompt", "grading", "conditions", "completeness"]
    text: str
    before: Any = None
    after: Any = None
    loud: bool = True


class ComparedRun(Record):
    """One side of a comparison. ``label``: what the user named it by; ``version``: of its prompt, if there is one."""

    run_id: str
    workflow_id: str
    label: str
    version: str | None = None
    status: RunStatus
    purpose: str
    started_at: AwareDatetime
    model: str = ""
    prompt_hash: str | None = None
    repeats: int = 1
    cases: int = 0
    cached: int = 0


class DataSetMatch(Record):
    """How the cases of two runs fit together; the lists hold the first ids of as many as the counts say.

    ``changed``: the same id, other content: another case, and therefore not paired. ``unfinished``: in both data sets,
    but without a result in one of the runs.
    """

    paired: int
    only_first: int = 0
    only_second: int = 0
    changed: int = 0
    unfinished: int = 0
    only_first_ids: tuple[str, ...] = ()
    only_second_ids: tuple[str, ...] = ()
    changed_ids: tuple[str, ...] = ()
    unfinished_ids: tuple[str, ...] = ()


class CaseFlakiness(Record):
    """How steady one case is. ``low`` and ``high``: Clopper and Pearson's exact interval of its pass rate."""

    case_id: str
    passes: int
    runs: int
    errors: int
    pass_rate: float
    low: float
    high: float
    state: Literal["passes", "fails", "coin", "once"]


class PassAt(Record):
    """Of ``k`` attempts at a case: the chance that one passes (pass@k) and that all do (pass^k); a mean over cases."""

    k: int
    pass_at_k: float
    pass_hat_k: float
    cases: int


class Flakiness(Record):
    """How steady the cases of a prompt are. ``basis``: repeats of one run, or several runs (named in ``run_ids``).

    ``coins``: cases that passed and failed. Of more than 10,000 cases ``per_case`` names the coins alone. ``caught``:
    the chance that so many repeats show a fair coin for what it is.
    """

    basis: Literal["repeats", "runs"]
    run_ids: tuple[str, ...]
    alpha: float
    cases: int
    least_repeats: int
    most_repeats: int
    coins: int
    coins_by_errors: int
    always_pass: int
    always_fail: int
    once: int
    caught: float
    pass_at: tuple[PassAt, ...] = ()
    per_case: tuple[CaseFlakiness, ...] = ()


class Comparison(Record):
    """Two runs, paired by case. ``notes`` says what the figures do not hold.

    ``prompt_diff``: unified, empty when the prompts are equal.
    """

    first: ComparedRun
    second: ComparedRun
    alpha: float
    differences: tuple[RunDifference, ...]
    data: DataSetMatch
    metrics: tuple[MetricChange, ...]
    changes: tuple[CaseChange, ...]
    flakiness_first: Flakiness | None = None
    flakiness_second: Flakiness | None = None
    notes: tuple[str, ...] = ()
    prompt_diff: str = ""

    def of_kind(self, kind: ChangeKind) -> tuple[CaseChange, ...]:
        """The cases of one kind, in case order."""
        return tuple(change for change in self.changes if change.kind is kind)

    @property
    def breaks(self) -> tuple[CaseChange, ...]:
        """The cases that are worse: broken, or flaky and passing less often."""
        return tuple(change for change in self.changes if change.kind in (ChangeKind.BROKEN, ChangeKind.LESS_OFTEN))

    @property
    def repairs(self) -> tuple[CaseChange, ...]:
        """The cases that are better: fixed, or flaky and passing more often."""
        return tuple(change for change in self.changes if change.kind in (ChangeKind.FIXED, ChangeKind.MORE_OFTEN))

    @property
    def regressions(self) -> tuple[MetricChange, ...]:
        """The metrics that are worse beyond chance."""
        return tuple(metric for metric in self.metrics if metric.verdict == "worse")
