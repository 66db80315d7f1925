"""Everything that can go wrong on the way to a server, on real sockets, through the whole executor.

Each row of the table ends in its typed kind, after the right number of attempts, within its deadline, and leaves no
task, no socket and no file descriptor behind.
"""

from __future__ import annotations

import asyncio
import gc
import gzip
import random
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from servers.certificates import Authority
from servers.faulty import (
    Behaviour,
    FaultyServer,
    Reply,
    answering,
    chat,
    half_closed,
    hang,
    reset,
    sending,
    sometimes,
    status,
    trickling,
)  # fmt: skip
from sharpen.config.models import RunManifest
from sharpen.errors import ErrorKind, PlanError
from sharpen.executor.executor_service import ExecutorService
from sharpen.executor.loop import run
from sharpen.executor.models import RunExecutionResult
from sharpen.targets import openai_compatible

RETRIES = 1
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
GOOD = chat("ok").body
LENGTH = b"Content-Length: %d\r\n\r\n" % len(GOOD)
PAGE = Reply(200, b"<!DOCTYPE html><title>Welcome</title>", {"Content-Type": "text/html"})
MIB = 2**20


def compressed(body: bytes, encoding: str = "gzip") -> Reply:
    packed = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    return Reply(200, packed, {"Content-Encoding": encoding})


def endless(piece: bytes) -> Iterator[bytes]:
    while True:
        yield piece


@dataclass(frozen=True)
class Fault:
    """What a server does, and what it must come to. ``kind`` None: a success. ``timeout_s``: of one attempt."""

    behaviour: Behaviour
    kind: ErrorKind | None
    attempts: int = 1
    timeout_s: float = 5.0


CONNECTION, TIMEOUT, SERVER = ErrorKind.CONNECTION, ErrorKind.TIMEOUT, ErrorKind.SERVER
MALFORMED, REFUSED = ErrorKind.MALFORMED_COMPLETION, ErrorKind.BAD_REQUEST
TWICE = 1 + RETRIES

FAULTS = {
    "hangs before headers": Fault(hang(), TIMEOUT, TWICE, 0.2),
    "hangs in the headers": Fault(hang(HEAD), TIMEOUT, TWICE, 0.2),
    "hangs after headers": Fault(hang(HEAD + LENGTH), TIMEOUT, TWICE, 0.2),
    "hangs in the body": Fault(hang(HEAD + LENGTH + GOOD[:20]), TIMEOUT, TWICE, 0.2),
    "trickles without end": Fault(trickling(endless(b" "), 0.01), TIMEOUT, TWICE, 0.2),
    "trickles, but comes to its end": Fault(trickling([bytes([c]) for c in GOOD], 0.001), None),
    "closes at once": Fault(sending(b""), CONNECTION, TWICE),
    "closes in the headers": Fault(sending(HEAD), CONNECTION, TWICE),
    "closes in the body": Fault(sending(HEAD + LENGTH + GOOD[:20]), CONNECTION, TWICE),
    "closes in a chunk": Fault(sending(HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{"), CONNECTION, TWICE),
    "ends the body by closing": Fault(sending(HEAD + b"\r\n" + GOOD), None),
    "half-closes before headers": Fault(half_closed(b""), CONNECTION, TWICE),
    "half-closes in the body": Fault(half_closed(HEAD + LENGTH + GOOD[:20]), CONNECTION, TWICE),
    "resets before headers": Fault(reset(), CONNECTION, TWICE),
    "resets in the headers": Fault(reset(HEAD), CONNECTION, TWICE),
    "resets in the body": Fault(reset(HEAD + LENGTH + GOOD[:20]), CONNECTION, TWICE),
    "garbage": Fault(sending(b"\x00\xff\x16\x03" * 200), CONNECTION, TWICE),
    "another protocol": Fault(sending(b"220 mail.example.com ESMTP\r\n\r\n"), CONNECTION, TWICE),
    "garbage among the headers": Fault(sending(HEAD + b"\x00: \x00\r\n" + LENGTH + GOOD), CONNECTION, TWICE),
    "a header without end": Fault(sending(HEAD + b"X: " + b"x" * 70_000 + b"\r\n" + LENGTH + GOOD), CONNECTION, TWICE),
    "two lengths": Fault(sending(HEAD + b"Content-Length: 1\r\n" + LENGTH + GOOD), CONNECTION, TWICE),
    "garbage for a chunk": Fault(sending(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"), CONNECTION, TWICE),
    "truncated JSON": Fault(Reply(200, GOOD[:-30]), MALFORMED, TWICE),
    "an empty body": Fault(Reply(200), MALFORMED, TWICE),
    "no text at all": Fault(Reply(200, b"\xff\xfe\x00\x01"), MALFORMED, TWICE),
    "another JSON": Fault(Reply(200, b"[1, 2]"), MALFORMED),
    "JSON nested without end": Fault(Reply(200, b"[" * 100_000), MALFORMED, TWICE),
    "a web page": Fault(PAGE, MALFORMED),
    "JSON called a web page": Fault(Reply(200, GOOD, {"Content-Type": "text/html"}), None),
    "gzip": Fault(compressed(GOOD), None),
    "gzip cut short": Fault(Reply(200, gzip.compress(GOOD)[:60], {"Content-Encoding": "gzip"}), MALFORMED, TWICE),
    "gzip that is none": Fault(Reply(200, GOOD, {"Content-Encoding": "gzip"}), CONNECTION, TWICE),
    "10 MB": Fault(chat("x" * 10_000_000), None),
    "larger than the limit": Fault(Reply(200, b" " * (33 * MIB) + GOOD), MALFORMED),
    "larger than the limit, in chunks": Fault(trickling([b" " * MIB] * 40, 0), MALFORMED),
    "a gzip bomb": Fault(compressed(b" " * (512 * MIB)), MALFORMED),
    "a deflate bomb": Fault(compressed(b" " * (512 * MIB), "deflate"), MALFORMED),
    "a bomb for an error": Fault(Reply(500, compressed(b" " * (512 * MIB)).body, {"Content-Encoding": "gzip"}),
                                 SERVER, TWICE),
    "500": Fault(status(500), SERVER, TWICE),
    "501": Fault(status(501), SERVER),
    "503": Fault(status(503, Retry_After="0"), SERVER, TWICE),
    "429": Fault(status(429, Retry_After="0"), ErrorKind.RATE_LIMIT, TWICE),
    "429 for a day": Fault(status(429, Retry_After="86400"), ErrorKind.RATE_LIMIT),
    "429 until a limit is reset": Fault(status(429, x_ratelimit_remaining_tokens="0", x_ratelimit_reset_tokens="24h"),
                                        ErrorKind.RATE_LIMIT),
    "redirect on the same host": Fault(status(307, location="/v2/chat/completions"), REFUSED),
    "redirect to no address": Fault(status(302, location="http://[::1"), REFUSED),
    "redirect to itself": Fault(status(308, location="/v1/chat/completions"), REFUSED),
    "informational answers first": Fault(sending(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3 + HEAD + LENGTH + GOOD), None),
}  # fmt: skip


class NoJitter(random.Random):
    """Retries come at once, so that the tests end soon."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


def manifest(base_url: str, cases: int = 1, concurrency: int = 1, timeout_s: float = 5.0, **target: Any) -> RunManifest:
    return RunManifest.model_validate(
        {
            "workflow_id": "faults",
            "prompt": {"user": "Say ok: {{ number }}"},
            "target": {"kind": "openai", "model": "m", "base_url": base_url, **target},
            "dataset": [{"id": f"c{number}", "vars": {"number": number}} for number in range(cases)],
            "execution": {"concurrency": concurrency, "timeout_s": timeout_s, "max_retries": RETRIES, "cache": False},
        }
    )


def executed(plan: RunManifest) -> tuple[RunExecutionResult, float]:
    """The plan's result and how long it took, in s. Asserts that nothing is left behind."""

    async def story() -> tuple[RunExecutionResult, float]:
        service = ExecutorService()
        service.scheduler._rng = NoJitter()
        started = time.monotonic()
        result = await service.execute_test_plan_async(plan)
        took = time.monotonic() - started
        await asyncio.sleep(0)  # a closed transport tells its protocol in the next round
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks left behind: {left}"
        return result, took

    process = psutil.Process()
    before = _descriptors(process)
    found = run(story())
    gc.collect()  # an unclosed socket or transport is a ResourceWarning, which fails the test
    _eventually(lambda: _descriptors(process) <= before, "file descriptors left behind")
    return found


def _descriptors(process: psutil.Process) -> int:
    return int(process.num_handles() if hasattr(process, "num_handles") else process.num_fds())


def _eventually(holds: Callable[[], bool], otherwise: str) -> None:
    """The server is a thread of this process: its ends of the connections are closed a moment later."""
    until = time.monotonic() + 3
    while not holds():
        assert time.monotonic() < until, otherwise
        time.sleep(0.005)


def assert_ends(result: RunExecutionResult, kind: ErrorKind | None, attempts: int) -> None:
    (task,) = result.task_results
    found = task.error.kind if task.error else None
    assert found is kind, task.error
    assert task.attempts == attempts, task.error
    assert [attempt.kind for attempt in task.failed_attempts][: attempts - 1] == [kind] * (attempts - 1)


@pytest.fixture(scope="module", autouse=True)
def _warmed_up() -> None:
    """What a first run opens for good is not counted."""
    with FaultyServer() as server:
        run(ExecutorService().execute_test_plan_async(manifest(server.base_url)))


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_faults(openai_server: FaultyServer, fault: Fault) -> None:
    openai_server.script(fault.behaviour)
    memory = psutil.Process().memory_info().rss
    result, took = executed(manifest(openai_server.base_url, timeout_s=fault.timeout_s))
    assert_ends(result, fault.kind, fault.attempts)
    assert len(openai_server.requests) == fault.attempts
    assert took < fault.attempts * fault.timeout_s + 3
    assert psutil.Process().memory_info().rss - memory < 300 * MIB, "a bomb went off"
    _eventually(lambda: not openai_server.open_connections, "connections left open")


def test_slow_is_no_fault(openai_server: FaultyServer) -> None:
    openai_server.delay_s = 0.3
    result, took = executed(manifest(openai_server.base_url))
    assert_ends(result, None, 1)
    assert 0.3 <= took < 3


def test_a_fault_that_passes(openai_server: FaultyServer) -> None:
    openai_server.script(reset(), chat("ok"))
    result, _ = executed(manifest(openai_server.base_url))
    (task,) = result.task_results
    assert (task.error, task.attempts, task.output) == (None, 2, "ok")
    assert [attempt.kind for attempt in task.failed_attempts] == [CONNECTION]


# -- before there is a connection -----------------------------------------------------------------------------------


def test_reset_at_connect(openai_server: FaultyServer) -> None:
    openai_server.resets_connections = True
    result, _ = executed(manifest(openai_server.base_url))
    assert_ends(result, CONNECTION, TWICE)
    assert (openai_server.connections, openai_server.requests) == (TWICE, [])


def test_nobody_listens() -> None:
    result, took = executed(manifest("http://127.0.0.1:9/v1"))
    assert_ends(result, CONNECTION, TWICE)
    assert took < 3


def test_no_such_host() -> None:
    result, took = executed(manifest("http://no-such-host.invalid/v1"))
    assert_ends(result, CONNECTION, 1)
    assert took < 3


# -- TLS ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def ca_file(authority: Authority, tmp_path: Path) -> str:
    return str(authority.write(tmp_path / "ca.pem"))


UNKNOWN = (
    "unable to get local issuer certificate; if you trust it, name the certificate of its authority (PEM) as ca_file "
    "beside base_url, or in SSL_CERT_FILE"
)
WHY = {
    "unknown authority": UNKNOWN,
    "another authority": UNKNOWN,
    "expired": "certificate has expired",
    "another host": "IP address mismatch, certificate is not valid for '127.0.0.1'; is base_url right?",
}


@pytest.mark.parametrize("sort", WHY)
def test_untrusted_certificates(authority: Authority, ca_file: str, tmp_path: Path, sort: str) -> None:
    names, trust = ((), {"ca_file": ca_file})
    if sort == "another host":
        names = ("models.example.com",)
    elif sort == "another authority":
        trust = {"ca_file": str(Authority().write(tmp_path / "other.pem"))}
    elif sort == "unknown authority":
        trust = {}
    with FaultyServer(tls=authority.serving(*names, expired=sort == "expired")) as server:
        result, _ = executed(manifest(server.base_url, **trust))
        assert_ends(result, CONNECTION, 1)
        assert not server.requests
    error = result.task_results[0].error
    assert error is not None
    assert error.message == f"the server's certificate is not trusted: {WHY[sort]}"


def test_a_ca_file_of_the_plan(authority: Authority, ca_file: str) -> None:
    with FaultyServer(tls=authority.serving()) as server:
        result, _ = executed(manifest(server.base_url, ca_file=ca_file))
    assert_ends(result, None, 1)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_holds_none(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(PlanError, match=r"target\.ca_file: .*ca\.pem.*expected certificates in PEM form"):
        executed(manifest("https://127.0.0.1:9/v1", ca_file=str(path)))


@pytest.mark.parametrize("fault", ["hangs after headers", "resets in the body", "closes in the body"])
def test_faults_behind_tls(authority: Authority, ca_file: str, fault: str) -> None:
    with FaultyServer(FAULTS[fault].behaviour, tls=authority.serving()) as server:
        result, _ = executed(manifest(server.base_url, timeout_s=FAULTS[fault].timeout_s, ca_file=ca_file))
    assert_ends(result, FAULTS[fault].kind, TWICE)


def test_tls_spoken_to_a_server_that_waits_for_http(openai_server: FaultyServer) -> None:
    result, took = executed(manifest(openai_server.base_url.replace("http://", "https://"), timeout_s=0.2))
    assert_ends(result, TIMEOUT, TWICE)
    assert took < 3


def test_http_spoken_to_a_server_that_waits_for_tls(authority: Authority) -> None:
    with FaultyServer(tls=authority.serving()) as server:
        result, _ = executed(manifest(server.base_url.replace("https://", "http://"), cases=3))
    assert result.stop_reason == (
        "no proper answer from the target: the server closed the connection without an answer; does it speak https?"
    )


def test_a_server_that_has_answered_is_not_asked_whether_it_speaks_https(openai_server: FaultyServer) -> None:
    openai_server.script(chat("ok"), sending(b""))
    result, _ = executed(manifest(openai_server.base_url, cases=2))
    error = result.task_results[1].error
    assert error is not None
    assert error.message == "the server closed the connection without an answer"


# -- redirects ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("secure", [False, True])
def test_no_redirect_is_followed(
    openai_server: FaultyServer, authority: Authority, ca_file: str, code: int, secure: bool
) -> None:
    with FaultyServer(chat("stolen"), tls=authority.serving() if secure else None) as elsewhere:
        openai_server.script(status(code, location=f"{elsewhere.base_url}/chat/completions"))
        result, _ = executed(manifest(openai_server.base_url, ca_file=ca_file))
        assert_ends(result, REFUSED, 1)
        assert (elsewhere.connections, len(openai_server.requests)) == (0, 1)


# -- many at once ---------------------------------------------------------------------------------------------------


def test_one_percent_of_500s(openai_server: FaultyServer) -> None:
    openai_server.script(sometimes(0.01, status(500), answering(lambda _: "ok"), seed=2))
    result, _ = executed(manifest(openai_server.base_url, cases=600, concurrency=32))
    attempts = Counter(task.attempts for task in result.task_results)
    assert result.statistics.succeeded_tasks == 600
    assert attempts[2] > 0
    assert len(openai_server.requests) == attempts[1] + 2 * attempts[2]


def test_all_faults_at_once(openai_server: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_compatible, "MAX_ANSWER_BYTES", MIB)
    dear = ("bomb", "MB", "limit", "day")
    harmless = [fault.behaviour for name, fault in FAULTS.items() if not any(word in name for word in dear)]
    script = (harmless + [chat("ok")] * len(harmless)) * 3
    random.Random(7).shuffle(script)
    openai_server.script(*script, chat("ok"))
    result, _ = executed(manifest(openai_server.base_url, cases=300, concurrency=48, timeout_s=0.5))
    counts = result.statistics
    assert len(result.task_results) == counts.total_tasks == 300
    assert counts.completed_tasks == 300, "no fault of one call ends the run"
    assert counts.succeeded_tasks > 150
    lost = sum(task.attempts for task in result.task_results) - len(openai_server.requests)
    assert 0 <= lost < 10, "what is sent as the server closes a kept connection is an attempt, and never arrives"
    _eventually(lambda: not openai_server.open_connections, "connections left open")
