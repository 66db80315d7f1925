"""The bank as peers use it: in place of a model that proposes, and from what they made of a text back to the text."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator

from search.session import Propose
from search.tasks import Prompt


class Bank:
    """Proposals without end (after the last the first comes again), each remembered by its text without its edges.

    Tools strip white space and quotes around an instruction; what was recorded has them.
    """

    def __init__(self, seed: Prompt, propose: Propose) -> None:
        self._known = {_bare(seed.instruction): seed}
        self._proposals = self._endless(propose)

    def next(self) -> str:
        """The next instruction."""
        return next(self._proposals).instruction

    def prompt(self, instruction: str, demos: tuple[str, ...] = ()) -> Prompt:
        """The recorded prompt that the text came from. Raises ``KeyError`` for a text that was never proposed."""
        return Prompt(self._known[_bare(instruction)].instruction, demos)

    def take(self, propose: Propose, most: int = sys.maxsize) -> list[str]:
        """The next instructions, ``most`` of them or all there are; they do not come again."""
        found: list[str] = []
        while len(found) < most and (prompt := propose()) is not None:
            self._known[_bare(prompt.instruction)] = prompt
            found.append(prompt.instruction)
        return found

    def _endless(self, propose: Propose) -> Iterator[Prompt]:
        shown = []
        while (prompt := propose()) is not None:
            self._known[_bare(prompt.instruction)] = prompt
            shown.append(prompt)
            yield prompt
        yield from itertools.cycle(shown)


def _bare(text: str) -> str:
    return text.strip().strip('"').strip()
