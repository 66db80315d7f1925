"""Which label was given where which one was right. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sharpen.optimizer.patterns.models import ConfusionTable
from sharpen.optimizer.patterns.shape import Shape
from sharpen.optimizer.patterns.task import Task, answer_text, plain
from sharpen.optimizer.ports import CaseOutcome, LabelledCase

OTHER = "other"
_RIGHT = frozenset({"label_form", "label_continued", "label_in_prose"})


def confusion_of(
    cases: Sequence[LabelledCase], outcomes: Mapping[str, CaseOutcome], shapes: Mapping[str, Shape], task: Task
) -> ConfusionTable | None:
    """The table of a label task; None for another one. ``shapes``: those of the failing cases, by case id.

    A case that passed gave its own label, and so did one whose answer holds the right label in a wrong form.
    """
    if task.kind != "labels":
        return None
    counted: Counter[tuple[str, str]] = Counter()
    for case in cases:
        outcome, shape = outcomes.get(case.case_id), shapes.get(case.case_id)
        right = task.labels.get(plain(answer_text(case.expected)))
        if outcome is None or not outcome.ran or right is None or (outcome.output is None and not outcome.passed):
            continue
        if shape is None or shape.kind in _RIGHT:
            given = right
        else:
            given = shape.detail if shape.kind == "wrong_label" else OTHER
        counted[right, given] += 1
    rows = tuple(task.labels.values())
    columns = (*rows, OTHER)
    return ConfusionTable(
        expected=rows,
        given=columns,
        counts=tuple(tuple(counted[row, column] for column in columns) for row in rows),
    )
