"""``sharpen check PLAN``: validate everything, call nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sharpen.cli.options import JsonOption, OfflineOption, PlanArgument, QuietOption, SetOption, StoreOption
from sharpen.cli.streams import to_reader

if TYPE_CHECKING:
    from sharpen.config.estimate import Estimate
    from sharpen.errors import Problem
    from sharpen.wiring.forecasting import Outlook
    from sharpen.wiring.plans import LoadedPlan


def command(
    plan: PlanArgument,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    overrides: SetOption = None,
    offline: OfflineOption = False,  # noqa: ARG001 - the option itself turns the mode on
) -> None:
    """Check a plan, its prompt and its data set; estimate calls, tokens and cost before anything is paid."""
    from sharpen.wiring.plans import estimates, load_plan  # not all of wiring: a check needs no executor

    loaded = load_plan(plan, overrides, thorough=True)
    if quiet and not as_json:
        return
    from sharpen.wiring.forecasting import outlook

    estimate, warnings = estimates(loaded)
    _show(loaded, estimate, warnings, outlook(loaded, estimate, store), as_json)


@to_reader()
def _show(plan: LoadedPlan, estimate: Estimate, warnings: tuple[Problem, ...], ahead: Outlook, as_json: bool) -> None:
    warnings += ahead.problems
    if as_json:
        document = {
            "valid": True,
            "workflow_id": plan.manifest.workflow_id,
            "estimate": estimate.model_dump(mode="json"),
            "optimize": ahead.forecast.model_dump(mode="json") if ahead.forecast else None,
            "warnings": [str(warning) for warning in warnings],
        }
        print(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False))
    else:
        from sharpen.reporting.console_check import print_check
        from sharpen.reporting.terminal import make_console

        print_check(make_console(), estimate, warnings, forecast=ahead.forecast)
