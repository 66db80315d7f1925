"""What progress says, in words: figures of a tally and of a limiter as short parts. Pure."""

from __future__ import annotations

from sharpen.executor.limits import LimiterState
from sharpen.reporting import figures as fig
from sharpen.reporting.tally import Speed, Tally

WAITING = "waiting for the first answer"


def results(tally: Tally, speed: Speed) -> list[str]:
    """How it goes: passed, speed, latency."""
    if not tally.done and not tally.not_run:
        return [WAITING]
    p95 = tally.latency.percentile(0.95)
    parts = [f"{fig.percent(tally.passed / tally.done)} passed"] if tally.done else ["none completed"]
    if tally.not_run:
        parts.append(f"{fig.compact(tally.not_run)} not run")
    parts.append(f"{fig.compact(round(speed.calls_per_s, 1))} calls/s")
    if p95 is not None:
        parts.append(f"p95 {fig.milliseconds(p95 * 1000)}")
    return parts


def left(tally: Tally, speed: Speed) -> str:
    """``1 min 20 s left``; empty while nobody can know."""
    seconds = tally.seconds_left(speed)
    return f"{fig.duration(seconds)} left" if seconds is not None and tally.done < tally.total else ""


def spent(tally: Tally) -> list[str]:
    """Calls, tokens, money."""
    cost = "cost unknown" if tally.cost is None else fig.usd(tally.cost)
    calls = "1 call" if tally.calls == 1 else f"{fig.compact(tally.calls)} calls"
    return [calls, f"{fig.compact(tally.tokens)} tokens", cost]


def now(tally: Tally, state: LimiterState) -> list[str]:
    """What runs, what waits, and what holds it back."""
    parts = [f"{state.in_flight:,} in flight"]
    if state.circuit != "closed":
        parts.append(f"circuit {state.circuit}")
    if state.paused_for_s > 0:
        parts.append(f"paused for {fig.duration(state.paused_for_s)}")
    if state.concurrency < state.max_concurrency:
        parts.append(f"limit {state.concurrency:,} of {state.max_concurrency:,}")
    else:
        parts.append(f"limit {state.max_concurrency:,}")
    if state.rate_per_s is not None:
        parts.append(f"at most {fig.compact(round(state.rate_per_s, 1))}/s")
    if state.waiting:
        parts.append(f"{state.waiting:,} waiting")
    to_come = tally.total - tally.done - tally.not_run - state.in_flight - state.waiting
    if to_come > 0:
        parts.append(f"{fig.compact(to_come)} to come")
    return parts


def retries(tally: Tally) -> list[str]:
    """How many, and what for: the most frequent kinds first; empty when there were none."""
    by_kind = sorted(tally.retries.items(), key=lambda item: (-item[1], item[0]))
    return [f"{number:,} {kind.replace('_', ' ')}" for kind, number in by_kind]


def line(tally: Tally, speed: Speed, state: LimiterState | None) -> list[str]:
    """All of it for one line, the most wanted first; whoever has too little room drops the last ones."""
    again = sum(tally.retries.values())
    flying = now(tally, state)[:-1] if state and state.in_flight else []
    parts = results(tally, speed)
    if forecast := left(tally, speed):
        parts.insert(1, forecast)
    parts += reversed(spent(tally))
    if again:
        parts.append(f"{fig.compact(again)} {'retry' if again == 1 else 'retries'} ({', '.join(retries(tally))})")
    return [*parts, *flying]
