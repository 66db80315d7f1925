"""A small search on a model in this process that counts its calls, and can die at any of them."""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

from sharpen.errors import ErrorKind
from sharpen.optimizer.models import OptimizationOutcome
from sharpen.storage.store import Store
from sharpen.targets.base import Failure, TargetError, TargetRequest
from sharpen.wiring import load_plan, optimize_plan, resume_optimization

CASES, QUEUES = 14, ("billing", "shipping")
REWRITTEN = "Answer with the queue alone: billing or shipping.\n\n{{ message }}"
TIMES = frozenset({
    "started_at", "finished_at", "executed_at", "execution_time", "wait_time", "queue_time", "limit_time",
    "avg_execution_time", "avg_response_time_ms", "p50_response_time_ms", "p95_response_time_ms",
    "p99_response_time_ms", "avg_latency_ms", "p95_latency_ms",
})  # fmt: skip


class Died(BaseException):
    """The end of a process, as near as one process can play it."""


class Model:
    """What was asked, and at which call to die. One for all: targets name its functions."""

    asked: list[str]
    dies_at: int | None
    fails: set[int]

    @classmethod
    def reset(cls, dies_at: int | None = None) -> None:
        cls.asked, cls.dies_at, cls.fails = [], dies_at, set()

    @classmethod
    async def called(cls, who: str, request: TargetRequest) -> str:
        if len(cls.asked) == cls.dies_at:  # the dead ask nothing
            raise Died
        cls.asked.append(f"{who}: {request.text}")
        number = len(cls.asked)
        await asyncio.sleep(0)
        if number == cls.dies_at:
            raise Died
        if number in cls.fails:
            raise TargetError(Failure(ErrorKind.AUTHENTICATION, "the key was revoked"))
        return request.text


async def answer(request: TargetRequest) -> str:
    """Knows the queue, and says it alone only when the prompt asks so."""
    text = await Model.called("model", request)
    queue = "billing" if "invoice" in text.rpartition("\n")[2] else "shipping"
    return queue if "nswer with" in text else f"I think it is {queue}."


async def answer_sometimes(request: TargetRequest) -> str:
    """As ``answer``, but good prompts help with every third case only: too seldom to prove anything."""
    told = await answer(request)
    return told if int("".join(filter(str.isdigit, request.text))) % 3 == 0 else "no idea"


async def judge(request: TargetRequest) -> str:
    """Likes short answers."""
    text = await Model.called("judge", request)
    return json.dumps({"pass": "I think" not in text, "score": 0.0 if "I think" in text else 1.0, "reason": "length"})


async def rewrite(request: TargetRequest) -> str:
    """Rewrites for the first angle, fails for the second, and says nothing usable for the third."""
    text = await Model.called("rewriter", request)
    if "tell apart" in text:
        raise RuntimeError("no idea")
    return f'<message role="user">\n{REWRITTEN}\n</message>' if "explicitly" in text else "hm"


async def reflect(request: TargetRequest) -> str:
    """Rewrites as other engines ask for it: in a fence, or in DSPy's fields."""
    text = await Model.called("rewriter", request)
    new = "Answer with the queue alone." if zlib.crc32(text.encode()) % 3 else "Which one?"
    fields = re.findall(r"\[\[ ## (\w+) ## \]\]", text.rpartition("Respond with")[2])
    return "".join(f"[[ ## {name} ## ]]\n{new}\n\n" for name in dict.fromkeys(fields)) or f"```\n{new}\n```"


def plan(directory: Path, **keys: Any) -> Path:
    """A plan file in ``directory``."""
    words = ("invoice", "parcel")
    plan = {
        "workflow_id": "routing",
        "prompt": {"user": "Which queue?\n\n{{ message }}"},
        "target": {"kind": "python", "function": "search_kit:answer"},
        "dataset": [
            {
                "id": f"c{n:02}",
                "vars": {"message": f"The {words[n % 2]} {n}."},
                "expected": QUEUES[n % 2],
            }
            for n in range(CASES)
        ],
        "assertions": [{"type": "equals", "value": "{{ expected }}"}],
        "execution": {"concurrency": 1, "max_retries": 0},
        "optimize": {"strategies": ["format_focus"]},
    }
    directory.mkdir(exist_ok=True)
    path = directory / "plan.json"
    path.write_text(json.dumps(plan | keys), "utf-8")
    return path


def store_of(path: Path) -> Store:
    return Store.open(f"sqlite:///{path.parent}/store.db")


def search(path: Path, dies_at: int | None = None) -> OptimizationOutcome:
    """A whole search, unless it dies."""
    Model.reset(dies_at)
    with store_of(path) as store:
        return optimize_plan(load_plan(path), store)


def cut_off(path: Path, dies_at: int) -> list[str]:
    """A search that dies at a call; what was asked."""
    try:
        search(path, dies_at)
    except Died:
        return Model.asked
    raise AssertionError(f"it ended before call {dies_at}")


def go_on(path: Path, dies_at: int | None = None, *overrides: str) -> OptimizationOutcome:
    """The one search of a store, gone on with."""
    Model.reset(dies_at)
    with store_of(path) as store:
        (found,) = store.searches.list()
        resumed = resume_optimization(found.id, store, overrides=overrides)
        assert resumed is not None
        return resumed[1]


def story(outcome: OptimizationOutcome) -> Any:
    """All that an outcome says, but when and how fast. The ids of its runs follow from its own, which is ``OPT``."""
    return _timeless(json.loads(outcome.model_dump_json().replace(outcome.run_id, "OPT")))


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(inner) for key, inner in value.items() if key not in TIMES}
    return [_timeless(inner) for inner in value] if isinstance(value, list) else value


def repeated(before: list[str], after: list[str], whole: list[str]) -> Counter[str]:
    """What was asked more often than an uninterrupted search asks it; nothing was asked less often."""
    total, once = Counter(before) + Counter(after), Counter(whole)
    assert not once - total
    return total - once
