"""How steady cases are, in words and rows, the same ones for every kind of report. Pure."""

from __future__ import annotations

from sharpen.history.models import CaseFlakiness, Flakiness
from sharpen.reporting import figures as fig

PASS_COLUMNS = ("k", "pass@k", "pass^k", "cases")
COIN_COLUMNS = ("case", "passed", "rate", "interval")


def summary(found: Flakiness) -> str:
    """``4 of 20 cases are coins over 3 repeats; 10 always passed, 6 never did.`` and the like."""
    coins = f"{found.coins:,} of {fig.plural(found.cases, 'case')} {'is a coin' if found.coins == 1 else 'are coins'}"
    repeats = f"{found.most_repeats:,}"
    if found.least_repeats != found.most_repeats:
        repeats = f"{found.least_repeats:,} to {repeats}"
    over = f"{repeats} repeats" if found.basis == "repeats" else f"{repeats} answers in {len(found.run_ids)} runs"
    rest = f"{found.always_pass:,} always passed, {found.always_fail:,} never did"
    once = f", {found.once:,} were asked once" if found.once else ""
    return f"{coins} over {over}; {rest}{once}."


def caveats(found: Flakiness) -> list[str]:
    """What the figures rest on, and what so few repeats cannot show."""
    told = []
    if found.basis == "runs":
        told.append(
            f"By the runs with the same prompt, model and cases: {', '.join(found.run_ids)}. Answers from the "
            "cache are left out: they repeat an earlier one."
        )
    if found.coins_by_errors:
        number = found.coins_by_errors
        told.append(f"{number:,} of the coins failed only by errors and timeouts, never by an answer.")
    if found.caught < 0.99:
        least = found.pass_at[-1].k  # the k that all cases have that were asked more than once; ``caught`` is of it
        told.append(f"{least:,} repeats show a fair coin for what it is {found.caught * 100:.0f} times in 100.")
    return told


def pass_rows(found: Flakiness) -> list[tuple[str, str, str, str]]:
    """pass@k and pass^k for each k."""
    return [
        (str(item.k), fig.percent(item.pass_at_k), fig.percent(item.pass_hat_k), f"{item.cases:,}")
        for item in found.pass_at
    ]


def coins(found: Flakiness) -> list[CaseFlakiness]:
    """The coins, the fairest first."""
    return sorted((item for item in found.per_case if item.state == "coin"), key=lambda item: abs(item.pass_rate - 0.5))


def coin_row(item: CaseFlakiness) -> tuple[str, str, str, str]:
    """One coin."""
    errors = f", {fig.plural(item.errors, 'error')}" if item.errors else ""
    interval = f"{fig.percent(item.low)} … {fig.percent(item.high)}"
    return item.case_id, f"{item.passes} of {item.runs}{errors}", fig.percent(item.pass_rate), interval
