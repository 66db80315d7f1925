"""Plain procedures, none of which tests what it returns: evaluate everything, share out evenly, halve, race."""

from __future__ import annotations

import random
from math import ceil, comb, log2

from search.session import BudgetExhausted, Evaluate, Propose, View
from search.tasks import Prompt

RACE_BLOCK = 4
RACE_DROP = 0.1
RACE_SHARE = 8
"""Calls that each contender of a race must be able to get."""


def everything(task: View, evaluate: Evaluate, propose: Propose, budget: int, seed: int) -> Prompt:  # noqa: ARG001 - the protocol
    """Random search: one candidate after the other on the whole dev set; the best mean wins."""
    cases = _cases(task, seed, train=False)
    best, most = task.seed_prompt, -1
    prompt: Prompt | None = task.seed_prompt
    try:
        while prompt is not None:
            right = sum(reply.correct for reply in evaluate(prompt, cases))
            if right > most:
                best, most = prompt, right
            prompt = propose()
    except BudgetExhausted:
        pass
    return best


def uniform(task: View, evaluate: Evaluate, propose: Propose, budget: int, seed: int) -> Prompt:
    """Every candidate on the same few dev cases, as many as the budget allows."""
    arms = _arms(task, propose)
    each = min(budget // len(arms), len(task.dev))
    if each == 0:
        return task.seed_prompt
    cases = _cases(task, seed, train=False)[:each]
    right = [sum(reply.correct for reply in evaluate(arm, cases)) for arm in arms]
    return arms[_best(range(len(arms)), right)]


def halving(task: View, evaluate: Evaluate, propose: Propose, budget: int, seed: int) -> Prompt:
    """Successive halving (Karnin, Koren, Somekh, ICML 2013): log2(n) rounds of equal cost, the better half stays.

    Every round takes new cases; what counts is the mean over all rounds so far.
    """
    arms, cases = _arms(task, propose), _cases(task, seed)
    right = [0] * len(arms)
    alive = list(range(len(arms)))
    rounds, used, left = ceil(log2(len(arms))), 0, budget
    for number in range(rounds):
        size = min(left // (rounds - number) // len(alive), len(cases) - used)
        if size == 0 and used:
            continue
        size = max(1, size)
        try:
            for arm in alive:
                right[arm] += sum(reply.correct for reply in evaluate(arms[arm], cases[used : used + size]))
        except BudgetExhausted:
            break
        left -= size * len(alive)
        used += size
        alive = sorted(alive, key=lambda arm: (-right[arm], arm))[: ceil(len(alive) / 2)]
    return arms[_best(alive, right)]


def race(task: View, evaluate: Evaluate, propose: Propose, budget: int, seed: int) -> Prompt:
    """Paired racing: blocks of cases for all that are left; who loses a sign test to the leader is dropped."""
    arms, cases = _arms(task, propose, max(2, budget // RACE_SHARE)), _cases(task, seed)
    right: list[list[bool]] = [[] for _ in arms]
    alive, used, left = list(range(len(arms))), 0, budget
    while len(alive) > 1 and used < len(cases):
        size = min(RACE_BLOCK, len(cases) - used, left // len(alive))
        if size == 0:
            break
        for arm in alive:
            right[arm] += [reply.correct for reply in evaluate(arms[arm], cases[used : used + size])]
        left -= size * len(alive)
        used += size
        leader = right[_best(alive, [sum(row) for row in right])]
        alive = [arm for arm in alive if _sign_test(leader, right[arm]) > RACE_DROP or right[arm] is leader]
    return arms[_best(alive, [sum(row) for row in right])]


def _arms(task: View, propose: Propose, most: int | None = None) -> list[Prompt]:
    """The seed, and proposals until there are no more or ``most`` arms."""
    arms = [task.seed_prompt]
    while (most is None or len(arms) < most) and (prompt := propose()) is not None:
        arms.append(prompt)
    return arms


def _cases(task: View, seed: int, *, train: bool = True) -> list[str]:
    """Dev cases in random order, then train cases."""
    rng = random.Random(f"cases-{seed}")
    dev, more = [case.id for case in task.dev], [case.id for case in task.train]
    rng.shuffle(dev)
    rng.shuffle(more)
    return dev + (more if train else [])


def _best(arms: list[int] | range, score: list[int]) -> int:
    """The first of the best."""
    return max(arms, key=lambda arm: (score[arm], -arm))


def _sign_test(better: list[bool], worse: list[bool]) -> float:
    """One-sided p: wins of ``better`` among the cases where the two differ, if each were as likely to win."""
    pairs = list(zip(better, worse, strict=True))
    wins = sum(a and not b for a, b in pairs)
    total = wins + sum(b and not a for a, b in pairs)
    return sum(comb(total, k) for k in range(wins, total + 1)) / 2**total
