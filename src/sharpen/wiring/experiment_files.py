"""Online experiments as the command line has them: defined in a file, outcomes from JSONL or CSV."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sharpen.config.documents import parse
from sharpen.config.files import read_text
from sharpen.errors import PlanError, Problem, UserError
from sharpen.experiments.book import ExperimentBook
from sharpen.experiments.experiment import Experiment
from sharpen.experiments.outcomes import Outcome
from sharpen.experiments.ports import StoredExperiment
from sharpen.storage.store import Store
from sharpen.versions.version_manager import VersionManager
from sharpen.wiring.promoting import check_promotable, promoter

FIELDS = tuple(Outcome.model_fields)
_YES, _NO = ("true", "yes", "pass", "success"), ("false", "no", "fail", "failure")


def experiment_book(store: Store) -> ExperimentBook:
    """The online experiments of a store; a win moves the alias that its experiment names."""
    return ExperimentBook(store.experiments, promoter(VersionManager(store.versions)))


def begin_experiment(experiment: Experiment, store: Store) -> StoredExperiment:
    """Define an experiment, or raise the ramp of one that has begun.

    Raises ``UserError`` for other changes, and for versions that a win could not point the alias at: said now, not
    weeks later.
    """
    book = experiment_book(store)
    if experiment.promote is not None and store.experiments.get(experiment.name) is None:
        check_promotable(VersionManager(store.versions), experiment)
    return book.define(experiment)


def load_experiment(path: Path) -> Experiment:
    """An experiment from YAML or JSON. Raises ``PlanError`` that names the file and each key that is wrong,
    ``UserError`` for an alias that no alias can be.
    """
    data = parse(read_text(path), path).data
    if not isinstance(data, dict):
        raise PlanError(Problem("is no experiment", str(path), expected="keys such as name and variants"))
    experiment = Experiment.of(data, str(path))
    if experiment.promote is not None:
        VersionManager.check_alias(experiment.promote)
    return experiment


def read_outcomes(path: Path) -> Iterator[Outcome]:
    """The outcomes of a ``.jsonl`` or ``.csv`` file, in order: ``unit_id``, ``value``, and what else is known.

    Raises ``PlanError`` that names the line, ``UserError`` for a file that cannot be read or of another kind.
    """
    suffix = path.suffix.lower()
    if suffix not in (".jsonl", ".ndjson", ".csv"):
        raise UserError(f"{str(path)!r} holds no outcomes; expected a file that ends in .jsonl or .csv")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _csv(path, file) if suffix == ".csv" else _jsonl(path, file)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {str(path)!r}: {getattr(error, 'strerror', None) or error}") from error


def checked_outcomes(path: Path) -> Iterator[Outcome]:
    """The same, but a mistake in the last line is told before the first outcome is handed out.

    A file is read twice, so that its size costs no memory; a pipe, which can be read once, is held in memory.
    """
    if not path.is_file():
        return iter(tuple(read_outcomes(path)))
    for _ in read_outcomes(path):
        pass
    return read_outcomes(path)


def _jsonl(path: Path, lines: Iterable[str]) -> Iterator[Outcome]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as error:  # nested deeper than Python goes
            raise PlanError(Problem(f"is no JSON: {error}", f"{path}:{number}", expected=_EXAMPLE)) from None
        if not isinstance(data, dict):
            raise PlanError(Problem(f"is {type(data).__name__}, no object", f"{path}:{number}", expected=_EXAMPLE))
        yield _outcome(data, f"{path}:{number}")


def _csv(path: Path, lines: Iterable[str]) -> Iterator[Outcome]:
    reader = csv.DictReader(lines)
    try:
        yield from _rows(path, reader)
    except csv.Error as error:
        raise PlanError(Problem(f"is no CSV: {error}", f"{path}:{reader.line_num}", expected=_CSV)) from None


def _rows(path: Path, reader: csv.DictReader[str]) -> Iterator[Outcome]:
    missing = [name for name in ("unit_id", "value") if name not in (reader.fieldnames or ())]
    if missing:
        found = f"columns {list(reader.fieldnames or ())!r}"
        raise PlanError(Problem(f"has {found}, no {missing[0]!r}", f"{path}:1", expected=f"columns among {FIELDS}"))
    if twice := [name for name, number in Counter(reader.fieldnames).items() if number > 1]:
        raise PlanError(Problem(f"has the column {twice[0]!r} twice", f"{path}:1", expected=_CSV))
    for row in reader:
        where = f"{path}:{reader.line_num}"
        if any(isinstance(cell, str) and len(cell) > _LONGEST_CELL for cell in row.values()):
            # the module's own limit belongs to the whole process: reading a data set raises it
            raise csv.Error(f"field larger than field limit ({_LONGEST_CELL})")
        if None in row or None in row.values():
            raise PlanError(Problem("has not as many cells as the first line", where, expected="one for each column"))
        yield _outcome({name: value for name, value in row.items() if value != ""}, where)


def _outcome(data: Mapping[str, Any], where: str) -> Outcome:
    value = data.get("value")
    if isinstance(value, str) and value.strip().lower() in _YES + _NO:
        data = {**data, "value": float(value.strip().lower() in _YES)}
    if isinstance(data.get("unit_id"), int):
        data = {**data, "unit_id": str(data["unit_id"])}
    try:
        return Outcome.model_validate(data)
    except ValidationError as error:
        raise PlanError(
            [
                Problem(f"{found['msg']}, got {found['input']!r}", where, ".".join(map(str, found["loc"])), _EXAMPLE)
                for found in error.errors()
            ]
        ) from None


_LONGEST_CELL = 131_072  # characters
_CSV = "a header such as unit_id,value and one row for each outcome"
_EXAMPLE = '{"unit_id": "user-17", "value": 1, "at": "2026-03-01T12:00:00Z"}'
