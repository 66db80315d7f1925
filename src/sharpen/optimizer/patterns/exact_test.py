"""Is one group of cases really worse than the rest? Fisher's exact test. Numbers only.

Source: Fisher, R. A. (1935), "The logic of inductive inference", JRSS 98 (the hypergeometric distribution of a table).
"""

from __future__ import annotations

import math


def fisher_worse(failures_in: int, cases_in: int, failures_out: int, cases_out: int) -> float:
    """One-sided p: the chance of so many failures inside, or more, if inside and outside fail alike.

    Given both totals, the failures inside are hypergeometric. The tail is summed from its largest term on, until what
    is left no longer changes the sum.
    """
    total, failures = cases_in + cases_out, failures_in + failures_out
    lowest, highest = max(0, failures - cases_out), min(failures, cases_in)
    if failures_in <= lowest:
        return 1.0
    mean = failures * cases_in / total
    if failures_in <= mean:  # the other tail is the shorter one
        return max(0.0, 1.0 - _tail(failures_in - 1, -1, lowest, failures, cases_in, total))
    return min(1.0, _tail(failures_in, 1, highest, failures, cases_in, total))


def _tail(start: int, step: int, end: int, failures: int, inside: int, total: int) -> float:
    outside = total - inside
    log_term = _log_choose(inside, start) + _log_choose(outside, failures - start) - _log_choose(total, failures)
    term = first = 1.0
    summed = 1.0
    at = start
    while at != end:
        if step > 0:
            term *= (inside - at) * (failures - at) / ((at + 1) * (outside - failures + at + 1))
        else:
            term *= at * (outside - failures + at) / ((inside - at + 1) * (failures - at + 1))
        at += step
        summed += term
        if term < 1e-17 * summed and term < first:
            break
    return math.exp(log_term + math.log(summed))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
