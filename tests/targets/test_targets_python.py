"""The user's own functions: sync, async, wrong, slow and rude."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharpen.config.targets import PythonTarget
from sharpen.errors import ErrorKind, PlanError
from sharpen.targets.base import Message, TargetError, TargetRequest, TargetResponse, Usage
from sharpen.targets.python_callable import PythonCallableTarget, read_result
from sharpen.targets.registry import build_target

REQUEST = TargetRequest((Message("user", "hello"),), variables={"city": "Bern"}, case_id="c1")
MODULE = """
import asyncio, functools, time

def echo(request): return request.messages[-1].content
def city(request, suffix="", *, twice=False): return request.variables["city"] * (2 if twice else 1) + suffix
async def later(request): await asyncio.sleep(0); return {"output": "later", "prompt_tokens": 3, "cost": 0.5}
class Program:
    async def __call__(self, request): return "program"
    def method(self, request): return later(request)
program = Program()
partial = functools.partial(city, suffix="?")
number = 7
def broken(request): raise KeyError("missing key")
def unreachable(request): raise ConnectionResetError(104, "reset")
def exits(request): raise SystemExit(4)
async def async_exits(request): raise SystemExit(4)
def stops(request): next(iter(()))
def none(request): return None
def slow(request): time.sleep(0.3); return "slow"
"""


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., PythonCallableTarget]:
    """``build("echo", param=1)``: a target on the module above, which stands beside the plan."""
    module = f"workflow_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{module}.py").write_text(MODULE)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def build_(function: str, **params: Any) -> PythonCallableTarget:
        target = build_target(PythonTarget(function=f"{module}:{function}", params=params), tmp_path)
        assert isinstance(target, PythonCallableTarget)
        return target

    return build_


@pytest.mark.parametrize(
    ("function", "params", "expected"),
    [
        ("echo", {}, TargetResponse("hello")),
        ("city", {"suffix": "!", "twice": True}, TargetResponse("BernBern!")),
        ("later", {}, TargetResponse("later", Usage(3, 0), 0.5)),
        ("program", {}, TargetResponse("program")),
        ("program.method", {}, TargetResponse("later", Usage(3, 0), 0.5)),
        ("partial", {}, TargetResponse("Bern?")),
    ],
)
async def test_answers(build: Any, function: str, params: dict[str, Any], expected: TargetResponse) -> None:
    async with build(function, **params) as target:
        assert await target.invoke(REQUEST) == expected


@pytest.mark.parametrize(
    ("function", "params", "part"),
    [
        ("number", {}, "is a int; expected a function"),
        ("missing", {}, "has no 'missing'; expected one of"),
        ("echo", {"tone": "mild"}, "cannot be called as (request, tone=…)"),
        ("city", {"request": 1}, "cannot be called"),
    ],
)
def test_what_cannot_be_called_is_found_at_once(build: Any, function: str, params: dict[str, Any], part: str) -> None:
    with pytest.raises(PlanError) as caught:
        build(function, **params)
    assert part in str(caught.value)
    assert str(caught.value).startswith("target.")


def test_a_builtin_function_may_hide_its_signature() -> None:
    target = PythonCallableTarget(PythonTarget(function="builtins:vars"))  # tells no signature
    assert target.identity()["source_sha256"] is None


@pytest.mark.parametrize(
    ("function", "kind", "retryable", "part"),
    [
        ("broken", ErrorKind.SERVER, False, "KeyError: 'missing key'"),
        ("unreachable", ErrorKind.CONNECTION, True, "reset"),
        ("exits", ErrorKind.SERVER, False, "sys.exit(4)"),
        ("async_exits", ErrorKind.SERVER, False, "sys.exit(4)"),
        ("stops", ErrorKind.SERVER, False, "StopIteration"),
        ("none", ErrorKind.MALFORMED_COMPLETION, False, "returned None; expected a str"),
    ],
)
async def test_failures(build: Any, function: str, kind: ErrorKind, retryable: bool, part: str) -> None:
    async with build(function) as target:
        with pytest.raises((KeyError, OSError, RuntimeError, TargetError)) as caught:
            await target.invoke(REQUEST)
        failure = target.classify(caught.value)
    assert (failure.kind, failure.retryable) == (kind, retryable)
    assert part in failure.message


@pytest.mark.parametrize(
    ("result", "part"),
    [
        (7, "returned a int"),
        (b"bytes", "returned a bytes"),
        ({}, "no 'output'"),
        ({"output": 7}, "'output' as a int"),
        ({"output": None}, "'output' as None"),
        ({"output": "x", "tokens": 3}, "unknown keys ['tokens']"),
        ({"output": "x", "prompt_tokens": -1}, "prompt_tokens -1"),
        ({"output": "x", "prompt_tokens": 1.5}, "prompt_tokens 1.5"),
        ({"output": "x", "completion_tokens": True}, "completion_tokens True"),
        ({"output": "x", "completion_tokens": float("inf")}, "completion_tokens inf"),
        ({"output": "x", "cost": float("nan")}, "cost nan"),
        ({"output": "x", "cost": "free"}, "cost 'free'"),
        ({"output": "x", "cost": -1}, "cost -1"),
        ({"output": "x", "model": 3}, "'model' as a int"),
    ],
)
def test_results_of_a_wrong_shape(result: Any, part: str) -> None:
    with pytest.raises(TargetError) as caught:
        read_result(result)
    assert caught.value.failure.kind is ErrorKind.MALFORMED_COMPLETION
    assert part in str(caught.value)


def test_results_of_a_right_shape() -> None:
    full = {
        "output": "x",
        "prompt_tokens": 3,
        "completion_tokens": 2.0,
        "cost": 1,
        "model": "m",
        "finish_reason": "stop",
    }
    assert read_result(full) == TargetResponse("x", Usage(3, 2), 1.0, "stop", "m")
    assert read_result({"output": "x", "prompt_tokens": None}) == TargetResponse("x", cost=None)


@given(st.dictionaries(st.sampled_from(["output", "prompt_tokens", "cost", "model", "x"]),
                       st.none() | st.text(max_size=5) | st.floats() | st.integers() | st.booleans()))  # fmt: skip
def test_every_mapping_is_a_response_or_malformed(result: dict[str, Any]) -> None:
    try:
        response = read_result(result)
    except TargetError:
        return
    assert response.output == result["output"]


# -- threads --------------------------------------------------------------------------------------------------------


async def test_blocking_calls_run_side_by_side(build: Any) -> None:
    async with build("slow") as target, asyncio.timeout(3):
        answers = await asyncio.gather(*(target.invoke(REQUEST) for _ in range(50)))
    assert len(answers) == 50


async def test_idle_threads_are_used_again_and_end_with_the_target(build: Any) -> None:
    others = set(threading.enumerate())  # of targets that were closed just now

    def ours() -> int:
        return sum(t.name.startswith("sharpen-python") for t in set(threading.enumerate()) - others)

    async with build("echo") as target:
        for _ in range(20):
            await target.invoke(REQUEST)
            await asyncio.sleep(0.001)
        assert 1 <= ours() <= 3
    for thread in set(threading.enumerate()) - others:
        thread.join(3)
    assert ours() == 0


async def test_context_variables_reach_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    monkeypatch.setattr(sys.modules[__name__], "reads_context", lambda request: variable.get(), raising=False)
    variable.set("seen")
    async with PythonCallableTarget(PythonTarget(function=f"{__name__}:reads_context")) as target:
        assert (await target.invoke(REQUEST)).output == "seen"


def test_a_function_that_never_returns_does_not_keep_the_program_alive(tmp_path: Path) -> None:
    (tmp_path / "stuck.py").write_text("import threading\ndef forever(request): threading.Event().wait()\n")
    program = """
        import asyncio
        from sharpen.config.targets import PythonTarget
        from sharpen.targets.base import TargetRequest
        from sharpen.targets.registry import build_target

        async def main():
            async with build_target(PythonTarget(function="stuck:forever")) as target:
                async with asyncio.timeout(0.1):
                    await target.invoke(TargetRequest(()))
        try:
            asyncio.run(main())
        except TimeoutError:
            print("ended")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=tmp_path, capture_output=True, text=True, timeout=20
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")


async def test_an_answer_after_the_deadline_is_dropped(build: Any) -> None:
    async with build("slow") as target:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await target.invoke(REQUEST)
        assert (await target.invoke(REQUEST)).output == "slow"  # the late one arrives meanwhile


def test_an_answer_after_the_loop_has_closed_is_dropped(build: Any) -> None:
    target = build("slow")

    async def story() -> None:
        async with asyncio.timeout(0.05):
            await target.invoke(REQUEST)

    with pytest.raises(TimeoutError):
        asyncio.run(story())
    time.sleep(0.35)  # the thread finds a closed loop; an unhandled exception there would fail this test


# -- identity -------------------------------------------------------------------------------------------------------


def test_identity_changes_with_the_source(build: Any, tmp_path: Path) -> None:
    before = build("echo").identity()
    assert build("program").identity()["source_sha256"] == before["source_sha256"]
    (path,) = tmp_path.glob("workflow_*.py")
    path.write_text(MODULE + "# edited\n")
    assert build("echo").identity()["source_sha256"] != before["source_sha256"]
