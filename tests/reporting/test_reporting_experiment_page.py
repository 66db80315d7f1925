"""The page of an experiment."""

import pytest

from sharpen.experiments.models import MetricRow
from sharpen.reporting.experiment_page import experiment_html
from sharpen.reporting.experiment_text import ASYMPTOTIC
from sharpen.testing.experiment_suite import make_report


@pytest.mark.parametrize("low", [None, -0.1])
def test_the_sign_of_an_approximation_is_explained_where_it_is_shown(low: float | None) -> None:
    row = MetricRow(
        metric="latency", unit="ms", variant="B", control_mean=1, variant_mean=2, difference=1,
        low=low, high=low and 2.0, samples=9, method="asymptotic",
    )  # fmt: skip
    page = experiment_html(make_report(metrics=(row,)))
    assert (ASYMPTOTIC in page) is (low is not None)
