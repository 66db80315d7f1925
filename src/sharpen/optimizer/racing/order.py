"""In which order a race sees the cases: every stretch of it in proportion to the expected answers."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

MAX_CLASSES = 20  # more distinct answers than this are free text, not classes


def stratified(case_ids: Sequence[str], expected: Mapping[str, Any], rng: random.Random) -> list[str]:
    """A random order in which every answer is spread evenly from the first case to the last.

    A prompt that always gives the same answer passes half of two classes; on a random dozen of cases that looks like
    anything from 3 to 9. In proportion it looks like what it is: proportionate stratification, without the variance
    between the classes (Cochran 1977, Sampling Techniques, chapter 5). Answers that are no classes (more than 20, or
    fewer than two cases of each on average) are simply shuffled.
    """
    classes: dict[str, list[str]] = defaultdict(list)
    for case_id in case_ids:
        classes[json.dumps(expected.get(case_id), sort_keys=True, default=str)].append(case_id)
    if len(classes) > min(MAX_CLASSES, len(case_ids) // 2):
        return rng.sample(case_ids, len(case_ids))
    placed = []
    for name in sorted(classes):
        members = rng.sample(classes[name], len(classes[name]))
        start = rng.random()  # so that no class is always first
        placed += [((rank + start) / len(members), rng.random(), case_id) for rank, case_id in enumerate(members)]
    return [case_id for *_, case_id in sorted(placed)]
