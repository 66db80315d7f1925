"""Which run a coroutine works for. Set once for a run; all tasks that it starts inherit it, so that those who watch
several runs at a time (the candidates of a search) can tell them apart.
"""

from __future__ import annotations

from contextvars import ContextVar

current_run: ContextVar[str | None] = ContextVar("sharpen_current_run", default=None)
"""The run's id; None outside of any run."""
