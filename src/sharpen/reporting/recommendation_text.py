"""What is recommended, in words: for the terminal and for the notes of a report. Models only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sharpen.optimizer.recommending.models import Expectation, Recommendation, Replay
from sharpen.reporting import figures as fig

ALIKE_SHOWN = 3


def note_of(recommendation: Recommendation | None) -> tuple[str, ...]:
    """What a report of a search says of its order: nothing as long as the rules gave it."""
    return (recommendation.reason,) if recommendation is not None and recommendation.trusted else ()


def basis_of(recommendation: Recommendation, run_id: str | None) -> str:
    """What is known of this search: the failures of a run, or the prompt's text alone."""
    if recommendation.basis == "static":
        return "by the prompt's text alone: it has not been run yet"
    rate = recommendation.features.failure_rate or 0.0
    return f"by run {run_id}, in which {fig.percent(rate)} failed" if run_id else f"{fig.percent(rate)} failed"


def expectation_row(place: int, found: Expectation) -> tuple[str, ...]:
    """Place, strategy, expected gain in points, its interval, searches that tried it, and what they count here."""
    if not found.known:
        return str(place), found.strategy, fig.NOTHING, "not tried yet", "0", fig.NOTHING, fig.NOTHING
    return (
        str(place),
        found.strategy,
        fig.signed(100 * found.gain),
        f"{fig.signed(100 * found.low)} to {fig.signed(100 * found.high)}",
        f"{found.searches:,}",
        f"{found.worth:.1f}",
        f"{found.won:,} / {found.proved:,}",
    )


def replay_lines(found: Replay) -> tuple[str, ...]:
    """What the recommender would have been worth on the searches it knows."""
    lines = [
        f"{fig.plural(found.searches, 'search', 'es')} of "
        f"{fig.plural(found.workflows, 'workflow')}, each as if its workflow had never been searched: what came first "
        f"gained {fig.points(found.recommended)}, by the rules {fig.points(found.rules)}; the best there was "
        f"{fig.points(found.best)}.",
        f"Another strategy came first in {found.changed:,}; the difference is {fig.points(found.advantage)}, "
        f"{100 * found.level:.3g}% interval {fig.signed(100 * found.low)} to {fig.signed(100 * found.high)}.",
    ]
    if found.covered is not None:
        lines.append(f"{found.covered:.0%} of the gains lay within their 80% interval.")
    return tuple(lines)


def alike(expectations: Sequence[Expectation]) -> tuple[tuple[str, str, str, str], ...]:
    """The searches most like this one: id, workflow, similarity, and what each strategy gained in them."""
    known: dict[tuple[str, str, float], list[str]] = defaultdict(list)
    for expectation in expectations:
        for search in expectation.similar:
            gain = f"{expectation.strategy} {fig.signed(100 * search.gain, 0)}"
            known[search.search_id, search.workflow_id, search.similarity].append(gain)
    nearest = sorted(known.items(), key=lambda item: (-item[0][2], item[0][0]))[:ALIKE_SHOWN]
    return tuple((search, workflow, f"{share:.2f}", ", ".join(gains)) for (search, workflow, share), gains in nearest)
