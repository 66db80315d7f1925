"""``sharpen compare RUN RUN``: what changed between two runs, case by case."""

from __future__ import annotations

from typing import Annotated

import typer

from sharpen.cli.options import JsonOption, QuietOption, StoreOption


def command(
    first: Annotated[str, typer.Argument(metavar="RUN", help="The earlier run.")],
    second: Annotated[str, typer.Argument(metavar="RUN", help="The later run.")],
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare two runs on the cases they share: fixed, broken, success, latency, tokens and cost."""
    from sharpen import wiring
    from sharpen.cli import show

    with wiring.open_store(store) as opened:
        comparison = wiring.compare_runs(first, second, opened)
    show.comparison(comparison, as_json, quiet)
