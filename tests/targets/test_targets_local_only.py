"""Local-only mode: nothing but this machine is called, whatever kind of target a plan names."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from servers.faulty import FaultyServer
from sharpen.config.targets import OpenAITarget, PluginTarget, PythonTarget, ScriptedTarget, TargetConfig
from sharpen.errors import ErrorKind, OfflineError, UserError
from sharpen.targets.base import Failure, Message, Target, TargetRequest, TargetResponse
from sharpen.targets.exceptions import failure_of
from sharpen.targets.http_client import open_client
from sharpen.targets.http_errors import NoConnectionError
from sharpen.targets.local_only import is_loopback, local_only, resolve_here
from sharpen.targets.openai_compatible import OpenAICompatibleTarget
from sharpen.targets.registry import build_target

REQUEST = TargetRequest((Message("user", "hello"),))


class Mute(Target):
    """A plug-in that does not say where it calls."""

    async def invoke(self, request: TargetRequest) -> TargetResponse:
        return TargetResponse("yes")

    def classify(self, exception: BaseException) -> Failure:
        return failure_of(exception)

    def identity(self) -> Mapping[str, Any]:
        return {"kind": "mute"}


class Somewhere(Mute):
    """A plug-in that says it."""

    def __init__(self, host: str | None) -> None:
        self._host = host

    def address(self) -> str | None:
        return self._host


def plugin(name: str, **options: Any) -> PluginTarget:
    return PluginTarget(kind=f"{__name__}:{name}", options=options)


def openai(base_url: str) -> OpenAITarget:
    return OpenAITarget(model="m", base_url=base_url)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARPEN_OFFLINE", "1")


@pytest.mark.parametrize(("value", "on"), [("1", True), (" Yes ", True), ("on", True), ("TRUE", True), ("", False),
                                           ("0", False), ("no", False), ("off", False), ("False", False)])  # fmt: skip
def test_the_variable(value: str, on: bool) -> None:
    assert local_only({"SHARPEN_OFFLINE": value}) is on


def test_the_variable_left_out_or_senseless() -> None:
    assert not local_only({})
    with pytest.raises(UserError, match=r"SHARPEN_OFFLINE is 'perhaps'; expected 1 or 0"):
        local_only({"SHARPEN_OFFLINE": "perhaps"})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1", "localhost",
                                  "LocalHost.", "api.localhost"])  # fmt: skip
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "10.0.0.1", "192.168.1.1", "169.254.169.254", "8.8.8.8",
                                  "example.com", "localhost.example.com", "127.0.0.1.example.com", "notlocalhost",
                                  "127.1", "2130706433", "0x7f000001", "::ffff:8.8.8.8", "fe80::1%lo",
                                  "127.0.0.1%2eexample.com"])  # fmt: skip
def test_elsewhere(host: str) -> None:
    assert not is_loopback(host)


@given(st.ip_addresses())
def test_an_address_is_this_machines_as_the_standard_says(address: Any) -> None:
    mapped = getattr(address, "ipv4_mapped", None)
    assert is_loopback(str(address)) is (mapped or address).is_loopback


@pytest.mark.parametrize(
    "config",
    [
        openai("https://api.example.com/v1"),
        openai("http://10.0.0.1:8080/v1"),
        openai("http://127.0.0.1.nip.example/v1"),
        OpenAITarget(model="gpt-5"),
        plugin("Mute"),
        plugin("Somewhere", host="https://models.example.com/v1"),
        plugin("Somewhere", host="models.example.com"),
    ],
)
@pytest.mark.usefixtures("offline")
def test_refused_before_it_is_built(config: TargetConfig) -> None:
    with pytest.raises(OfflineError, match="local-only mode is on") as refused:
        build_target(config)
    (problem,) = refused.value.problems
    assert config.kind in problem.message


@pytest.mark.parametrize(
    "config",
    [
        openai("http://127.0.0.1:8080/v1"),
        openai("http://[::1]:8080/v1"),
        openai("https://localhost/v1"),
        ScriptedTarget(),
        PythonTarget(function=f"{__name__}:openai"),
        plugin("Somewhere", host=None),
        plugin("Somewhere", host="127.0.0.1"),
        plugin("Somewhere", host="http://localhost:1/v1"),
    ],
)
@pytest.mark.usefixtures("offline")
def test_allowed(config: TargetConfig) -> None:
    assert isinstance(build_target(config), Target)


def test_without_the_mode_everything_is_allowed() -> None:
    assert isinstance(build_target(plugin("Mute")), Mute)
    assert isinstance(build_target(openai("https://api.example.com/v1")), OpenAICompatibleTarget)


async def test_a_target_built_before_the_mode_was_on_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    target = build_target(openai("https://api.example.com/v1"))
    monkeypatch.setenv("SHARPEN_OFFLINE", "1")
    with pytest.raises(OfflineError, match=r"'api\.example\.com'"):
        await target.__aenter__()


@pytest.mark.usefixtures("offline")
async def test_names_are_not_looked_up_and_no_proxy_is_used(
    openai_server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*_: object, **__: object) -> None:
        raise AssertionError("a name was looked up")

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", ask)
    async with build_target(openai(f"http://models.localhost:{openai_server.port}/v1")) as target:
        assert (await target.invoke(REQUEST)).output == "ok"
    assert openai_server.requests[0].headers["host"].startswith("models.localhost")


async def test_a_name_that_is_elsewhere_leads_nowhere() -> None:
    with pytest.raises(OSError, match="looks up no name"):
        await resolve_here("example.com", 80)
    client = await open_client(URL("http://example.com/v1"), {}, alone=True)
    try:
        with pytest.raises(NoConnectionError) as refused:
            await client.post(b"{}", 9, 9)
    finally:
        await client.close()
    failure = OpenAICompatibleTarget(openai("http://example.com/v1")).classify(refused.value)
    assert (failure.kind, failure.retryable) == (ErrorKind.CONNECTION, False)
    assert "looks up no name" in failure.message


def test_a_ca_file_is_no_way_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARPEN_OFFLINE", "1")
    with pytest.raises(OfflineError):
        build_target(OpenAITarget(model="m", base_url="https://models.example.com/v1", ca_file=tmp_path / "ca.pem"))
