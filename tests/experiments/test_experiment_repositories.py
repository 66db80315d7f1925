"""The contract of experiments, in memory and in the store."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from sharpen.experiments.in_memory import InMemoryExperimentRepository
from sharpen.experiments.ports import ExperimentRepository
from sharpen.storage.experiments import AbRecord
from sharpen.storage.store import Store
from sharpen.testing.experiment_suite import ExperimentSuite, make_experiment, make_outcome, make_report


class TestInMemoryExperiments(ExperimentSuite):
    @pytest.fixture
    def repository(self) -> ExperimentRepository:
        return InMemoryExperimentRepository()


class TestStoredExperiments(ExperimentSuite):
    @pytest.fixture
    def repository(self, empty_url: str) -> Iterator[ExperimentRepository]:
        with Store.open(empty_url) as store:
            yield store.experiments


def test_more_outcomes_than_a_page_come_back_in_order(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharpen.storage.experiments._PAGE", 7)
    monkeypatch.setattr("sharpen.storage.experiments._AT_ONCE", 5)
    given = [make_outcome(f"u{number}") for number in range(21)]
    with Store.open(empty_url) as store:
        store.experiments.define(make_experiment())
        store.experiments.add("tone", given)
        assert list(store.experiments.outcomes("tone")) == given


def test_offline_tests_are_found_until_they_end(empty_url: str) -> None:
    record = AbRecord(
        id="t1", workflow_id="w", started_at=datetime.now(UTC), fingerprint="f", definition={"variants": ["A", "B"]}
    )
    with Store.open(empty_url) as store:
        for _ in range(2):
            store.ab_tests.begin(record)
        assert store.ab_tests.find("t1") == record
        assert store.ab_tests.find("t") is None
        assert store.ab_tests.unfinished("f") == store.ab_tests.unfinished() == (record,)
        assert store.ab_tests.unfinished("another") == ()
        report = make_report(id="t1", kind="offline", finished_at=datetime.now(UTC))
        store.ab_tests.begin(record.model_copy(update={"id": "t2"}))
        store.ab_tests.drop("t2")
        store.ab_tests.finish("t1", report)
        assert store.ab_tests.unfinished() == ()
        [kept] = store.ab_tests.list()
        assert (kept.report, kept.finished_at) == (report, report.finished_at)
