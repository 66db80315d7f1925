"""The cache of answers in words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sharpen.reporting.cache_text import pruned_lines, size, summary_lines
from sharpen.storage.cache import CacheSummary, Pruned

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_a_summary() -> None:
    full = CacheSummary(
        entries=1234, bytes=5_600_000, oldest=AT, newest=AT, saves=1.5, unpriced=4, needed=2, needed_by=tuple("abcde")
    )
    assert list(summary_lines(full)) == [
        "1,234 answers, 5.6 MB",
        "from 2026-05-01 12:00 to 2026-05-01 12:00 UTC",
        "asking them again would cost $1.50, beside 4 of unknown price",
        "2 may still be needed by what is unfinished: a, b, c and 2 more",
    ]
    unknown = CacheSummary(entries=1, bytes=10, unpriced=1)
    assert list(summary_lines(unknown)) == ["1 answer, 10 B", "what asking them again would cost is unknown"]
    assert list(summary_lines(CacheSummary())) == ["no answer is remembered"]


def test_what_was_pruned() -> None:
    assert list(pruned_lines(Pruned(entries=1, bytes=999_499, left=2, left_bytes=999_500))) == [
        "dropped 1 answer, 999 kB; 2 are left, 1.0 MB"
    ]
    kept = Pruned(kept=3, needed_by=("r1",), left=3, rehearsal=True)
    assert list(pruned_lines(kept)) == [
        "would drop 0 answers, 0 B; 3 would be left, 0 B",
        "kept 3 that may still be needed by what is unfinished: r1; finish it with `sharpen resume`, or drop them too "
        "with --force",
    ]


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_500, "100 kB"), (10**15, "1000 TB"), (2_340_000_000, "2.3 GB")],
)
def test_sizes(count: int, said: str) -> None:
    assert size(count) == said
