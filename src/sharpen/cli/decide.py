"""``sharpen decide PLAN|RUN``: would it optimize, why, with which strategy."""

from __future__ import annotations

from typing import Annotated

import typer

from sharpen.cli.options import JsonOption, OfflineOption, QuietOption, SetOption, StoreOption


def command(
    subject: Annotated[
        str, typer.Argument(metavar="PLAN|RUN", help="A plan (decided by its newest run), or a run's id.")
    ],
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    overrides: SetOption = None,
    offline: OfflineOption = False,  # noqa: ARG001 - the option itself turns the mode on
) -> None:
    """Explain whether to optimize, and with which strategy. Calls nothing. Exit code 1: yes, something is wrong."""
    from sharpen import wiring
    from sharpen.cli import show

    with wiring.open_store(store, wiring.plan_path(subject)) as opened:
        decided = wiring.decide(subject, opened, overrides)
    show.decision(decided, as_json, quiet)
    raise typer.Exit(1 if decided.decision.should_optimize else 0)
