"""What was done to a store, in words."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from sharpen.reporting.cache_text import size
from sharpen.storage.checking import Health
from sharpen.storage.copying import Copied
from sharpen.storage.pruning import PrunedStore


def copied_lines(copied: Copied) -> Iterator[str]:
    """What a copy holds, table by table."""
    for table in copied.tables:
        if table.rows:
            yield f"  {table.name:<20} {table.rows:>12,} rows  sha256 {table.sha256[:12]}…"
    verb = "finished the copy of" if copied.resumed else "copied"
    yield f"{verb} {copied.source}"
    yield f"to {copied.target}: {copied.rows:,} rows, all of them the same"


def health_lines(health: Health) -> Iterator[str]:
    """What was looked at, and what is wrong."""
    for check in health.checks:
        if check.note:
            if check.looked_at:
                yield f"  {'note':>10}  {check.looked_at:,} {check.name}"
            continue
        verdict = "ok" if check.passed else f"{check.wrong:,} wrong"
        yield f"  {verdict:>10}  {check.name} ({check.looked_at:,})"
        for example in check.examples:
            yield f"              {example}"
        if check.hint:
            yield f"              {check.hint}"
    scope = "" if health.full else "; --full looks at every row"
    found = "nothing is wrong" if health.passed else "something is wrong"
    yield f"{health.store}: {found}{scope}"


def pruned_store_lines(pruned: PrunedStore) -> Iterator[str]:
    """What went, what stayed, and what that gave."""
    verb = "would drop" if pruned.rehearsal else "dropped"
    parts = [
        _count(pruned.results, "result"),
        _count(pruned.runs, "run"),
        _count(pruned.cases, "case"),
        _count(pruned.prompts, "prompt"),
        _count(pruned.searches, "search", "searches"),
        _count(pruned.optimizations, "optimization"),
    ]
    went = ", ".join(part for part in parts if part) or "nothing"
    yield from _wrapped(f"{verb} {went} from before {pruned.before:%Y-%m-%d %H:%M} UTC")
    if pruned.thinned:
        yield f"the lines and figures of {_count(pruned.thinned, 'run')} stay in lists and trends"
    kept = [
        f"{_count(number, 'run')} {why}"
        for number, why in (
            (pruned.justifying, "that a version rests on"),
            (pruned.newest, "among the newest"),
            (pruned.in_use, "that somebody works on"),
        )
        if number
    ]
    if kept:
        yield from _wrapped(f"kept {', '.join(kept)}")
    if pruned.freed_bytes:
        yield f"{size(pruned.freed_bytes)} are free inside the file; --vacuum gives them back to the disk"


def _wrapped(line: str) -> list[str]:
    return wrap(line, 80, subsequent_indent="  ", break_on_hyphens=False)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}" if number else ""
