"""What a good answer looks like, as data and as a sentence that a prompt can pass on to the model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["labels", "json", "number", "text"]


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the JSON object that is asked for."""

    name: str
    type: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OutputContract:
    """The form of a good answer. ``exact``: nothing may stand beside it. ``sentence()`` says it in English."""

    kind: Kind
    labels: tuple[str, ...] = ()
    keys: tuple[Key, ...] = ()
    exact: bool = True
    shape: str = ""
    extras: tuple[str, ...] = ()
    name: str = ""
    """The variable the answers are compared with, when it is not ``expected``: what the answer is called."""

    def sentence(self) -> str:
        """The contract as an instruction, such as "Answer with exactly one of: billing, shipping."."""
        return " ".join((self._main(), *self.extras)).strip()

    def _main(self) -> str:
        if self.kind == "labels":
            listed = f"Answer with exactly one of: {listing(self.labels)}."
            return f"{listed} No other words." if self.exact else listed
        if self.kind == "json":
            start = "Answer with one JSON object only" if self.exact else "Answer with a JSON object"
            if not self.keys:
                return f"Answer with valid JSON{' only' if self.exact else ''}."
            return f"{start}, with the {'keys' if len(self.keys) > 1 else 'key'} {_keys(self.keys)}."
        if self.kind == "number":
            return "Answer with a number only." if self.exact else "Answer with a number."
        return self.shape

    def accepts(self, answer: str) -> bool:
        """Whether ``answer`` has the demanded form; True for what cannot be judged by form alone."""
        answer = answer.strip()
        if self.kind == "labels":
            bare = answer.strip("\"'`*. ").casefold()
            return any(bare == label.casefold() for label in self.labels)
        if self.kind == "json":
            try:
                found = json.loads(answer)
            except ValueError:
                return False
            return not self.keys or isinstance(found, dict)
        if self.kind == "number":
            return is_number(answer)
        return True


def listing(labels: Sequence[str]) -> str:
    """``a, b, c``, in quotes where a label holds a comma or spaces at its ends."""
    quoted = any("," in label or label != label.strip() for label in labels)
    return ", ".join(f'"{label}"' if quoted else label for label in labels)


def is_number(text: str) -> bool:
    """Whether ``text`` is one number; thousands may be set off by commas."""
    try:
        float(text.strip().replace(",", ""))
    except ValueError:
        return False
    return True


def _keys(keys: Sequence[Key]) -> str:
    def said(key: Key) -> str:
        detail = f"one of: {listing(key.choices)}" if key.choices else key.type
        return f'"{key.name}" ({detail})' if detail else f'"{key.name}"'

    return ", ".join(map(said, keys))
