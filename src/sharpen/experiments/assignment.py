"""Which unit gets which variant: a hash, so that it needs no memory and any language can do it. Pure.

Two numbers in [0, 1) belong to a unit, one for enrolment and one for the variant ::

    bucket(salt, purpose, unit) = first 13 hex digits of SHA-256("salt:purpose:unit" in UTF-8), as a number, / 2^52

52 bits are exact in a double. A unit is enrolled if its ``enrol`` bucket is below the ramp, so that raising the ramp
only adds units; its variant is the first whose cumulative share of the weights exceeds its ``variant`` bucket, whatever
the ramp. Golden values stand in the tests and in docs/ab.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def bucket(salt: str, purpose: str, unit_id: str) -> float:
    """A number in [0, 1) that looks random and is always the same."""
    digest = hashlib.sha256(f"{salt}:{purpose}:{unit_id}".encode("utf-8", "surrogatepass")).hexdigest()
    return int(digest[:13], 16) / 2**52


def enrolled(salt: str, unit_id: str, ramp: float) -> bool:
    """Whether the unit takes part when a share ``ramp`` (0..1) of all units does."""
    return bucket(salt, "enrol", unit_id) < ramp


def choose(salt: str, unit_id: str, weights: Sequence[float]) -> int:
    """The place of the unit's variant. ``weights`` need not add up to 1; one of 0 is never chosen."""
    at = bucket(salt, "variant", unit_id) * sum(weights)
    upper = 0.0
    for place, weight in enumerate(weights):
        upper += weight
        if at < upper:
            return place
    return max(place for place, weight in enumerate(weights) if weight)  # what rounding left over
