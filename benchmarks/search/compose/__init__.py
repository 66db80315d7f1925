"""Writes the task files: PYTHONPATH=benchmarks python -m search.compose [NAME …]

One module for each task holds phrases written for this project (or names its source), from which cases are put
together at random but always the same, and the candidate instructions.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

SIZES = {"train": 50, "dev": 100, "holdout": 200}


def split(pairs: Iterable[tuple[str, str]], seed: str) -> dict[str, list[dict[str, str]]]:
    """350 different (input, target) in three parts, targets as equal in number as can be.

    Raises ``ValueError`` when there are too few.
    """
    rng = random.Random(seed)
    by_target: dict[str, list[str]] = {}
    for text, target in dict(pairs).items():
        by_target.setdefault(target, []).append(text)
    for texts in by_target.values():
        rng.shuffle(texts)
    chosen: list[tuple[str, str]] = []
    while len(chosen) < sum(SIZES.values()) and any(by_target.values()):
        chosen += [(by_target[target].pop(), target) for target in sorted(by_target) if by_target[target]]
    chosen = chosen[: sum(SIZES.values())]
    if len(chosen) < sum(SIZES.values()):
        raise ValueError(f"only {len(chosen)} cases")
    rng.shuffle(chosen)
    parts: dict[str, list[dict[str, str]]] = {}
    for name, size in SIZES.items():
        mine, chosen = chosen[:size], chosen[size:]
        parts[name] = [
            {"id": f"{name[0]}{n:03d}", "input": text, "target": target} for n, (text, target) in enumerate(mine)
        ]
    return parts


def demo_sets(train: Sequence[dict[str, str]], seed: str, sizes: Sequence[int] = (4, 4, 4, 6)) -> list[list[str]]:
    """Sets of train cases: targets in turn, as many different ones as there is room for."""
    rng = random.Random(f"demos-{seed}")
    sets = []
    for size in sizes:
        pool: dict[str, list[str]] = {}
        for case in rng.sample(list(train), len(train)):
            pool.setdefault(case["target"], []).append(case["id"])
        targets = rng.sample(sorted(pool), len(pool))
        chosen: list[str] = []
        while len(chosen) < size:
            chosen += [pool[target].pop() for target in targets if pool[target]][: size - len(chosen)]
        sets.append(rng.sample(chosen, size))
    return sets


Pairs = Sequence[tuple[str, str]]
"""Inputs and their targets."""


def examples(pairs: Pairs, field: str, answer: str, head: str = "", cue: str | None = None) -> str:
    """An instruction with worked examples inside, and the place of the input at its end."""
    shown = [f"{field}: {text}\n{answer}: {target}" for text, target in pairs]
    return "\n\n".join([*([head] if head else []), *shown, f"{field}: {{input}}\n{cue or answer}:"])


def arrows(pairs: Pairs, sign: str = "->") -> str:
    """Worked examples, one a line."""
    return "\n".join(f"{text} {sign} {target}" for text, target in pairs) + f"\n\n{{input}} {sign}"


def write(found: dict[str, Any], folder: Path) -> None:
    """One task as its file: a line for each case and each candidate."""
    text = json.dumps({**found, "candidates": "CANDIDATES", "cases": "CASES"}, indent=1, ensure_ascii=False)
    parts = {split: _lines(cases) for split, cases in found["cases"].items()}
    cases = ",\n".join(f" {json.dumps(split)}: [\n{lines}\n ]" for split, lines in parts.items())
    text = text.replace('"CANDIDATES"', f"[\n{_lines(found['candidates'])}\n ]").replace('"CASES"', f"{{\n{cases}\n }}")
    assert json.loads(text) == json.loads(json.dumps(found))
    (folder / f"{found['name']}.json").write_text(text + "\n")


def _lines(items: Iterable[Any]) -> str:
    return ",\n".join(f"  {json.dumps(item, ensure_ascii=False)}" for item in items)
