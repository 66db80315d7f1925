"""The data files beside this module, read once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from sharpen.optimizer.data_files import read_data


@dataclass(frozen=True, slots=True)
class KindText:
    """What is said of a kind of failure; ``each`` is a format for one group of several of a kind (empty: no such)."""

    name: str
    suggestion: str
    each: str = ""
    strategies: tuple[str, ...] = ()


@cache
def kinds() -> dict[str, KindText]:
    """Kind → its texts."""
    return {
        kind: KindText(entry["name"], entry["suggestion"], entry.get("each", ""), tuple(entry.get("strategies", ())))
        for kind, entry in read_data("patterns", "kinds").items()
    }


@cache
def refusal() -> re.Pattern[str]:
    """Matches at the beginning of an answer that declines to answer."""
    words = read_data("patterns", "refusals")
    plain, after = "|".join(words["declining"]), "|".join(words["declining_after_opening"])
    return re.compile(rf"\W{{0,9}}(?:(?:{words['opening']})\b\W{{0,5}}(?:{after}|{plain})|(?:{plain}))", re.IGNORECASE)
