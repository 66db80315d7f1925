"""``sharpen recommend PLAN``: which strategies earlier searches speak for, and whether that is trusted."""

from __future__ import annotations

import json

from sharpen.cli.options import JsonOption, OfflineOption, PlanArgument, QuietOption, SetOption, StoreOption
from sharpen.cli.streams import to_reader


def command(
    plan: PlanArgument,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    overrides: SetOption = None,
    offline: OfflineOption = False,  # noqa: ARG001 - the option itself turns the mode on
) -> None:
    """Explain in which order optimize would try the strategies, by what searches of the store gained. Calls nothing."""
    from sharpen import wiring

    with wiring.open_store(store, plan) as opened:
        advice = wiring.advise(plan, opened, overrides)
    if quiet and not as_json:
        return
    with to_reader():
        if as_json:
            document = {
                "workflow_id": advice.workflow_id,
                "run_id": advice.run_id,
                "used": not advice.unused,
                "recommendation": advice.recommendation.model_dump(mode="json"),
            }
            print(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False))
            return
        from sharpen.reporting.recommendation import print_recommendation
        from sharpen.reporting.terminal import make_console

        found = advice.recommendation
        print_recommendation(make_console(), found, advice.workflow_id, advice.run_id, advice.unused)
