"""What earlier searches recommend, in the terminal."""

from __future__ import annotations

from rich.console import Console

from sharpen.optimizer.recommending.models import Recommendation
from sharpen.reporting.recommendation_text import alike, basis_of, expectation_row, replay_lines
from sharpen.reporting.terminal import print_indented, print_line, styled, table

_COLUMNS = ("", "strategy", "gain", "80% interval", "tried", "worth", "won / proved")


def print_recommendation(
    console: Console, found: Recommendation, workflow_id: str, run_id: str | None, applies: str = ""
) -> None:
    """The order, what is expected of each strategy and why, and whether that is trusted.

    ``applies``: why it would not be used, for a plan that does not ask for it.
    """
    head = "Ordered by earlier searches" if found.trusted else "Ordered by the rules"
    style = "bold green" if found.trusted else "bold yellow"
    sign = "✓" if found.trusted else "·"
    console.print(styled(console, f"{sign} {head}", style), styled(console, workflow_id, "dim"))
    print_line(console, f"{found.reason[:1].upper()}{found.reason[1:]}.")
    if applies:
        print_line(console, f"! {applies}", "yellow")
    print_line(console, basis_of(found, run_id), "dim")
    console.print()
    if not found.searches:
        print_line(console, f"auto tries: {', '.join(found.order)}")
        return
    rows = [expectation_row(place, each) for place, each in enumerate(found.expectations, 1)]
    print_indented(console, table(console, _COLUMNS, rows, numbers=("gain", "tried", "worth")))
    explained = (
        "gain: expected in points of pass rate over the prompt as it is. worth: so many searches just like this one "
        "its trials count as. won / proved: its candidates won, and were accepted by the proof."
    )
    print_line(console, explained, "dim")
    console.print()
    near = alike(found.expectations)
    if near:
        console.print(styled(console, "Most like this one", "bold"))
        for search, workflow, share, gains in near:
            print_line(console, f"{share}  {workflow}  {search}")
            print_line(console, gains, "dim", indent=8)
        console.print()
    if found.replay is not None:
        console.print(styled(console, "Replay", "bold"))
        for line in replay_lines(found.replay):
            print_line(console, line)
