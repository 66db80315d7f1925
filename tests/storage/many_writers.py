"""One of many processes that write into one store at once, see ``test_storage_many_writers``."""

from __future__ import annotations

import asyncio
from typing import Any

from sharpen.config.models import Case
from sharpen.executor.ports import CachedResponse
from sharpen.storage.store import Store
from sharpen.targets.base import TargetResponse
from sharpen.testing.storage_suite import make_result, make_run, start_of
from sharpen.testing.version_suite import make_prompt
from sharpen.versions.version_manager import VersionManager

RESULTS, SHARED, VERSIONS = 40, 10, 2


def name_of(number: int) -> str:
    return f"r{number:02}"


def run_of(number: int) -> Any:
    return make_run(name_of(number), [make_result(f"c{i}", output=f"{number}.{i}") for i in range(RESULTS)])


def write(url: str, number: int, start: Any) -> None:
    """A run with its inputs, answers that all others want too, and versions of the workflow that all others add to."""
    with Store.open(url) as store:
        start.wait()
        asyncio.run(_run(store, number))
        for step in range(VERSIONS):
            with store.locks.hold("versions:triage", wait_s=60):
                VersionManager(store.versions).create("triage", make_prompt(f"{number} {step}"))
        store.versions.set_alias("triage", "production", "1.0.0")


async def _run(store: Store, number: int) -> None:
    run = run_of(number)
    cases = [Case(id=f"c{i}", vars={"n": i}) for i in range(RESULTS)]
    mixed = cases[number:] + cases[:number]  # in another order than all others
    sink = store.sink()
    await sink.start_run(start_of(run))
    for first in range(0, RESULTS, 7):
        some = mixed[first : first + 7]
        await asyncio.gather(*(sink.add_cases(run.run_id, int(case.id[1:]), [case]) for case in some))
    await asyncio.gather(*(_answer(store, f"k{key}", number) for key in range(SHARED)))
    await asyncio.gather(*(sink.save_result(run.run_id, result) for result in reversed(run.task_results)))
    await sink.finish_run(run)


async def _answer(store: Store, key: str, number: int) -> None:
    """Paid for by one of all."""
    if await store.responses.claim(key, lambda: False) is True:
        await asyncio.sleep(0.01)
        await store.responses.put(key, CachedResponse(TargetResponse(f"{number} paid"), 0.1))
        await store.responses.put(f"paid-{key}-{number}", CachedResponse(TargetResponse(""), 0.1))
