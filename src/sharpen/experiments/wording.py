"""What an experiment found, in plain words. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from sharpen.experiments.models import Comparison, Verdict


def amount(difference: float, unit: str) -> str:
    """A difference of the deciding metric: points for shares, else the number in its unit."""
    if unit == "points":
        return f"{difference * 100:+.1f} points"
    return f"{difference:+.4g}{f' {unit}' if unit else ''}"


def between(low: float, high: float, unit: str) -> str:
    """An interval of differences."""
    if unit == "points":
        return f"{low * 100:+.1f} to {high * 100:+.1f} points"
    return f"{low:+.4g} to {high:+.4g}{f' {unit}' if unit else ''}"


def comparison_reason(
    state: str, variant: str, control: str, estimate: float, interval: tuple[float, float], effect: float, unit: str
) -> str:
    """Why a comparison stands where it stands."""
    found = f"{amount(estimate, unit)}, interval {between(*interval, unit)}"
    size = amount(effect, unit).lstrip("+")
    match state:
        case "win":
            return f"{variant} is better than {control}: {found}"
        case "loss":
            return f"{variant} is worse than {control}: {found}"
        case "futility":
            return f"{variant} is not better than {control} by {size}: {found}"
        case _:
            return f"nothing is proved of {variant} yet: {found}"


def overall(
    comparisons: Sequence[Comparison],
    control: str,
    *,
    over: bool,
    stop: str,
    mismatch: bool = False,
    goes_on: bool = False,
) -> tuple[Verdict, str | None, str, str]:
    """(verdict, winner, headline, reason). ``over``: nothing more will be looked at; ``stop``: then why not.

    ``goes_on``: it may be taken up again. Who leads then has not won yet: another variant may still do better.
    """
    if mismatch:
        return (
            "mismatch",
            None,
            "No verdict: units are not split as they were assigned",
            "something loses or moves units of one variant, so that the variants' units cannot be compared; "
            "find the cause, and begin anew under another name",
        )
    winners = [one for one in comparisons if one.state == "win"]
    open_ones = [one for one in comparisons if one.state == "open"]
    reasons = "; ".join(one.reason for one in comparisons)
    if winners and (not open_ones or (over and not goes_on)):
        best = max(winners, key=lambda one: one.estimate)
        others = [one.variant for one in winners if one is not best]
        ahead = f"; ahead of {', '.join(others)} by estimate alone" if others else ""
        return "win", best.variant, f"{best.variant} wins: better than {control}", reasons + ahead
    if not open_ones:
        names = " and ".join(one.variant for one in comparisons)
        keep = f"keep {control}"
        states = {one.state for one in comparisons}
        if "harm" in states:
            return "harm", None, f"Stopped for harm: {keep}", reasons
        if states == {"loss"}:
            return "loss", None, f"{names} {_is(comparisons)} worse: {keep}", reasons
        return "futility", None, f"No winner: {keep}", reasons
    if over:
        return "undecided", None, f"Undecided: {stop or 'it was stopped before anything was proved'}", reasons
    return "running", None, "Under way: nothing is proved yet", reasons


def _is(comparisons: Sequence[Comparison]) -> str:
    return "is" if len(comparisons) == 1 else "are"
