"""Writes the task files anew."""

from __future__ import annotations

import sys
from importlib import import_module

from search.compose import write
from search.tasks import HERE

NAMES = ("reviews", "queues", "cities", "languages", "orders", "null_wording")

if __name__ == "__main__":
    for name in sys.argv[1:] or NAMES:
        write(import_module(f"search.compose.{name}").task(), HERE / "tasks")
