"""Three versions side by side: what a candidate and the live prompt each changed since the one both come from. Pure.

The classic three-way view (as of diff3; Khanna, Kunal & Pierce 2007, "A formal investigation of diff3"): stretches of
the base that both left alone align all three, and between them stands what either made of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal

from sharpen.config.prompts import PromptTemplate
from sharpen.executor.models import Record
from sharpen.versions.models import PromptVersion

Region = Literal["same", "candidate", "live", "both", "conflict"]


class Stretch(Record):
    """Some lines in each of the three.

    ``kind``: nobody changed them (same), one side alone did (candidate, live), both did the same (both), or each
    something else (conflict).
    """

    kind: Region
    base: tuple[str, ...]
    candidate: tuple[str, ...]
    live: tuple[str, ...]


class ThreeWayView(Record):
    """What a candidate and the live version made of their base. Each is a version number."""

    workflow_id: str
    base: str
    candidate: str
    live: str
    stretches: tuple[Stretch, ...]

    @property
    def conflicts(self) -> int:
        """How many stretches both sides changed, each in its own way."""
        return sum(stretch.kind == "conflict" for stretch in self.stretches)


def three_way(base: PromptVersion, candidate: PromptVersion, live: PromptVersion) -> ThreeWayView:
    """The view of three versions of one workflow."""
    lines = [prompt_lines(version.prompt) for version in (base, candidate, live)]
    return ThreeWayView(
        workflow_id=base.workflow_id,
        base=base.version,
        candidate=candidate.version,
        live=live.version,
        stretches=tuple(merge_view(*lines)),
    )


def prompt_lines(prompt: PromptTemplate) -> list[str]:
    """Each message under a ``# role`` line; split at newlines alone, so that a form feed or U+2028 stays visible."""
    return [line for message in prompt.messages for line in (f"# {message.role}", *message.content.split("\n"))]


def merge_view(base: Sequence[str], candidate: Sequence[str], live: Sequence[str]) -> Iterator[Stretch]:
    """The stretches in order; each side's lines put together again are that side."""
    at_base = at_candidate = at_live = 0
    for size, start, in_candidate, in_live in _aligned(base, candidate, live):
        changed = (base[at_base:start], candidate[at_candidate:in_candidate], live[at_live:in_live])
        if any(changed):
            yield _stretch(*changed)
        if size:
            same = base[start : start + size]
            yield _stretch(same, same, same)
        at_base, at_candidate, at_live = start + size, in_candidate + size, in_live + size


def common_base(candidate: PromptVersion, live: PromptVersion, history: Iterable[PromptVersion]) -> PromptVersion:
    """The newest version that both come from; the oldest ancestor of the candidate where they share none."""
    by_number = {version.version: version for version in history}
    of_live = {version.version for version in _line(live, by_number)}
    line = list(_line(candidate, by_number))
    return next((version for version in line if version.version in of_live), line[-1])


def _line(version: PromptVersion, by_number: dict[str, PromptVersion]) -> Iterator[PromptVersion]:
    """A version, its parent, and so on."""
    seen: set[str] = set()
    found: PromptVersion | None = version
    while found is not None and found.version not in seen:
        seen.add(found.version)
        yield found
        found = by_number.get(found.parent) if found.parent else None


def _aligned(base: Sequence[str], candidate: Sequence[str], live: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Size and starts (base, candidate, live) of what all three share in order; ends with their ends, of size 0."""
    of_candidate, of_live = _matching(base, candidate), _matching(base, live)
    line = 0
    while line < len(base):
        if line not in of_candidate or line not in of_live:
            line += 1
            continue
        start = line
        while (
            line + 1 in of_candidate
            and line + 1 in of_live
            and of_candidate[line + 1] == of_candidate[line] + 1
            and of_live[line + 1] == of_live[line] + 1
        ):
            line += 1
        line += 1
        yield line - start, start, of_candidate[start], of_live[start]
    yield 0, len(base), len(candidate), len(live)


def _matching(base: Sequence[str], other: Sequence[str]) -> dict[int, int]:
    """Which line of ``other`` stands for a line of ``base``."""
    blocks = SequenceMatcher(None, base, other, autojunk=False).get_matching_blocks()
    return {block.a + step: block.b + step for block in blocks for step in range(block.size)}


def _stretch(base: Sequence[str], candidate: Sequence[str], live: Sequence[str]) -> Stretch:
    old, ours, theirs = tuple(base), tuple(candidate), tuple(live)
    kind: Region
    if ours == old:
        kind = "same" if theirs == old else "live"
    elif theirs == old:
        kind = "candidate"
    else:
        kind = "both" if ours == theirs else "conflict"
    return Stretch(kind=kind, base=old, candidate=ours, live=theirs)
