"""Data sets: every format, every way a row can be wrong, and large ones."""

from __future__ import annotations

import csv
import datetime
import decimal
import io
import json
import re
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharpen.config.datasets import SHOWN, iter_cases
from sharpen.config.models import Case, DatasetConfig
from sharpen.errors import EmptyDatasetError, MissingExtraError, PlanError

# PyYAML writes YAML 1.1, in which 0E0, +.5 and 0o7 are texts and stand unquoted; in YAML 1.2 they are numbers
_NUMBER = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|0[ox]\w+|[-+]?\.\w+")
_text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=15).filter(
    lambda text: not _NUMBER.fullmatch(text)
)
_name = st.text("abcdefgh_", min_size=1, max_size=6)
_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_name, inner, max_size=3),
    max_leaves=5,
)
_cases = st.lists(
    st.builds(
        Case,
        id=_text.filter(bool),
        vars=st.dictionaries(_name, _value, max_size=4),
        expected=_value,
        metadata=st.dictionaries(_name, _value, max_size=2),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda case: case.id,
)
_property = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(path: Path, **fields: Any) -> list[Case]:
    return list(iter_cases(DatasetConfig(path=path, **fields)))


@_property
@given(_cases)
def test_round_trips(tmp_path: Path, cases: list[Case]) -> None:
    rows = [case.model_dump(mode="json") for case in cases]
    texts = {
        "c.jsonl": "".join(json.dumps(row) + "\r\n" for row in rows),
        "c.json": json.dumps(rows),
        "c.yaml": yaml.safe_dump(rows, allow_unicode=True),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
        assert read(tmp_path / name) == cases, name


@_property
@given(
    st.lists(_name.filter(lambda name: name not in ("id", "expected")), min_size=1, max_size=4, unique=True),
    st.data(),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_csv_round_trips(tmp_path: Path, columns: list[str], data: st.DataObject, newline: str, mark: bool) -> None:
    cell = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1, max_size=12)
    rows = data.draw(st.lists(st.tuples(cell, *[cell for _ in columns]), min_size=1, max_size=5))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator=newline)
    writer.writerow(["expected", *columns])
    writer.writerows(rows)
    (tmp_path / "c.csv").write_bytes((b"\xef\xbb\xbf" if mark else b"") + stream.getvalue().encode())
    cases = read(tmp_path / "c.csv")
    assert [(case.expected, *case.vars.values()) for case in cases] == rows
    assert all(list(case.vars) == columns for case in cases)
    assert cases[-1].id == f"case-{len(rows):04d}"


def test_csv_columns(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text('id,message,expected\nfirst,"a, ""b""\nc",x\n\nsecond,,\n')
    assert read(tmp_path / "c.csv") == [
        Case(id="first", vars={"message": 'a, "b"\nc'}, expected="x"),
        Case(id="second", vars={"message": ""}, expected=""),
    ]


def test_csv_with_a_long_document(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("text\n" + "x" * 300_000 + "\n")
    (case,) = read(tmp_path / "c.csv")
    assert len(case.vars["text"]) == 300_000


@pytest.mark.parametrize("content", ["", "q,expected\n"])
def test_csv_without_a_row(tmp_path: Path, content: str) -> None:
    (tmp_path / "c.csv").write_text(content)
    with pytest.raises(EmptyDatasetError):
        read(tmp_path / "c.csv")


def test_csv_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_bytes("q,expected\n1,2\n".encode("utf-16"))
    with pytest.raises(PlanError, match=r"c.csv:1: byte 0xff is not UTF-8; expected a text file saved as UTF-8"):
        read(tmp_path / "c.csv")


def test_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    moment = datetime.datetime(2026, 3, 14, 9, 26, tzinfo=datetime.UTC)
    table = arrow.table(
        {
            "id": ["a", None],
            "q": ["x", None],
            "when": [moment, None],
            "day": [moment.date(), None],
            "price": [decimal.Decimal("12.50"), None],
            "score": [1.5, float("nan")],
            "tags": [["p", "q"], []],
            "meta": [{"n": 1}, None],
            "expected": ["yes", "no"],
        }
    )
    parquet.write_table(table, tmp_path / "c.parquet")
    first, second = read(tmp_path / "c.parquet")
    assert first.vars == {
        "q": "x", "when": "2026-03-14T09:26:00+00:00", "day": "2026-03-14", "price": "12.50", "score": 1.5,
        "tags": ["p", "q"], "meta": {"n": 1},
    }  # fmt: skip
    assert (first.id, second.id, second.expected, second.vars["score"]) == ("a", "case-0002", "no", None)
    json.dumps(first.model_dump(mode="json"))


def test_parquet_of_bytes_or_nonsense(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    parquet.write_table(arrow.table({"q": [b"\x00"]}), tmp_path / "c.parquet")
    with pytest.raises(PlanError, match=r"c\.parquet row 1: holds a value of type bytes; expected text"):
        read(tmp_path / "c.parquet")
    (tmp_path / "d.parquet").write_text("no parquet at all")
    with pytest.raises(PlanError, match=r"d\.parquet: not valid Parquet: "):
        read(tmp_path / "d.parquet")


def test_parquet_without_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "c.parquet").write_text("x")
    with pytest.raises(MissingExtraError, match=r"pip install 'sharpen\[parquet\]'"):
        read(tmp_path / "c.parquet")


def test_format_and_limit(tmp_path: Path) -> None:
    (tmp_path / "c.data").write_text("q\na\nb\nc,too many\n")
    assert [case.vars["q"] for case in read(tmp_path / "c.data", format="csv", limit=2)] == ["a", "b"]
    inline = DatasetConfig(cases=[{}, {}, {}], limit=2)
    assert len(list(iter_cases(inline))) == 2


def test_ids(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"id": 7}\n{"id": null}\n\n{}\n')
    assert [case.id for case in read(tmp_path / "c.jsonl")] == ["7", "case-0002", "case-0003"]


def test_a_given_id_may_take_a_later_default(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"id": "case-0002"}\n{}\n')
    with pytest.raises(PlanError, match=r"id 'case-0002' is taken by case 1 \(.*c.jsonl:1\)"):
        read(tmp_path / "c.jsonl")


def test_inline_without_a_case() -> None:
    with pytest.raises(EmptyDatasetError, match="holds no case"):
        list(iter_cases(DatasetConfig(cases=[])))


def test_good_rows_come_before_the_first_wrong_one(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text("{}\n{}\n5\n{}\n6\n")
    cases = iter_cases(DatasetConfig(path=tmp_path / "c.jsonl"))
    assert [next(cases).id, next(cases).id] == ["case-0001", "case-0002"]
    with pytest.raises(PlanError) as caught:
        next(cases)
    assert [problem.where[-2:] for problem in caught.value.problems] == [":3", ":5"]


def test_many_mistakes_are_capped(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text("5\n" * 1000)
    with pytest.raises(PlanError) as caught:
        read(tmp_path / "c.jsonl")
    assert len(caught.value.problems) == SHOWN + 1
    assert str(caught.value).endswith("and 980 more mistakes in this data set")


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "yaml"])
def test_a_file_that_cannot_be_opened(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"c.{ending}"
    path.write_text("x")

    def refuse(self: Path, *_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(PlanError, match=f"c.{ending}: cannot be read: Permission denied"):
        read(path)


@pytest.mark.parametrize("name", ["a" * 300 + ".csv", "a\0b.csv"])
def test_a_name_that_no_file_has(name: str) -> None:
    with pytest.raises(PlanError, match="there is no file"):
        read(Path(name), format="csv")


def test_large_files_are_streamed(tmp_path: Path) -> None:
    rows = 4_000
    padding = "x" * 2_000
    with (tmp_path / "c.jsonl").open("w") as file:
        file.writelines(json.dumps({"vars": {"n": n, "text": padding}, "expected": n % 3}) + "\n" for n in range(rows))
    tracemalloc.start()
    number = sum(1 for _ in iter_cases(DatasetConfig(path=tmp_path / "c.jsonl")))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert number == rows
    assert peak < 3_000_000, "8 MB of text passed through; only the ids may stay"
