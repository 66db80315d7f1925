"""What every repository of experiments must do: inherit ``ExperimentSuite`` and give it a fixture ``repository``."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from sharpen.errors import UnknownNameError, UserError
from sharpen.experiments.experiment import Experiment
from sharpen.experiments.models import ExperimentReport, VariantSummary
from sharpen.experiments.outcomes import Admitted, Refusal
from sharpen.experiments.ports import ExperimentRepository

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def make_experiment(**changes: Any) -> Experiment:
    """An experiment of two variants."""
    return Experiment(**{"name": "tone", "variants": ["A", "B"], **changes})


def make_outcome(unit_id: str, value: float = 1.0, metric: str = "success", variant: str = "A") -> Admitted:
    """An outcome that counts."""
    return Admitted(unit_id=unit_id, metric=metric, variant=variant, value=value, at=AT)


def make_report(**changes: Any) -> ExperimentReport:
    """How an experiment ended."""
    given: dict[str, Any] = {
        "id": "tone",
        "kind": "online",
        "metric": "success",
        "verdict": "win",
        "winner": "B",
        "headline": "B wins",
        "reason": "it is better",
        "control": "A",
        "variants": (VariantSummary(name="A", label="A", control=True), VariantSummary(name="B", label="B")),
        "comparisons": (),
        "alpha": 0.05,
        "power": 0.8,
        "effect": 0.05,
        "samples": 10,
        "started_at": AT,
    }
    return ExperimentReport.model_validate({**given, **changes})


class ExperimentSuite:
    """A repository that is empty at the start of each test."""

    @pytest.fixture
    def repository(self) -> ExperimentRepository:
        """Override: a fresh, empty repository."""
        # not implemented on purpose: whoever inherits the suite overrides it
        raise NotImplementedError("override 'repository': return a fresh, empty repository")

    def test_an_experiment_comes_back_equal(self, repository: ExperimentRepository) -> None:
        experiment = make_experiment(weights={"A": 3, "B": 1}, guardrails=[{"name": "errors", "margin": 0.02}])
        assert repository.define(experiment).experiment == experiment
        stored = repository.get("tone")
        assert stored is not None
        assert (stored.experiment, stored.stopped_at, stored.report) == (experiment, None, None)

    def test_unknown_names_are_none_or_empty(self, repository: ExperimentRepository) -> None:
        assert repository.get("tone") is None
        assert repository.list() == ()
        assert list(repository.outcomes("tone")) == []
        assert repository.refused("tone") == {}
        with pytest.raises(UnknownNameError, match="experiment 'tone'"):
            repository.add("tone", [make_outcome("u1")])
        with pytest.raises(UnknownNameError):
            repository.note("tone", {Refusal.LATE: 1})
        with pytest.raises(UnknownNameError):
            repository.close("tone", make_report())

    def test_only_the_ramp_of_an_experiment_may_grow(self, repository: ExperimentRepository) -> None:
        repository.define(make_experiment(ramp=0.1))
        first = repository.get("tone")
        repository.define(make_experiment(ramp=0.5))
        with pytest.raises(UserError, match="other weights"):
            repository.define(make_experiment(ramp=0.5, weights={"A": 1, "B": 2}))
        with pytest.raises(UserError, match=r"0\.2 is below 0\.5"):
            repository.define(make_experiment(ramp=0.2))
        now = repository.get("tone")
        assert first is not None
        assert now is not None
        assert (now.experiment.ramp, now.created_at) == (0.5, first.created_at)

    def test_outcomes_come_back_in_the_order_they_came_in(self, repository: ExperimentRepository) -> None:
        repository.define(make_experiment())
        given = [make_outcome(f"u{number}", number / 7) for number in (5, 3, 9, 1)]
        assert repository.add("tone", given[:2]) == (None, None)
        repository.add("tone", given[2:])
        assert list(repository.outcomes("tone")) == given

    def test_the_first_outcome_of_a_unit_on_a_metric_counts(self, repository: ExperimentRepository) -> None:
        repository.define(make_experiment())
        first = make_outcome("u1", 1.0)
        answers = repository.add("tone", [first, make_outcome("u1", 1.0), make_outcome("u1", 0.0)])
        assert answers == (None, Refusal.DUPLICATE, Refusal.CONFLICT)
        assert repository.add("tone", [make_outcome("u1", 0.0), make_outcome("u1", 9.0, "latency")]) == (
            Refusal.CONFLICT,
            None,
        )
        assert next(iter(repository.outcomes("tone"))) == first

    def test_refusals_are_counted(self, repository: ExperimentRepository) -> None:
        repository.define(make_experiment())
        repository.note("tone", {Refusal.LATE: 2, Refusal.CONFLICT: 1})
        repository.note("tone", {Refusal.LATE: 3})
        assert repository.refused("tone") == {Refusal.LATE: 5, Refusal.CONFLICT: 1}

    def test_experiments_are_kept_apart(self, repository: ExperimentRepository) -> None:
        for name in ("tone", "length"):
            repository.define(make_experiment(name=name))
            assert repository.add(name, [make_outcome("u1")]) == (None,)
        repository.note("length", {Refusal.LATE: 1})
        assert [one.experiment.name for one in repository.list()] == ["tone", "length"]
        assert repository.refused("tone") == {}
        assert len(list(repository.outcomes("tone"))) == 1

    def test_the_first_verdict_stays(self, repository: ExperimentRepository) -> None:
        repository.define(make_experiment())
        first = repository.close("tone", make_report())
        assert first.stopped_at is not None
        again = repository.close("tone", make_report(verdict="loss", winner=None))
        assert again == first == repository.get("tone")
        assert again.report == make_report()

    def test_any_text_is_a_unit(self, repository: ExperimentRepository) -> None:
        repository.define(make_experiment())
        units = ["a\x00b", "\ud800", "日本", "\x01json:", " "]
        assert repository.add("tone", [make_outcome(unit) for unit in units]) == (None,) * len(units)
        assert [outcome.unit_id for outcome in repository.outcomes("tone")] == units
        assert repository.add("tone", [make_outcome(unit) for unit in units]) == (Refusal.DUPLICATE,) * len(units)

    def test_twenty_writers_lose_nothing_and_count_nothing_twice(self, repository: ExperimentRepository) -> None:
        repository.define(make_experiment())

        def write(writer: int) -> Sequence[Refusal | None]:
            shared = [make_outcome(f"shared-{number}") for number in range(10)]
            own = [make_outcome(f"{writer}-{number}") for number in range(10)]
            return repository.add("tone", shared + own)

        with ThreadPoolExecutor(20) as pool:
            answers = [answer for found in pool.map(write, range(20)) for answer in found]
        assert answers.count(None) == 20 * 10 + 10
        assert answers.count(Refusal.DUPLICATE) == 19 * 10
        assert len({outcome.unit_id for outcome in repository.outcomes("tone")}) == 210
