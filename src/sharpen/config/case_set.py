"""A data set of any size as one collection: small ones are held, large ones read anew on every pass.

One pass, the survey, checks every row and notes what a plan's checks ask for; it keeps no row of a large data set but
a sample. Memory then depends on neither the number of rows nor their size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import TypeAdapter

from sharpen.config.datasets import iter_cases, read_cases
from sharpen.config.files import display
from sharpen.config.models import Case, DatasetConfig
from sharpen.config.reservoir import Reservoir
from sharpen.errors import Problem, UserError

HELD = 10_000
"""Data sets of up to so many cases stay in memory."""
SAMPLE = 1_000
"""So many cases of a larger one do: a uniform random sample, the same one every time."""
NAMED = 5
"""So many cases of one shape are known by their ids."""
SHAPES = 4_096
"""A data set with more different combinations of variables is not described by its shapes."""
_WITHOUT_GROUP = {"__all__": {"group"}}
_WHOLE_DOCUMENTS = ("json", "yaml")  # one value that cannot be read in parts: what is in memory anyway stays there


@dataclass(slots=True)
class Shape:
    """Cases that have the same variables: how many, and the first of them as (number, id)."""

    names: tuple[str, ...]
    answered: bool
    count: int = 0
    first: list[tuple[int, str]] = field(default_factory=list)


@runtime_checkable
class Sampled(Protocol):
    """Cases that may be too many to be held, but for some of them."""

    @property
    def sample(self) -> Sequence[Case]:
        """Up to ``SAMPLE`` of them, in order."""
        ...


@runtime_checkable
class Lookup(Protocol):
    """Cases that are known by their ids without being held."""

    def of(self, case_ids: Collection[str]) -> Mapping[str, Case]:
        """Those of some cases; ids that are not known are left out."""
        ...


class CaseSet(Collection[Case]):
    """The cases of a data set: ``len`` is known, ``iter`` begins anew each time, any number of times.

    Made by ``CaseSet.survey``, mostly through ``RunManifest.case_set()``. Attributes: ``held`` (all cases, when there
    are at most ``HELD`` or the format is one JSON or YAML document; else None), ``sample`` (up to ``SAMPLE`` cases in
    order; all of a held set), ``columns`` (every variable's name), ``own_assertions`` (some case has assertions of
    its own), ``shapes`` (in order of their first case; None when there are too many), ``content_hash``. Iterating
    raises ``UserError`` when the file is no longer what was surveyed.
    """

    def __init__(self, dataset: DatasetConfig) -> None:
        """Nothing is read yet: see ``survey``."""
        self.dataset = dataset
        self.held: tuple[Case, ...] | None = None
        self.sample: tuple[Case, ...] = ()
        self.own_assertions = False
        self.shapes: tuple[Shape, ...] | None = ()
        self.columns: frozenset[str] = frozenset()
        self._count = 0
        self._stamp = _stamp(dataset.path)

    @classmethod
    def survey(cls, dataset: DatasetConfig) -> CaseSet:
        """Read the data set once, checking every row.

        Raises ``PlanError`` with the data set's mistakes (``EmptyDatasetError`` when it holds no case) and
        ``MissingExtraError``.
        """
        found = cls(dataset)
        found._read()
        return found

    def _read(self) -> None:
        shapes: dict[tuple[tuple[str, ...], bool], Shape] = {}
        sample = Reservoir[Case](SAMPLE)
        keep_all = self.dataset.cases is not None or self.dataset.file_format in _WHOLE_DOCUMENTS
        held: list[Case] | None = []
        number = 0
        for number, case in enumerate(iter_cases(self.dataset), start=1):
            if held is not None:
                held.append(case)
                if number > HELD and not keep_all:
                    for earlier in held:
                        sample.offer(earlier)
                    held = None
            elif sample.number + 1 == sample.next:
                sample.offer(case)
            else:
                sample.number += 1
            key = (tuple(case.vars), case.expected is not None)
            shape = shapes.get(key)
            if shape is None:
                if len(shapes) > SHAPES:
                    key = ((), False)  # one too many: from here on they are not told apart
                shape = shapes.setdefault(key, Shape(*key))
                self.columns |= case.vars.keys()
            shape.count += 1
            if len(shape.first) < NAMED:
                shape.first.append((number, case.id))
            if case.assertions:
                self.own_assertions = True
        self._count = number
        self.shapes = tuple(shapes.values()) if len(shapes) <= SHAPES else None
        self.held = tuple(held) if held is not None else None
        self.sample = self.held if self.held is not None else sample.in_order()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Case]:
        return iter(self.held) if self.held is not None else self._stream()

    def __contains__(self, case: object) -> bool:
        return any(case == other for other in self)

    def __repr__(self) -> str:
        where = display(self.dataset.path) if self.dataset.path else "the plan"
        return f"<CaseSet of {self._count:,} cases from {where}>"

    def _stream(self) -> Iterator[Case]:
        """The file once more. The survey has found every row right and every id unique: neither is asked again."""
        count = 0
        self._same_file()
        for case in read_cases(self.dataset, None):
            if isinstance(case, Problem):
                raise self._changed_error()
            count += 1
            yield case
        self._same_file()
        if count != self._count:
            raise self._changed_error()

    @property
    def changed(self) -> bool:
        """The file's size or time of change is not what it was before the survey."""
        return _stamp(self.dataset.path) != self._stamp

    def _same_file(self) -> None:
        if self.changed:
            raise self._changed_error()

    def _changed_error(self) -> UserError:
        where = display(self.dataset.path) if self.dataset.path else "the data set"
        return UserError(
            f"{where} was changed after it had been checked (then {self._count:,} cases); "
            "leave the file alone while it is in use, and start anew"
        )

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 (hex) of the cases: of their JSON when they are held, else of the file's bytes (and the limit)."""
        digest = hashlib.sha256()
        if self.held is not None:
            grouped = any(case.group is not None for case in self.held)  # without groups: the hash of older versions
            dumped = TypeAdapter(tuple[Case, ...]).dump_json(self.held, exclude=None if grouped else _WITHOUT_GROUP)
            digest.update(dumped)
        else:
            assert self.dataset.path is not None  # only a file is read anew
            self._same_file()
            with self.dataset.path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256")
            digest.update(f"\n{self.dataset.file_format} {self.dataset.limit}".encode())
            self._same_file()
        return digest.hexdigest()


def sampled(cases: Collection[Case]) -> Sequence[Case]:
    """``cases`` themselves when they are in memory, else their sample: for what need not look at every case."""
    if isinstance(cases, Sampled):
        return cases.sample
    return cases if isinstance(cases, Sequence) else tuple(cases)


def cases_by_id(cases: Collection[Case], case_ids: Collection[str]) -> Mapping[str, Case]:
    """Those of ``cases`` that bear these ids, looked up where they can be, else found by looking at all."""
    if isinstance(cases, Lookup):
        return cases.of(case_ids)
    wanted = frozenset(case_ids)
    return {case.id: case for case in cases if case.id in wanted}


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """Size in bytes and time of the last change in ns; None when there is no file."""
    try:
        found = path.stat() if path else None
    except (OSError, ValueError):  # ValueError: a NUL byte in the name
        return None
    return (found.st_size, found.st_mtime_ns) if found else None
