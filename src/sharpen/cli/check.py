"""``sharpen check PLAN``: validate everything, call nothing."""

from __future__ import annotations

from sharpen.cli.options import JsonOption, PlanArgument, QuietOption, SetOption, StoreOption


def command(
    plan: PlanArgument,
    store: StoreOption = None,  # noqa: ARG001 - an option of all commands; a check opens no store
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    overrides: SetOption = None,
) -> None:
    """Check a plan, its prompt and its data set; estimate calls, tokens and cost before anything is paid."""
    from sharpen import wiring
    from sharpen.cli import show

    loaded = wiring.load_plan(plan, overrides, thorough=True)
    show.check(loaded, wiring.estimates(loaded), as_json, quiet)
