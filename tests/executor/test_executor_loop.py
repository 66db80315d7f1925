import asyncio
import sys

import pytest

from sharpen.executor.loop import run


async def module_of_loop() -> str:
    return type(asyncio.get_running_loop()).__module__


def test_runs_on_uvloop_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("uvloop")
    assert run(module_of_loop()).startswith("uvloop")
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert run(module_of_loop()).startswith("asyncio")


async def test_says_what_to_await_inside_a_running_loop() -> None:
    with pytest.raises(RuntimeError, match="await the twin"):
        run(module_of_loop(), instead="the twin")
