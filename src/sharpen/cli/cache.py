"""``sharpen cache show|prune``: the answers that need not be paid for again."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from sharpen.cli.options import JsonOption, QuietOption, StoreOption
from sharpen.cli.quantities import age, size
from sharpen.cli.streams import print_found

app = typer.Typer(help="Show and shrink the cache of answers.")


@app.command("show")
def show_cache(store: StoreOption = None, as_json: JsonOption = False, quiet: QuietOption = False) -> None:
    """How many answers are remembered, how large and how old they are, and what they save."""
    from sharpen import wiring
    from sharpen.reporting.cache_text import summary_lines

    del quiet  # what is asked for is shown
    with wiring.open_store(store) as opened:
        found = opened.cache.summary()
    print_found(found, summary_lines(found), as_json)


@app.command("prune")
def prune_cache(
    older_than: Annotated[
        timedelta | None,
        typer.Option("--older-than", parser=age, metavar="AGE", help="Drop what is older: 12h, 30d, 2w."),
    ] = None,
    max_size: Annotated[
        int | None,
        typer.Option("--max-size", parser=size, metavar="SIZE", help="Drop the oldest until so much is left: 200MB."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Drop everything.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also what unfinished runs may still need.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be dropped.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Drop remembered answers; whoever asks again pays again."""
    from datetime import UTC, datetime

    from sharpen import wiring
    from sharpen.errors import UserError
    from sharpen.reporting.cache_text import pruned_lines

    if older_than is None and max_size is None and not everything:
        raise UserError("which answers should go? expected --older-than AGE, --max-size SIZE or --all")
    with wiring.open_store(store) as opened:
        pruned = opened.cache.prune(
            datetime.now(UTC),
            older_than=older_than,
            max_bytes=max_size,
            everything=everything,
            needed=force,
            rehearsal=dry_run,
        )
    print_found(pruned, () if quiet else pruned_lines(pruned), as_json)
