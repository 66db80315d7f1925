"""``sharpen store upgrade|copy|check|prune``: the store as a whole."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from sharpen.cli.options import JsonOption, QuietOption, StoreOption
from sharpen.cli.quantities import age
from sharpen.cli.streams import print_found

app = typer.Typer(help="Upgrade, copy, check and shrink the store of runs and versions.")


@app.command("upgrade")
def upgrade_store(store: StoreOption = None, as_json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Bring the store of an older sharpen to this one's schema; a copy of a SQLite file is put beside it first."""
    from sharpen import wiring

    done = wiring.upgrade_store(store)
    lines = [f"{done.store} is at schema {done.after}" + (f", was {done.before}" if done.before != done.after else "")]
    if done.backup:
        lines.append(f"as it was before: {done.backup}")
    if done.history_rows_added:
        lines.append(f"runs that were missing in the history: {done.history_rows_added:,}")
    print_found(done, () if quiet else lines, as_json)


@app.command("copy")
def copy_store(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The URL of a store.", show_default=False)],
    target: Annotated[str, typer.Argument(metavar="TO", help="The URL of an empty database.", show_default=False)],
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Copy a whole store, for instance from SQLite to PostgreSQL, and compare both in the end.

    Cut off, the same command goes on where it was. Nothing is ever copied over another store.
    """
    from sharpen import wiring
    from sharpen.reporting.store_text import copied_lines

    copied = wiring.copy_store(source, target, quiet=quiet or as_json)
    print_found(copied, () if quiet else copied_lines(copied), as_json)


@app.command("check")
def check_store(
    full: Annotated[bool, typer.Option("--full", help="Look at every row, however long that takes.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say whether the store is whole: its pages, references, hashes and figures. Exit code 1 when it is not."""
    from sharpen import wiring
    from sharpen.reporting.store_text import health_lines

    with wiring.open_store(store) as opened:
        health = wiring.check_store(opened, full=full)
    print_found(health, health_lines(health) if not quiet or not health.passed else (), as_json)
    if not health.passed:
        raise typer.Exit(1)


@app.command("prune")
def prune_store(
    older_than: Annotated[
        timedelta,
        typer.Option("--older-than", parser=age, metavar="AGE", help="What is older: 90d, 12w.", show_default=False),
    ],
    keep: Annotated[int, typer.Option("--keep", min=0, help="Of each workflow, keep so many newest runs.")] = 0,
    forget: Annotated[
        bool, typer.Option("--forget", help="Drop also the lines and figures of old runs and optimizations.")
    ] = False,
    vacuum: Annotated[bool, typer.Option("--vacuum", help="Give the space back to the disk.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be dropped.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Drop the results and inputs of old runs, but nothing that a version rests on.

    The line of an old run stays with its figures, for lists and trends. Versions, aliases and what is known of held-out
    cases are never dropped; for the cache of answers see `sharpen cache prune`.
    """
    from sharpen import wiring
    from sharpen.reporting.store_text import pruned_store_lines

    with wiring.open_store(store) as opened:
        pruned = wiring.prune_store(opened, older_than, keep=keep, forget=forget, rehearsal=dry_run)
        if vacuum and not dry_run:
            wiring.vacuum_store(opened)
            pruned = pruned.model_copy(update={"freed_bytes": None}) if not as_json else pruned
    print_found(pruned, () if quiet else pruned_store_lines(pruned), as_json)
