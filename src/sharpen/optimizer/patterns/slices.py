"""Properties of inputs by which cases are sliced, and which of the slices are really worse. Pure.

A slice is tested on independent units: of the cases of one group only the first counts, since cases of a group fail
together and a test that takes them for independent finds slices where there are none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sharpen.optimizer.patterns.exact_test import fisher_worse
from sharpen.optimizer.patterns.models import InputSlice
from sharpen.optimizer.patterns.task import Task, answer_text
from sharpen.optimizer.ports import CaseOutcome, LabelledCase
from sharpen.optimizer.statistics import holm

ALPHA = 0.05
MIN_CASES = 8
"""A slice has at least so many cases, and as many are outside of it."""
MAX_VALUES = 20
"""A key with more different values than that is no category."""
LONGEST_VALUE = 40
SEEN = 4_000
"""Characters of an input that are looked at for its features; its length is counted whole."""

_FEATURES: tuple[tuple[str, str, Callable[[str], object]], ...] = (
    ("digits", "with digits", re.compile(r"\d").search),
    ("question", "with a question mark", re.compile(r"[?？؟]").search),
    ("url", "with a web address", re.compile(r"https?://|www\.\w", re.IGNORECASE).search),
    ("capitals", "with many capitals", lambda text: _mostly_upper(text)),
    ("non_ascii", "with letters or signs beyond ASCII", lambda text: not text.isascii()),
    ("lines", "of several lines", re.compile(r"\S[ \t]*\n\s*\S").search),
    ("quotes", "with quotation marks", re.compile(r"[\"“”„«»]").search),
)


def worse_slices(
    cases: Sequence[LabelledCase],
    outcomes: Mapping[str, CaseOutcome],
    task: Task,
    weights: tuple[float, float] = (1.0, 1.0),
) -> tuple[tuple[InputSlice, ...], int]:
    """The slices that fail more often than the rest (family-wise error 5 %), worst first, and how many were tested.

    ``weights``: how many failing and passing cases each of those given stands for; rates are made right by them. The
    test needs no such correction: whether two things are independent does not depend on how many of either are drawn.
    """
    ran = [case for case in cases if (found := outcomes.get(case.case_id)) is not None and found.ran]
    failing = [not outcomes[case.case_id].passed for case in ran]
    if not any(failing) or all(failing):
        return (), 0
    units = _units(ran)
    tested: list[InputSlice] = []
    seen: set[bytes] = set()
    for slice_id, name, members in _slices(ran, task):
        inside = bytearray(len(ran))
        for index in members:
            inside[index] = 1
        if bytes(inside) in seen or not MIN_CASES <= len(members) <= len(ran) - MIN_CASES:
            continue  # two names of one slice are one slice: testing it twice would only weaken the correction
        seen.add(bytes(inside))
        tested.append(_tested(slice_id, name, inside, failing, units, weights))
    adjusted = holm([item.p_value for item in tested])
    worse = [item.model_copy(update={"p_adjusted": p}) for item, p in zip(tested, adjusted, strict=True) if p <= ALPHA]
    return tuple(sorted(worse, key=lambda item: (item.p_adjusted, item.p_value, item.id))), len(tested)


def _tested(
    slice_id: str, name: str, inside: bytearray, failing: list[bool], units: list[int], weights: tuple[float, float]
) -> InputSlice:
    cases = sum(inside)
    failures = sum(bad for bad, within in zip(failing, inside, strict=True) if within)
    units_in = [index for index in units if inside[index]]
    bad_in = sum(failing[index] for index in units_in)
    bad_all = sum(failing[index] for index in units)
    p = fisher_worse(bad_in, len(units_in), bad_all - bad_in, len(units) - len(units_in))
    return InputSlice(
        id=slice_id,
        name=name,
        cases=cases,
        failures=failures,
        rate=_rate(failures, cases - failures, weights),
        rate_outside=_rate(sum(failing) - failures, len(failing) - cases - sum(failing) + failures, weights),
        p_value=p,
        p_adjusted=p,
    )


def _rate(failures: int, passes: int, weights: tuple[float, float]) -> float:
    bad, good = failures * weights[0], passes * weights[1]
    return bad / (bad + good) if bad + good else 0.0


def _units(cases: Sequence[LabelledCase]) -> list[int]:
    seen: set[str] = set()
    units = []
    for index, case in enumerate(cases):
        if case.group is None or case.group not in seen:
            units.append(index)
            if case.group is not None:
                seen.add(case.group)
    return units


def _slices(cases: Sequence[LabelledCase], task: Task) -> Iterator[tuple[str, str, list[int]]]:
    """Id, name and the indices of the cases of every slice worth a look."""
    texts = ["\n".join(answer_text(value) for value in case.variables.values()) for case in cases]
    yield from _by_length([len(text) for text in texts])
    for feature, name, holds in _FEATURES:
        yield f"text:{feature}", f"inputs {name}", [index for index, text in enumerate(texts) if holds(text[:SEEN])]
    yield from _by_value("metadata", [case.metadata or {} for case in cases])
    yield from _by_value("input", [case.variables for case in cases])
    if task.kind == "labels":
        yield from _by_value("expected", [{"answer": case.expected} for case in cases])


def _by_length(lengths: list[int]) -> Iterator[tuple[str, str, list[int]]]:
    """Three parts of about equal size, by characters."""
    ordered = sorted(lengths)
    low, high = ordered[len(ordered) // 3], ordered[2 * len(ordered) // 3]
    if low == high:
        return
    parts: tuple[tuple[str, str, Callable[[int], bool]], ...] = (
        ("short", f"short inputs (up to {low:,} characters)", lambda n: n <= low),
        ("middle", f"inputs of middle length ({low + 1:,} to {high:,} characters)", lambda n: low < n <= high),
        ("long", f"long inputs (over {high:,} characters)", lambda n: n > high),
    )
    for part, name, holds in parts:
        yield f"length:{part}", name, [index for index, length in enumerate(lengths) if holds(length)]


def _by_value(kind: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, list[int]]]:
    """Each value of each key that looks like a category."""
    keys: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    dropped: set[str] = set()
    for index, row in enumerate(rows):
        for key, value in row.items():
            if key in dropped:
                continue
            text = answer_text(value) if isinstance(value, str | bool | int) else None
            if text is None or len(text) > LONGEST_VALUE or (text not in keys[key] and len(keys[key]) >= MAX_VALUES):
                dropped.add(key)
                keys.pop(key, None)
            else:
                keys[key][text].append(index)
    for key, values in keys.items():
        for value, members in values.items():
            name = f"{key} is {value!r}" if kind != "expected" else f"expected answer {value!r}"
            yield f"{kind}:{key}={value}", name, members


def _mostly_upper(text: str) -> bool:
    upper = sum(1 for sign in text if sign.isupper())
    return upper >= 5 and upper > 0.3 * sum(1 for sign in text if sign.isalpha())
