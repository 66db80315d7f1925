"""What a proof counts: units, each a case of its own or all cases of one group. Pure.

Cases of one group (one document, one customer, one conversation) succeed and fail together: counted one by one they
pretend to more evidence than there is. A group therefore comes in whole, and counts once, with the sum of its cases.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import ceil, lcm
from typing import Any

from sharpen.config.models import Case
from sharpen.optimizer.proof.sign_flip import SPENDING_POWER

LOOKS = 5
FINEST = 1000
"""Pass rates are counted in whole steps of at least 1/1000."""


def case_key(variables: Mapping[str, Any], expected: Any) -> str:
    """A case's content, hashed (SHA-256, 128 bits in hex): the same inputs and answer are the same case."""
    content = json.dumps([variables, expected], sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def group_of(
    own: str | None, metadata: Mapping[str, Any], variables: Mapping[str, Any], named: str | None = None
) -> str | None:
    """The group of a case: its own ``group``, else its ``metadata.group``, else its metadata or variable ``named``.

    None: it stands alone.
    """
    found: Any = own
    if found is None:
        found = metadata.get("group")
    if found is None and named is not None:
        found = metadata.get(named, variables.get(named))
    if found is None or found == "":
        return None
    return found if isinstance(found, str) else json.dumps(found, sort_keys=True, default=str)


def groups_of(cases: Iterable[Case], named: str | None = None) -> dict[str, str]:
    """The group of each case that has one, by case id. Cases that are the same in content are a group, too."""
    known = [(case, case_key(case.vars, case.expected)) for case in cases]
    copies = Counter(key for _, key in known)
    found: dict[str, str] = {}
    for case, key in known:
        group = group_of(case.group, case.metadata, case.vars, named)
        if group is not None:
            found[case.id] = f"group {group}"
        elif copies[key] > 1:
            found[case.id] = f"content {key}"
    return found


def units_of(case_ids: Sequence[str], groups: Mapping[str, str], seed: int = 0) -> tuple[tuple[str, ...], ...]:
    """Units of case ids, in a seeded random order; a case without a group is a unit of its own."""
    members: dict[tuple[bool, str], list[str]] = {}
    for case_id in case_ids:
        group = groups.get(case_id)
        members.setdefault((group is not None, case_id if group is None else group), []).append(case_id)
    units = [tuple(members[name]) for name in sorted(members)]
    random.Random(f"proof {seed}").shuffle(units)
    return tuple(units)


def looks_of(units: int, level: float, looks: int = LOOKS) -> tuple[int, ...]:
    """After how many units each look is taken: about ``looks`` of equal size, none before a win is possible.

    The first is the least number of units that could win if each of them gained; the last holds them all.
    """
    if units == 0:
        return ()
    first = next((n for n in range(1, units) if 0.5**n <= level * (n / units) ** SPENDING_POWER), units)
    cuts = [max(first, ceil(units * k / looks)) for k in range(1, looks + 1)]
    return tuple(sorted(set(cuts)))


def steps_of(rates: Iterable[float], repeats: int = 1) -> int:
    """In how many steps to count pass rates so that all of them are whole (at most 1000, then they are rounded)."""
    steps = max(1, repeats)
    for rate in set(rates):
        steps = lcm(steps, Fraction(rate).limit_denominator(FINEST).denominator)
        if steps > FINEST:
            return FINEST
    return steps
