"""The inputs of runs, read a page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sharpen.config import case_set
from sharpen.config.case_set import CaseSet
from sharpen.config.models import Case, DatasetConfig
from sharpen.storage import cases as module
from sharpen.storage.store import Store
from sharpen.testing.storage_suite import make_result, make_run, record

NAMES = [f"c{(7 * n) % 50:02}" for n in range(50)]  # in no order of the alphabet
CASES = [Case(id=name, vars={"text": f"text of {name}"}, expected=[name]) for name in NAMES]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(module, "PAGE", 7)
    monkeypatch.setattr(module, "KEYS", 3)
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        record(store, make_run("r1", [make_result(name) for name in NAMES]), cases=CASES)
        record(store, make_run("r2", [make_result("c00")]))
        yield store


def test_pages_hold_all_cases_in_order_any_number_of_times(store: Store) -> None:
    found = store.cases.stored("r1")
    assert list(found) == list(found) == CASES
    assert len(found) == 50
    assert CASES[3] in found
    assert Case(id="c00", vars={"text": "another"}) not in found
    assert "c00" not in found
    bare = store.cases.stored("r2")
    assert (list(bare), len(bare), bare.of(["c00"]), bare.sample) == ([], 0, {}, ())


def test_cases_are_looked_up_by_their_ids(store: Store) -> None:
    wanted = ["c07", "nobody", "c00", "c49", "c21", "c14"]
    assert store.cases.stored("r1").of(wanted) == {case.id: case for case in CASES if case.id in wanted}


def test_the_sample_is_the_one_that_was_kept_while_they_were_run(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.cases.stored("r1").sample == tuple(CASES)
    monkeypatch.setattr(case_set, "HELD", 10)
    monkeypatch.setattr(case_set, "SAMPLE", 8)
    path = tmp_path / "cases.jsonl"
    path.write_text("".join(case.model_dump_json() + "\n" for case in CASES))
    survey = CaseSet.survey(DatasetConfig(path=path))
    assert survey.held is None
    assert store.cases.stored("r1").sample == survey.sample
    assert len(survey.sample) == 8
