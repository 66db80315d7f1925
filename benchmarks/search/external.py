"""Tasks that are not in this repository: a directory laid out as `data/NAME.json`, `banks/NAME.json`, `table/NAME.npz`.

Their texts stay where they are; only what searches reached on them is kept here.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np

from search.table import Table
from search.tasks import SPLITS, Case, Prompt, Task

TRAIN_CASES = 50
"""So many of its train cases are in such a table."""
BLOCKS = {"sms": "Message: {input}\nLabel:", "trec": "Question: {input}\nType:"}


def external_names(folder: Path) -> list[str]:
    return sorted(path.stem for path in (folder / "table").glob("*.npz"))


@cache
def load_external(folder: Path, name: str) -> Table:
    data = json.loads((folder / "data" / f"{name}.json").read_text())
    bank = json.loads((folder / "banks" / f"{name}.json").read_text())
    cases = {split: tuple(Case(one["id"], one["input"], one["target"]) for one in data[split]) for split in SPLITS}
    cases["train"] = cases["train"][:TRAIN_CASES]
    with np.load(folder / "table" / f"{name}.npz") as kept:
        about = json.loads(str(kept["meta"]))
        arrays = [kept[key].astype(np.int64) for key in ("out", "ptok", "ctok")]
    task = Task(
        name=name,
        kind=data["kind"],
        cases=cases,
        block=BLOCKS.get(name, "Input: {input}\nOutput:"),
        max_tokens=16 if data["kind"] == "json" else 6,
        seed=bank["seed"],
        candidates=tuple((one["style"], one["text"]) for one in bank["candidates"]),
        labels=tuple(data["labels"] or ()),
        json_key=data.get("key"),
        source=data.get("source", ""),
    )
    prompts = tuple(Prompt(text, tuple(demos)) for text, demos in about["prompts"])
    return Table(task, prompts, tuple(about["case_ids"]), tuple(about["texts"]), *arrays, recorded={})
