"""Rows → cases. Every mistake of a data set is reported, the first twenty in full.

A case is ``{id?, vars, expected?, assertions?, metadata?, group?}``. A case without an id gets ``case-0001`` and so on,
by its place in the data set counted from 1. A number as id is taken as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from pydantic import ValidationError

from sharpen.config.assertions import AssertionPart, template_texts
from sharpen.config.documents import dotted
from sharpen.config.files import display
from sharpen.config.ids import Ids, Watched
from sharpen.config.models import Case, DatasetConfig, default_case_id
from sharpen.config.prompt_files import template_problem
from sharpen.config.redact import mask, show
from sharpen.config.rows import Row, read_rows
from sharpen.errors import EmptyDatasetError, PlanError, Problem, suggest

SHOWN = 20
"""How many mistakes of one data set are told in full."""

_KEYS = tuple(Case.model_fields)
_ID = ("id",)


def iter_cases(dataset: DatasetConfig) -> Iterator[Case]:
    """The cases in order, streamed where the format allows it, checked as they come.

    Raises ``PlanError`` at the first wrong row, after reading on to collect the other mistakes, or at the end, for an
    id that two of more than 10,000 cases share; ``EmptyDatasetError`` when there is no case; ``MissingExtraError`` for
    Parquet without its extra.
    """
    ids = Ids()
    found = read_cases(dataset, ids)
    empty = True
    for case in found:
        empty = False
        if isinstance(case, Problem):
            problems = collect([case, *_problems(found)])
            raise PlanError(_second_look(dataset, ids) or problems)
        yield case
    if problems := _second_look(dataset, ids):
        raise PlanError(problems)
    if empty:
        raise EmptyDatasetError(empty_problem(dataset))


def read_cases(dataset: DatasetConfig, ids: Ids | None) -> Iterator[Case | Problem]:
    """Cases and problems in order. ``ids``: see ``build_cases``."""
    if dataset.cases is not None:
        return iter(dataset.cases[: dataset.limit])  # compared by the model itself
    assert dataset.path is not None  # the model's own rules
    assert dataset.file_format is not None
    return build_cases(islice(read_rows(dataset.path, dataset.file_format), dataset.limit), ids)


def _second_look(dataset: DatasetConfig, ids: Ids) -> list[Problem]:
    """Everything wrong with the data set, when ids repeat of which only hashes are known; else nothing."""
    repeated = ids.repeated()
    return collect(_problems(read_cases(dataset, Watched(repeated)))) if repeated else []


def _problems(found: Iterable[Case | Problem]) -> Iterator[Problem]:
    return (item for item in found if isinstance(item, Problem))


def empty_problem(dataset: DatasetConfig) -> Problem:
    """What to say of a data set without a case."""
    return Problem("holds no case", display(dataset.path) if dataset.path else "", "dataset", "at least one case")


def collect(problems: Iterable[Problem]) -> list[Problem]:
    """The first ``SHOWN`` problems, and how many more there are."""
    shown: list[Problem] = []
    more = 0
    for problem in problems:
        if len(shown) < SHOWN:
            shown.append(problem)
        else:
            more += 1
    if more:
        shown.append(Problem(f"and {more} more mistake{'s' if more > 1 else ''} in this data set"))
    return shown


def build_cases(rows: Iterable[Row | Problem], ids: Ids | None) -> Iterator[Case | Problem]:
    """Cases and problems, in the order of the rows; two cases of one id are a problem that names both.

    ``ids`` notes the ids (None: they are known to be unique, and not compared).
    """
    validate = Case.model_validate
    for number, row in enumerate(rows, start=1):
        if isinstance(row, Problem):
            yield row
            continue
        data, where, prefix = row.data, row.where, row.prefix
        try:
            case = validate(with_id(data, number))
            whole = not case.assertions
        except (ValidationError, TypeError):  # the careful look finds words for it
            whole = False
        if not whole:
            built = _build(row, number)
            if not isinstance(built, Case):
                yield from built
                continue
            case = built
        if ids is not None:
            here = where(_ID)
            first = ids.first(case.id, number, here)
            if first is not None:
                message = f"id {case.id!r} is taken by case {first[0]} ({first[1]})"
                yield Problem(message, here, dotted((*prefix, "id")), "every id once")
                continue
        yield case


def with_id(data: dict[str, Any], number: int) -> dict[str, Any]:
    """A row with the id of its case: its own, as text, else by its number. Raises ``TypeError`` for what is no row."""
    identity = data.get("id") if type(data) is dict else _no_row(data)
    if type(identity) is str:
        return data
    if identity is None:
        return {**data, "id": default_case_id(number)}
    return {**data, "id": str(identity)} if type(identity) is int else data


def _no_row(data: object) -> str:
    raise TypeError(type(data).__name__)


def _build(row: Row, number: int) -> Case | list[Problem]:
    if not isinstance(row.data, dict):
        return [Problem(f"got {show(row.data)}", row.where(()), dotted(row.prefix), "a case: {vars: {…}, expected: …}")]
    unknown = [key for key in row.data if key not in _KEYS]
    problems = [_unknown_key(key, row) for key in unknown]
    data = with_id({key: row.data[key] for key in row.data if key in _KEYS}, number)
    try:
        case = Case.model_validate(data)
    except ValidationError as error:
        from sharpen.config.explain import problems_of

        return problems + problems_of(error, Case, data, row.where, row.prefix)
    for index, assertion in enumerate(case.assertions):
        key = (*row.prefix, "assertions", index, "value")
        problems.extend(template_problems(assertion, row.where(("assertions", index, "value")), dotted(key)))
    return problems or case


def _unknown_key(key: object, row: Row) -> Problem:
    hint = suggest(str(key), _KEYS) if isinstance(key, str) else ""
    close = hint if hint.startswith("did you mean") else ""
    message = f"unknown key {mask(repr(key))}{f'; {close}' if close else ''}"
    expected = f"one of {', '.join(_KEYS)}; a variable stands under vars: {{vars: {{{mask(str(key))}: …}}}}"
    return Problem(message, row.where((key,)), dotted((*row.prefix, key)), expected)  # type: ignore[arg-type] # keys of hand-written YAML may be anything


def template_problems(assertion: AssertionPart, where: str, key: str) -> list[Problem]:
    """The syntax errors of an assertion's ``value``, where that is a template; all at the one place ``where``."""
    found = (template_problem(text, "", 1, key) for text in template_texts(assertion))
    return [replace(problem, where=where) for problem in found if problem]
