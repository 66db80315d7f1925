"""What failures have in common: groups that a person understands, confused labels, inputs that are really worse. Pure.

Give it the cases that may be learned from, never those held out: what is shown here is what people and models tune by.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from sharpen.optimizer.patterns.confusion import confusion_of
from sharpen.optimizer.patterns.lists import kinds
from sharpen.optimizer.patterns.models import (
    ConfusionTable,
    ErrorGroup,
    ErrorPatterns,
    InputSlice,
    PatternExample,
)
from sharpen.optimizer.patterns.output_shapes import shape_of
from sharpen.optimizer.patterns.shape import Shape
from sharpen.optimizer.patterns.slices import worse_slices
from sharpen.optimizer.patterns.task import answer_text, task_of
from sharpen.optimizer.ports import CaseOutcome, LabelledCase
from sharpen.optimizer.splits import Split

__all__ = [
    "ConfusionTable", "ErrorGroup", "ErrorPatterns", "InputSlice", "PatternExample", "failures_by_group",
    "find_patterns", "group_material", "learning_patterns", "strategies_for",
]  # fmt: skip

EXAMPLES = 2
SHOWN = 300
"""Characters of one text of an example."""
DETAILS = 5
"""So many groups of one kind are told apart, of at least two failures each; the others of the kind are one group."""


def find_patterns(
    cases: Sequence[LabelledCase],
    outcomes: Mapping[str, CaseOutcome],
    *,
    basis: str = "",
    totals: tuple[int, int] | None = None,
) -> ErrorPatterns:
    """Group the failures among ``outcomes`` (by case id; those that did not run count for nothing).

    Sizes add up to the failures looked at. Deterministic: examples are the first of each group in the order of
    ``cases``. Linear in the number of cases. ``totals``: how many cases ran and how many of them failed, where the
    cases given are a sample, drawn apart from the failing and the passing ones.
    """
    ran = [case for case in cases if (found := outcomes.get(case.case_id)) is not None and found.ran]
    failing = [case for case in ran if not outcomes[case.case_id].passed]
    all_cases, all_failures = totals or (len(ran), len(failing))
    if not failing:
        return ErrorPatterns(cases=all_cases, failures=all_failures, basis=basis)
    task = task_of(ran, outcomes)
    shapes = {case.case_id: shape_of(case, outcomes[case.case_id], task) for case in failing}
    passing = len(ran) - len(failing)
    weights = (all_failures / len(failing), (all_cases - all_failures) / passing if passing else 1.0)
    slices, tested = worse_slices(ran, outcomes, task, weights)
    groups = _groups(failing, outcomes, shapes)
    return ErrorPatterns(
        cases=all_cases,
        failures=all_failures,
        looked_at=len(failing),
        groups=groups,
        confusion=confusion_of(ran, outcomes, shapes, task),
        slices=slices,
        slices_tested=tested,
        strategies=_ranked(groups),
        basis=basis,
    )


def failures_by_group(
    cases: Sequence[LabelledCase], outcomes: Mapping[str, CaseOutcome]
) -> dict[str, list[LabelledCase]]:
    """Group id → its failing cases, the groups and their order being those of ``find_patterns``."""
    ran = [case for case in cases if (found := outcomes.get(case.case_id)) is not None and found.ran]
    task = task_of(ran, outcomes)
    shapes = {
        case.case_id: shape_of(case, outcomes[case.case_id], task) for case in ran if not outcomes[case.case_id].passed
    }
    kept = _told_apart(Counter(shapes.values()))
    found_in: dict[str, list[LabelledCase]] = defaultdict(list)
    for case in ran:
        if case.case_id in shapes:
            found_in[kept[shapes[case.case_id]].id].append(case)
    return dict(sorted(found_in.items(), key=lambda item: (-len(item[1]), item[0])))


def learning_patterns(
    cases: Sequence[LabelledCase], outcomes: Mapping[str, CaseOutcome], split: Split
) -> ErrorPatterns | None:
    """The patterns that a search may see: those of train and dev, never of the holdout. None when nothing failed."""
    allowed = {*split.train, *split.dev}
    seen = [case for case in cases if case.case_id in allowed]
    found = find_patterns(seen, outcomes, basis="the train and dev cases, without those held out")
    return found if found.failures else None


def strategies_for(patterns: ErrorPatterns | None) -> tuple[str, ...]:
    """Strategies that may mend these failures, the most promising first; ``auto`` tries them after what the rules say.

    A group speaks for its strategies with its share, for the second one with half of it, for the third with a third.
    """
    return patterns.strategies if patterns else ()


def group_material(group: ErrorGroup) -> str:
    """A group in a few lines for a model that rewrites prompts. What others wrote in it is not made harmless here."""
    lines = [f"{group.name} ({group.size:,} of the failures, {group.share:.0%})"]
    for example in group.examples:
        parts = (
            ("input", example.input),
            ("answer", "(none)" if example.output is None else example.output or "(empty)"),
            ("expected", example.expected),
            ("wrong because", example.reason),
        )
        lines += [f"{'- ' if name == 'input' else '  '}{name}: {text}" for name, text in parts if text]
    if group.suggestion:
        lines.append(f"What may help: {group.suggestion}")
    return "\n".join(lines)


def _groups(
    failing: Sequence[LabelledCase], outcomes: Mapping[str, CaseOutcome], shapes: Mapping[str, Shape]
) -> tuple[ErrorGroup, ...]:
    kept = _told_apart(Counter(shapes.values()))
    sizes: Counter[Shape] = Counter()
    examples: dict[Shape, list[LabelledCase]] = defaultdict(list)
    for case in failing:
        shape = kept[shapes[case.case_id]]
        sizes[shape] += 1
        if len(examples[shape]) < EXAMPLES:
            examples[shape].append(case)
    order = sorted(sizes, key=lambda shape: (-sizes[shape], shape.id))
    return tuple(
        _group(shape, sizes[shape], len(failing), [_example(case, outcomes[case.case_id]) for case in examples[shape]])
        for shape in order
    )


def _told_apart(counted: Counter[Shape]) -> dict[Shape, Shape]:
    """Shape → the one it is grouped under: itself, or what is common to its kind."""
    by_kind: dict[str, list[Shape]] = defaultdict(list)
    for shape in sorted(counted, key=lambda shape: (-counted[shape], shape.id)):
        by_kind[shape.kind].append(shape)
    kept: dict[Shape, Shape] = {}
    for kind, found in by_kind.items():
        for place, shape in enumerate(found):
            own = len(found) == 1 or (place < DETAILS and counted[shape] > 1)
            kept[shape] = shape if own else Shape(kind)
    return kept


def _group(shape: Shape, size: int, failures: int, examples: Sequence[PatternExample]) -> ErrorGroup:
    text = kinds()[shape.kind]
    name = text.each.format(detail=shape.detail, other=shape.other) if shape.detail and text.each else text.name
    return ErrorGroup(
        id=shape.id,
        kind=shape.kind,
        name=name,
        size=size,
        share=size / failures,
        examples=tuple(examples),
        suggestion=text.suggestion,
        strategies=text.strategies,
    )


def _example(case: LabelledCase, outcome: CaseOutcome) -> PatternExample:
    return PatternExample(
        case_id=case.case_id,
        input=_short(" · ".join(answer_text(value) for value in case.variables.values())),
        expected=_short(answer_text(case.expected)),
        output=None if outcome.output is None else _short(outcome.output),
        reason=_short("; ".join(outcome.reasons)),
    )


def _short(text: str) -> str:
    text = " ".join(text[: 4 * SHOWN].split()) + ("…" if len(text) > 4 * SHOWN else "")
    return text if len(text) <= SHOWN else text[: SHOWN - 1].rstrip() + "…"


def _ranked(groups: Sequence[ErrorGroup]) -> tuple[str, ...]:
    weights: dict[str, float] = defaultdict(float)
    for group in groups:
        for place, strategy in enumerate(group.strategies, start=1):
            weights[strategy] += group.share / place
    return tuple(sorted(weights, key=lambda name: -weights[name]))
