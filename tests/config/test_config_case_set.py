"""Data sets as collections: small ones held, large ones surveyed once and read anew, in flat memory."""

from __future__ import annotations

import copy
import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.config import case_set as module
from sharpen.config import ids as ids_module
from sharpen.config.case_set import SAMPLE, CaseSet, sampled
from sharpen.config.check import check_plan, check_variables
from sharpen.config.datasets import read_cases
from sharpen.config.ids import Ids, Watched
from sharpen.config.models import Case, DatasetConfig, RunManifest
from sharpen.config.rows import _plain_json
from sharpen.errors import EmptyDatasetError, PlanError, UserError

LARGE = module.HELD + 1


def write(path: Path, rows: int, row: Callable[[int], dict[str, Any]]) -> DatasetConfig:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row(n)) + "\n" for n in range(rows))
    return DatasetConfig(path=path)


def plain(n: int) -> dict[str, Any]:
    return {"id": f"c{n}", "vars": {"text": f"number {n}"}, "expected": n % 2}


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that holds for tens of thousands of rows, with tens."""
    monkeypatch.setattr(module, "HELD", 20)
    monkeypatch.setattr(module, "SAMPLE", 5)
    monkeypatch.setattr(ids_module, "EXACT", 10)


def test_small_data_sets_are_held(tmp_path: Path) -> None:
    cases = CaseSet.survey(write(tmp_path / "c.jsonl", 3, plain))
    assert cases.held == cases.sample == tuple(cases)
    assert len(cases) == 3
    assert bool(cases)
    assert cases.held is not None
    assert cases.held[1] in cases
    assert Case(id="other") not in cases
    assert cases.columns == {"text"}
    assert not cases.own_assertions
    assert repr(cases).startswith("<CaseSet of 3 cases from ")


def test_large_ones_are_read_anew_each_time(tmp_path: Path) -> None:
    cases = CaseSet.survey(write(tmp_path / "c.jsonl", LARGE, plain))
    assert cases.held is None
    assert len(cases) == LARGE
    first, second = list(cases), list(cases)
    assert first == second
    assert first[0] is not second[0]
    assert first[-1] == Case(id=f"c{LARGE - 1}", vars={"text": f"number {LARGE - 1}"}, expected=(LARGE - 1) % 2)
    numbers = [int(case.id[1:]) for case in cases.sample]
    assert len(numbers) == SAMPLE
    assert numbers == sorted(set(numbers))
    assert abs(sum(numbers) / SAMPLE - LARGE / 2) < 600, "uniform: 6 standard errors are 550"
    assert CaseSet.survey(cases.dataset).sample == cases.sample
    assert sampled(cases) is cases.sample
    assert sampled((1, 2)) == (1, 2)  # type: ignore[arg-type] # anything will do
    assert sampled({1: None}.keys()) == (1,)  # type: ignore[arg-type] # as above


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, ending: str) -> None:
    path, text = tmp_path / f"c.{ending}", "x" * 400
    if ending == "jsonl":
        write(path, 15_000, lambda n: {"vars": {"text": f"{text}{n}"}})
    elif ending == "csv":
        path.write_text("text\n" + "".join(f"{text}{n}\n" for n in range(15_000)))
    else:
        arrow = pytest.importorskip("pyarrow")
        import pyarrow.parquet as parquet

        parquet.write_table(arrow.table({"text": [f"{text}{n}" for n in range(15_000)]}), path)
    cases = CaseSet.survey(DatasetConfig(path=path))
    tracemalloc.start()
    assert sum(1 for _ in cases) == 15_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000, "6 MB of text passed through"


@pytest.mark.usefixtures("small_limits")
def test_whole_documents_stay_whatever_their_size(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps([plain(n) for n in range(50)]))
    cases = CaseSet.survey(DatasetConfig(path=tmp_path / "c.json"))
    assert cases.held is not None
    assert len(cases.held) == 50
    inline = CaseSet.survey(DatasetConfig(cases=[plain(n) for n in range(50)]))
    assert inline.held == cases.held
    assert inline.content_hash == cases.content_hash
    assert not inline.changed
    assert repr(inline) == "<CaseSet of 50 cases from the plan>"


@pytest.mark.usefixtures("small_limits")
def test_a_file_that_changes_in_between_is_told(tmp_path: Path) -> None:
    dataset = write(tmp_path / "c.jsonl", 30, plain)
    cases = CaseSet.survey(dataset)
    write(tmp_path / "c.jsonl", 31, plain)
    with pytest.raises(UserError, match=r"c\.jsonl was changed after it had been checked \(then 30 cases\)"):
        next(iter(cases))
    with pytest.raises(UserError, match="was changed"):
        _ = cases.content_hash
    (tmp_path / "c.jsonl").unlink()
    with pytest.raises(UserError, match="was changed"):
        next(iter(cases))


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("rows", [29, 31])
def test_a_file_that_changes_under_a_pass_is_told(tmp_path: Path, rows: int) -> None:
    cases = CaseSet.survey(write(tmp_path / "c.jsonl", 30, plain))
    stream = iter(cases)
    next(stream)
    write(tmp_path / "c.jsonl", rows, plain)
    with pytest.raises(UserError, match="was changed"):
        list(stream)


@pytest.mark.usefixtures("small_limits")
def test_a_change_that_leaves_size_and_time_alone_is_told_by_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    cases = CaseSet.survey(write(path, 30, plain))
    stamp, text = path.stat(), path.read_text()
    for spoilt in (text.replace('{"id"', '["id"', 1), "\n" * len(text)):
        path.write_text(spoilt)
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        with pytest.raises(UserError, match="was changed"):
            list(cases)


@pytest.mark.usefixtures("small_limits")
def test_content_hash_tells_data_sets_apart(tmp_path: Path) -> None:
    def content(rows: int, **fields: Any) -> str:
        write(tmp_path / "c.jsonl", rows, plain)
        return CaseSet.survey(DatasetConfig(path=tmp_path / "c.jsonl", **fields)).content_hash

    assert content(3) == content(3) == content(4, limit=3)
    assert content(30) == content(30)
    assert len({content(3), content(4), content(30), content(31), content(31, limit=30)}) == 5
    assert all(len(content(rows)) == 64 for rows in (3, 30))


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize(("first", "again"), [(0, 25), (2, 5), (12, 13), (24, 29)])
def test_ids_that_repeat_are_told_with_both_places(tmp_path: Path, first: int, again: int) -> None:
    dataset = write(tmp_path / "c.jsonl", 30, lambda n: plain(first if n == again else n))
    with pytest.raises(PlanError) as caught:
        CaseSet.survey(dataset)
    (problem,) = caught.value.problems
    assert problem.message.startswith(f"id 'c{first}' is taken by case {first + 1} (")
    assert problem.where.endswith(f"c.jsonl:{again + 1}")


@pytest.mark.usefixtures("small_limits")
def test_ids_that_repeat_stand_in_order_with_other_mistakes(tmp_path: Path) -> None:
    def row(n: int) -> dict[str, Any]:
        return {"wrong": n} if n == 20 else plain({3: 2, 25: 24, 27: 24}.get(n, n))

    dataset = write(tmp_path / "c.jsonl", 30, row)
    with pytest.raises(PlanError) as caught:
        CaseSet.survey(dataset)
    assert [problem.where.rpartition(":")[2] for problem in caught.value.problems] == ["4", "21", "26", "28"]


@pytest.mark.usefixtures("small_limits")
def test_a_given_id_may_take_an_automatic_one(tmp_path: Path) -> None:
    dataset = write(tmp_path / "c.jsonl", 30, lambda n: {"id": "case-0025"} if n == 28 else {})
    with pytest.raises(PlanError, match=r"id 'case-0025' is taken by case 25 \(.*c\.jsonl:25\)"):
        CaseSet.survey(dataset)


@given(st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), max_size=40))
@settings(max_examples=100)
def test_exactly_the_repetitions_are_found(names: list[str]) -> None:
    told = []
    ids = Ids()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids_module, "EXACT", 8)
        for number, name in enumerate(names, start=1):
            if ids.first(name, number, ""):
                told.append((number, name))
    if repeated := ids.repeated():
        watched = Watched(repeated)
        told = [(n, name) for n, name in enumerate(names, start=1) if watched.first(name, n, "")]
    assert told == [(n, name) for n, name in enumerate(names, start=1) if name in names[: n - 1]]


def test_nothing_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(EmptyDatasetError):
        CaseSet.survey(write(tmp_path / "c.jsonl", 0, plain))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text('ab":\\ \t{}', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('ab":\\ ', max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(_json, st.booleans(), st.booleans())
@settings(max_examples=150)
def test_the_quick_look_sees_what_the_careful_one_sees(value: Any, ascii_only: bool, spaced: bool) -> None:
    separators = (" ,\t", "\t : ") if spaced else None
    line = json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode() + b"\r\n"
    found = _plain_json(line)
    assert found is None or (found == value and repr(found) == repr(value))


@pytest.mark.parametrize(
    "line",
    [
        b'{"a": 1, "a": 2}', b'{"a": 1, "a" : 2}', b'{"a": {"b": 1, "b":2}}', b'{"a": "\\":", "b": 1, "b": 2}',
        b'{"a":1,"\\u0061"\t:2}', b'{"a": NaN}', b'{"a": "\\ud800"}', b'{"a": "\xff"}', b"\xef\xbb\xbf{}", b'{"a": 1',
    ],
)  # fmt: skip
def test_the_quick_look_leaves_what_is_odd_to_the_careful_one(line: bytes) -> None:
    assert _plain_json(line) is None


# --------------------------------------------------------------------------------------------------------- in a plan


def manifest(dataset: DatasetConfig, **fields: Any) -> RunManifest:
    return RunManifest.model_validate(
        {
            "workflow_id": "w", "prompt": {"user": "{{ text }} {{ rare }}"}, "target": {"kind": "openai", "model": "m"},
            "dataset": dataset, "assertions": [{"type": "equals", "value": "{{ expected }}"}], **fields,
        }
    )  # fmt: skip


def uneven(n: int) -> dict[str, Any]:
    row: dict[str, Any] = {"id": f"c{n}", "vars": {"text": "x" * 36, "unused": 1}}
    if n % 7 == 0:
        row["vars"]["rare"] = "y"
    if n % 3:
        row["expected"] = "yes"
    return row


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("shapes", [100, 1])
def test_a_survey_answers_as_the_cases_do(tmp_path: Path, shapes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHAPES", shapes)
    plan = manifest(write(tmp_path / "c.jsonl", 100, uneven))
    cases = plan.case_set()
    assert (cases.shapes is None) is (shapes == 1)
    assert check_variables(plan, cases) == check_variables(plan, tuple(cases))
    (lacking, unanswered) = check_variables(plan, cases).errors
    assert lacking.message == "variable 'rare' is missing in 85 of 100 cases: c1, c2, c3, c4, c5 and 80 more"
    assert unanswered.message == "'expected' is missing in 34 of 100 cases: c0, c3, c6, c9, c12 and 29 more"
    assert cases.columns == {"text", "rare", "unused"}


@pytest.mark.usefixtures("small_limits")
def test_an_estimate_takes_a_sample_for_all(tmp_path: Path) -> None:
    plan = manifest(write(tmp_path / "c.jsonl", 100, uneven), prompt={"user": "{{ text }}"}, execution={"repeats": 3})
    found = check_plan(plan, plan.case_set()).estimate
    assert (found.cases, found.calls, found.prompt_tokens) == (100, 300, 2700)


@pytest.mark.usefixtures("small_limits")
def test_every_case_is_looked_at_where_some_have_assertions_of_their_own(tmp_path: Path) -> None:
    def row(n: int) -> dict[str, Any]:
        judge = {"kind": "openai", "model": "j"}
        own = [{"type": "llm-rubric", "value": "{{ missing }}", "judge": judge}]
        return plain(n) | ({"assertions": own} if n == 29 else {})

    plan = manifest(write(tmp_path / "c.jsonl", 30, row), prompt={"user": "{{ text }}"})
    cases = plan.case_set()
    assert cases.own_assertions
    found = check_plan(plan, cases)
    assert found.estimate.judge_calls == 1
    assert [problem.key for problem in found.errors] == ["c29.assertions.0.value"]


def test_a_manifest_reads_its_data_set_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = 0

    def counted(*arguments: Any) -> Any:
        nonlocal passes
        passes += 1
        return read_cases(*arguments)

    monkeypatch.setattr("sharpen.config.datasets.read_cases", counted)
    write(tmp_path / "c.jsonl", 3, plain)
    (tmp_path / "plan.yaml").write_text(
        "{workflow_id: w, prompt: {user: '{{ text }}'}, target: {kind: scripted}, dataset: c.jsonl}"
    )
    plan = RunManifest.from_yaml(tmp_path / "plan.yaml")
    assert len(list(plan.iter_cases())) == len(plan.case_set()) == 3
    assert len(plan.with_prompt(plan.prompt).case_set()) == 3
    assert passes == 1
    again = RunManifest.from_yaml(tmp_path / "plan.yaml")
    assert plan == again
    assert copy.deepcopy(plan) == plan
    assert again.with_source(None).model_copy(update={"dataset": DatasetConfig(cases=[{}])}).case_set().held == (
        Case(id="case-0001"),
    )
    write(tmp_path / "c.jsonl", 4, plain)
    assert len(plan.case_set()) == 4
