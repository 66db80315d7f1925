"""What was done to a store, in words that fit a terminal."""

from __future__ import annotations

from datetime import UTC, datetime

from sharpen.reporting.store_text import pruned_store_lines
from sharpen.storage.pruning import PrunedStore

BEFORE = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def test_what_was_pruned_fits_eighty_columns_however_much_it_was() -> None:
    many = dict.fromkeys(("results", "runs", "cases", "prompts", "searches", "optimizations"), 1_234_567)
    kept = dict.fromkeys(("thinned", "justifying", "newest", "in_use"), 1_234_567)
    lines = list(pruned_store_lines(PrunedStore(before=BEFORE, freed_bytes=10**11, rehearsal=True, **many, **kept)))
    assert max(map(len, lines)) <= 80
    said = " ".join(line.strip() for line in lines)
    assert "1,234,567 optimizations from before 2026-01-02 03:04 UTC the lines" in said
    assert "1,234,567 runs that somebody works on 100 GB are free" in said


def test_a_short_word_stays_on_one_line() -> None:
    assert list(pruned_store_lines(PrunedStore(before=BEFORE, results=6))) == [
        "dropped 6 results from before 2026-01-02 03:04 UTC"
    ]
