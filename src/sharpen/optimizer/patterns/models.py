"""What the failures of a run have in common, as it is reported, stored and handed to strategies. Data only."""

from __future__ import annotations

from pydantic import Field

from sharpen.executor.models import Record


class PatternExample(Record):
    """One failing case of a group, every text on one line and cut to a length that can be shown."""

    case_id: str
    input: str = ""
    expected: str = ""
    output: str | None = None
    reason: str = ""


class ErrorGroup(Record):
    """Failures of one kind. ``share`` is that of all failures, 0..1; ``strategies`` may mend it, best first.

    ``id`` is the kind, with what tells groups of one kind apart behind a colon (``wrong_label:billing>shipping``).
    """

    id: str
    kind: str
    name: str
    size: int = Field(ge=1)
    share: float = Field(ge=0, le=1)
    examples: tuple[PatternExample, ...] = ()
    suggestion: str = ""
    strategies: tuple[str, ...] = ()


class ConfusionTable(Record):
    """Which label was expected (rows) and which one was given (columns), over all cases that ran.

    ``counts[row][column]``; the last column, ``other``, counts answers that name no label of the set, or several.
    """

    expected: tuple[str, ...]
    given: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class InputSlice(Record):
    """Cases that share a property of their input and fail more often than the others. Rates are of failing, 0..1.

    ``p_value``: one-sided exact test of Fisher; ``p_adjusted``: corrected by Holm's method for all slices looked at.
    """

    id: str
    name: str
    cases: int = Field(ge=1)
    failures: int = Field(ge=0)
    rate: float = Field(ge=0, le=1)
    rate_outside: float = Field(ge=0, le=1)
    p_value: float = Field(ge=0, le=1)
    p_adjusted: float = Field(ge=0, le=1)


class ErrorPatterns(Record):
    """What went wrong, grouped: every failure looked at is in exactly one group, so that the sizes add up.

    ``cases`` ran and ``failures`` of them failed; ``looked_at`` failures are in the groups (fewer than ``failures``
    where a sample stands for all). ``slices`` holds those that are really worse, of ``slices_tested``. ``strategies``
    is the order in which to try what may help. ``basis`` says which cases these are.
    """

    cases: int = Field(default=0, ge=0)
    failures: int = Field(default=0, ge=0)
    looked_at: int = Field(default=0, ge=0)
    groups: tuple[ErrorGroup, ...] = ()
    confusion: ConfusionTable | None = None
    slices: tuple[InputSlice, ...] = ()
    slices_tested: int = Field(default=0, ge=0)
    strategies: tuple[str, ...] = ()
    basis: str = ""
