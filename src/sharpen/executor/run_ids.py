"""Names of runs: sorted by name is sorted by time."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime


def new_run_id(now: datetime | None = None) -> str:
    """``run-20261123-101502-3f9a2c``: UTC to the second, and six random hex digits against collisions."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return f"run-{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
