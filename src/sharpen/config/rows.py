"""The rows of a data file, one reader for each format. JSONL, CSV and Parquet are streamed.

A row of JSONL, JSON and YAML is a case as it stands. The columns of CSV and Parquet are the case's variables, with
``id`` and ``expected`` apart. Rows of a CSV file are counted as a spreadsheet shows them: the header is row 1.
"""

from __future__ import annotations

import csv
import datetime
import decimal
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from sharpen.config.documents import KeyPath, load_json, parse
from sharpen.config.files import decode, display, file_problem, iter_lines, read_text
from sharpen.config.models import DataFormat
from sharpen.config.redact import show
from sharpen.errors import MissingExtraError, PlanError, Problem

_LARGEST_CELL = 64 * 1024 * 1024  # characters; the csv module's own limit of 131072 is short for documents


@dataclass(slots=True)  # not frozen: there may be a million, and a frozen one takes three times as long to make
class Row:
    """One case as the user wrote it; ``where`` finds the place of a key path inside it, ``prefix`` leads to it."""

    data: Any
    where: Callable[[KeyPath], str]
    prefix: KeyPath = ()


def read_rows(path: Path, format: DataFormat) -> Iterator[Row | Problem]:
    """All rows in order; a row that cannot be read comes as its problem, and reading goes on where it can.

    Raises ``MissingExtraError`` for Parquet without its extra.
    """
    if problem := file_problem(path, f"a {format} file of cases", key="dataset.path"):
        yield problem
        return
    try:
        yield from _READERS[format](path)
    except PlanError as error:
        yield from error.problems


def _jsonl(path: Path) -> Iterator[Row | Problem]:
    name = display(path)
    for number, line in enumerate(iter_lines(path), start=1):
        data = _plain_json(line)
        if data is not None:
            yield _placed(data, f"{name}:{number}")
        elif (row := _json_line(line, path, number, name)) is not None:
            yield row


def _plain_json(line: bytes) -> Any | None:
    r"""The value of a line that is beyond doubt; None for any other, which the careful look is for.

    Parsers keep the last of two equal keys. Every key brings one ``":``, texts may only bring more (as ``\":``), so a
    line with as many as its value has keys repeats none; white space before the colon would hide one.
    """
    try:
        data = from_json(line, allow_inf_nan=False, cache_strings="keys")
    except ValueError:
        return None
    spaced = b'" ' in line or b'"\t' in line or b'"\r' in line
    if line.count(b'":') != _keys_in(data) or (spaced and _SPACED_COLON.search(line)):
        return None
    return data


_SPACED_COLON = re.compile(rb'"[ \t\r]+:')


def _keys_in(value: Any) -> int:
    """The number of keys of all mappings in a JSON value."""
    count = 0
    if type(value) is dict:
        count = len(value)
        value = value.values()
    elif type(value) is not list:
        return 0
    for item in value:
        kind = type(item)
        if kind is dict or kind is list:
            count += _keys_in(item)
    return count


def _json_line(line: bytes, path: Path, number: int, name: str) -> Row | Problem | None:
    """A line in full: what it holds, or what is wrong with it. None when it is blank."""
    where = f"{name}:{number}"
    try:
        text = decode(line, path, number)
        if not text.strip():
            return None
        data, repeated = load_json(text.rstrip("\r\n"))
    except PlanError as error:
        return error.problems[0]
    except json.JSONDecodeError as error:
        return Problem(f"not valid JSON: {error.msg} (column {error.colno})", where, expected="one JSON object a line")
    except ValueError as error:
        return Problem(f"not valid JSON: {error}", where)
    if repeated:
        return Problem(f"key {repeated[0]!r} stands twice", where, expected="every key once")
    return _placed(data, where)


def _placed(data: Any, where: str) -> Row:
    return Row(data, lambda _: where)


def _document(path: Path, format: DataFormat) -> Iterator[Row | Problem]:
    document = parse(read_text(path), path, format=format)
    yield from document.problems
    if document.data is None:
        return
    if not isinstance(document.data, list):
        yield Problem(f"got {show(document.data)}", document.where(), expected="a list of cases")
        return
    for index, data in enumerate(document.data):
        yield Row(data, lambda inner, index=index: document.where((index, *inner)))  # type: ignore[misc] # mypy cannot infer lambdas with defaults


def _csv(path: Path) -> Iterator[Row | Problem]:
    name = display(path)
    csv.field_size_limit(max(csv.field_size_limit(), _LARGEST_CELL))  # of the whole process, and only ever raised
    reader = csv.reader(_text_lines(path), strict=True)
    header: list[str] | None = None
    for number in count(1):
        where = f"{name} row {number}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Problem(f"not valid CSV: {error}", where, expected="quotes around cells that hold commas or quotes")
            return
        if not cells:
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
            if problem := _header_problem(header, where):
                yield problem
                return
        elif len(cells) != len(header):
            yield Problem(f"cells in this row: {len(cells)}", where, expected=f"{len(header)}, as in the header")
        else:
            yield _tabular(dict(zip(header, cells, strict=True)), where)


def _text_lines(path: Path) -> Iterator[str]:
    for number, line in enumerate(iter_lines(path), start=1):
        yield decode(line, path, number)


def _header_problem(header: Sequence[str], where: str) -> Problem | None:
    if len(header) == 1 and (separator := next((mark for mark in ";\t|" if mark in header[0]), None)):
        return Problem(f"the separator seems to be {separator!r}", where, expected="commas between cells")
    if "" in header:
        return Problem(f"column {header.index('') + 1} has no name", where, expected="a name for every column")
    twice = next((name for index, name in enumerate(header) if name in header[:index]), None)
    if twice is not None:
        return Problem(f"two columns are named {twice!r}", where, expected="every name once")
    return None


def _parquet(path: Path) -> Iterator[Row | Problem]:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingExtraError("reading a Parquet file", "parquet") from error
    name = display(path)
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                for cells in batch.to_pylist():
                    number += 1
                    where = f"{name} row {number}"
                    try:
                        yield _tabular({column: _plain(value) for column, value in cells.items()}, where)
                    except ValueError as error:
                        yield Problem(str(error), where, expected="text, numbers, lists or mappings")
    except (arrow.ArrowException, OSError) as error:
        yield Problem(f"not valid Parquet: {str(error).splitlines()[0]}", name)


def _plain(value: Any) -> Any:
    """A Parquet value as JSON knows it: moments in ISO form, decimals as text, NaN as null."""
    if value is None or type(value) is str:
        return value
    match value:
        case float():
            return value if math.isfinite(value) else None
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case decimal.Decimal():
            return str(value)
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case bool() | int() | str():
            return value
        case _:
            raise ValueError(f"holds a value of type {type(value).__name__}")


def _tabular(cells: dict[str, Any], where: str) -> Row:
    """The columns are variables, but for ``id`` and ``expected``, which stand apart. Takes ``cells`` over."""
    case: dict[str, Any] = {key: cells.pop(key) for key in ("id", "expected") if key in cells}
    case["vars"] = cells
    return _placed(case, where)


_READERS: dict[DataFormat, Callable[[Path], Iterator[Row | Problem]]] = {
    "jsonl": _jsonl,
    "json": lambda path: _document(path, "json"),
    "yaml": lambda path: _document(path, "yaml"),
    "csv": _csv,
    "parquet": _parquet,
}
