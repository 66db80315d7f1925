"""The older call: ``baseline_metrics``, a plain dict, becomes a report. Pure but for one warning."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from numbers import Real
from typing import Any

from sharpen.optimizer.models import TestExecutionReport

KNOWN_KEYS = frozenset(
    {
        "success_rate", "workflow_id", "run_id", "total_tests", "avg_response_time", "total_tokens", "avg_tokens",
        "total_cost", "avg_cost",
    }
)  # fmt: skip
DEFAULT_TOTAL = 100
LARGEST_SYNTHETIC_TOTAL = 1_000_000


def resolve_results(
    test_results: TestExecutionReport | Mapping[str, Any] | None,
    baseline_metrics: Mapping[str, Any] | None,
    workflow_id: str = "unknown",
    stacklevel: int = 3,
) -> TestExecutionReport | None:
    """The report to use: ``test_results`` when given, else the converted dict, else None. Warns about the dict.

    The first version took the dict by position, where ``test_results`` stands now: that works too.
    """
    if isinstance(test_results, Mapping):
        test_results, baseline_metrics = None, test_results
    if baseline_metrics is None:
        return test_results
    warnings.warn(
        "baseline_metrics is deprecated; pass test_results=TestExecutionReport.from_executor_result(run) instead",
        DeprecationWarning,
        stacklevel=stacklevel,
    )
    return test_results if test_results is not None else report_from_metrics(baseline_metrics, workflow_id)


def report_from_metrics(metrics: Mapping[str, Any], workflow_id: str = "unknown") -> TestExecutionReport | None:
    """Convert the older dict; None when it holds no ``success_rate``. Raises ``ValueError`` that names the key.

    ``total_tests × success_rate`` that is no whole number is converted on a synthetic total that is: the closest
    fraction with a denominator up to a million. The caller's own total is kept in ``metadata``.
    """
    if "success_rate" not in metrics:
        return None
    rate = _number(metrics, "success_rate")
    if rate is None or not 0 <= rate <= 1:
        raise ValueError(f"baseline_metrics['success_rate'] is {metrics['success_rate']!r}, must be within 0..1")
    own_total = _number(metrics, "total_tests")
    if own_total is not None and (own_total < 0 or own_total != int(own_total)):
        raise ValueError(f"baseline_metrics['total_tests'] is {metrics['total_tests']!r}, must be a whole number ≥ 0")
    requests = int(own_total or 0)
    successes, total = _whole(rate, requests)
    cost, cost_each = _total_and_each(metrics, "total_cost", "avg_cost", requests)
    tokens, tokens_each = _total_and_each(metrics, "total_tokens", "avg_tokens", requests)
    metadata: dict[str, Any] = {"source": "baseline_metrics", "synthetic_total": total != requests}
    if "total_tests" in metrics:
        metadata["original_total_tests"] = metrics["total_tests"]
    metadata.update({str(key): value for key, value in metrics.items() if key not in KNOWN_KEYS})
    return TestExecutionReport(
        workflow_id=str(metrics.get("workflow_id") or workflow_id),
        run_id=str(metrics.get("run_id") or "baseline-metrics"),
        total_tests=total,
        successful_tests=successes,
        failed_tests=total - successes,
        success_rate=rate,
        avg_response_time_ms=_number(metrics, "avg_response_time") or 0.0,
        total_tokens=round(tokens or 0),
        avg_tokens_per_request=tokens_each or 0.0,
        total_cost=cost,
        cost_per_request=cost_each,
        metadata=metadata,
    )


def _whole(rate: float, total: int) -> tuple[int, int]:
    """(successes, total) with successes / total as close to ``rate`` as floats tell."""
    for candidate in (total, DEFAULT_TOTAL) if not total else (total,):
        if candidate and math.isclose(candidate * rate, round(candidate * rate), rel_tol=1e-9, abs_tol=1e-9):
            return round(candidate * rate), candidate
    fraction = Fraction(rate).limit_denominator(LARGEST_SYNTHETIC_TOTAL)
    return fraction.numerator, fraction.denominator


def _total_and_each(
    metrics: Mapping[str, Any], total_key: str, each_key: str, requests: int
) -> tuple[float | None, float | None]:
    """A sum and its mean for one request, either derived from the other where the number of requests is known."""
    total, each = _number(metrics, total_key), _number(metrics, each_key)
    if total is None and each is not None and requests:
        total = each * requests
    if each is None and total is not None and requests:
        each = total / requests
    return total, each


def _number(metrics: Mapping[str, Any], key: str) -> float | None:
    """The value of ``key`` as a finite number ≥ 0; None when the key is absent."""
    if key not in metrics or (metrics[key] is None and key != "success_rate"):
        return None
    value = metrics[key]
    number = isinstance(value, Real | Decimal) and not isinstance(value, bool)  # NumPy's numbers are Real
    if not number or not math.isfinite(value) or value < 0:
        bound = "within 0..1" if key == "success_rate" else "a number ≥ 0"
        raise ValueError(f"baseline_metrics[{key!r}] is {value!r}, must be {bound}")
    return float(value)
