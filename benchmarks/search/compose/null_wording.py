"""Nothing to be found: 12 ways to word and lay out one and the same instruction, on the cases of another task.

The real model answers each a little differently, and none of the differences is one that anybody meant: what a search
finds here is noise, or luck that carries over to no other cases.
"""

# ruff: noqa: E501 - phrases and prompts, one a line

from __future__ import annotations

import json
from typing import Any

from search.compose.queues import LIST, A
from search.tasks import HERE

ASKS = (f"Sort customer messages into {LIST}.", f"Sort the customers' messages into {LIST}.", f"Sort messages from customers into {LIST}.")  # fmt: skip
LAYOUTS = (
    ("\n\n", "Message: ", "\n"),
    ("\n\n\n", "Message: ", "\n"),
    ("\n\n", "Message:  ", "\n"),
    ("\n", "Message: ", "\n"),
)


def worded(ask: str, between: str, field: str, end: str) -> str:
    shown = [f"{field}{text}{end}Team: {label}" for text, label in A]
    return between.join([ask, *shown, f"{field}{{input}}{end}Team:"])


def task() -> dict[str, Any]:
    found = json.loads((HERE / "tasks" / "queues.json").read_text())
    texts = [worded(ask, *layout) for ask in ASKS for layout in LAYOUTS]
    candidates = [("wording", text) for text in texts[1:]]
    return {
        **found,
        "name": "null_wording",
        "max_tokens": 4,
        "seed": texts[0],
        "candidates": candidates,
        "demo_sets": [],
        "demo_instructions": [],
    }
