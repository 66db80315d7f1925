"""What a failing run leaves behind holds no key: not the store, no report, no log, no message, in no disguise.

The servers here are hostile: they send the key back in every place an answer has.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_kit import Cli, Outcome

from servers.faulty import Behaviour, FaultyServer, Received, Reply, chat, hang, reset, sending, status

KEY = "hunter2/very+secret=0123456789&co"
"""A key of no known form, which looks different in a URL, in JSON, in HTML and in Base64."""

HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ENCODED = (
    base64.b64encode(KEY.encode()).decode(),
    base64.b64encode(f"user:{KEY}".encode()).decode(),
    base64.urlsafe_b64encode(f"Bearer {KEY}!".encode()).decode(),
    urllib.parse.quote(KEY, safe=""),
    KEY.encode().hex(),
)
REPORTS = ("report.html", "report.json", "report.junit.xml", "report.md")


def raw(text: str) -> Behaviour:
    return sending(text.encode())


def sized(body: str, *headers: str) -> str:
    return "\r\n".join([HEAD.rstrip(), *headers, f"Content-Length: {len(body)}", "", body])


def echoing_headers(received: Received) -> Reply:
    """As a debugging proxy would."""
    lines = "".join(f"{name}: {value}\n" for name, value in received.headers.items())
    return Reply(400, f"I do not understand:\n{lines}".encode())


EVERYWHERE = f"wrong key {KEY} ({', '.join(ENCODED)})"
HOSTILE: dict[str, Behaviour] = {
    "401": status(401, EVERYWHERE),
    "400": status(400, EVERYWHERE, error_code=KEY),
    "404": status(404, EVERYWHERE, KEY, KEY),
    "429": status(429, EVERYWHERE, Retry_After="0"),
    "500": status(500, EVERYWHERE),
    "500 cut in the key": status(500, "x" * (300 - len(KEY) // 2) + KEY),
    "500 that is no JSON": Reply(500, f"<html><b>{EVERYWHERE}</b></html>".encode()),
    "the request's headers": echoing_headers,
    "redirect by path": status(307, location=f"http://127.0.0.1:9/{KEY}/{urllib.parse.quote(KEY, safe='')}"),
    "redirect by query": status(307, location=f"http://127.0.0.1:9/?key={KEY}#{KEY}"),
    "redirect by user": status(307, location=f"http://u:{urllib.parse.quote(KEY, safe='')}@127.0.0.1:9/"),
    "200 with an error": Reply(200, json.dumps({"error": {"message": EVERYWHERE, "code": 500}}).encode()),
    "200 with the key as the answer": chat(f"Your key is {KEY}", finish_reason=KEY, model=KEY),
    "200 with the key as a tool call": chat(None, tool_calls=[{"function": {"name": KEY, "arguments": KEY}}]),
    "200 without choices": Reply(200, json.dumps({KEY: 1, "choices": KEY}).encode()),
    "200 that is no JSON": Reply(200, f"oops {EVERYWHERE}".encode()),
    "200 cut in the key": Reply(200, ("x" * (120 - len(KEY) // 2) + KEY).encode()),
    "200 that is a page": Reply(200, f"<!DOCTYPE html><p>{KEY}".encode()),
    "garbage": raw(f"{KEY} {KEY}\r\n\r\n"),
    "garbage among the headers": raw(sized("{}", f"{KEY}: {KEY}", f"X {KEY}")),
    "garbage for a length": raw(f"{HEAD}Content-Length: {KEY}\r\n\r\n"),
    "garbage for an encoding": raw(sized("{}", f"Content-Encoding: {KEY}", f"Transfer-Encoding: {KEY}")),
    "garbage for a status": raw(f"HTTP/1.1 {KEY} {KEY}\r\n\r\n"),
    "garbage for a reason": raw(f"HTTP/1.1 500 {KEY}\r\nContent-Length: 0\r\n\r\n"),
    "cut short": raw(f"{HEAD}Content-Length: 999\r\n\r\n{KEY}"),
    "reset": reset(KEY.encode()),
    "hanging": hang(KEY.encode()),
}


@pytest.fixture
def project(cli: Cli, openai_server: FaultyServer) -> Cli:
    cli.plan(
        cases=2,
        target={"kind": "openai", "model": "m", "base_url": openai_server.base_url, "api_key_env": "MY_KEY"},
        execution={"timeout_s": 0.5, "max_retries": 0, "concurrency": 2},
        assertions=[{"type": "contains", "value": "{{ expected }}"}],
    )
    cli.monkeypatch.setenv("MY_KEY", KEY)
    return cli


def run(project: Cli, *arguments: str) -> Outcome:
    outputs = [part for name in REPORTS for part in ("--output", name)]
    return project("run", "plan.yaml", *outputs, *arguments)


def traces(text: bytes) -> Iterator[str]:
    """Where and how a key stands in ``text``, whatever it is wrapped in."""
    readings: dict[str, Callable[[bytes], bytes]] = {
        "plain": bytes,
        "in a URL": urllib.parse.unquote_to_bytes,
        "in JSON": lambda raw: raw.replace(b"\\/", b"/"),
        "in HTML": lambda raw: raw.replace(b"&amp;", b"&"),
    }
    parts = {KEY.encode(), KEY[:20].encode(), KEY[-20:].encode()}
    for name, read in readings.items():
        if any(part in read(text) for part in parts):
            yield name
    for word in re.findall(rb"[A-Za-z0-9+/_-]{16,}", text):
        for offset in range(4):
            piece = word[offset : offset + (len(word) - offset) // 4 * 4].translate(bytes.maketrans(b"-_", b"+/"))
            if b"very+secret" in base64.b64decode(piece):
                yield "in Base64"
    for word in re.findall(rb"(?:[0-9a-fA-F]{2}){12,}", text):
        if b"very+secret" in binascii.unhexlify(word):
            yield "in hex"


def everything(project: Cli, *outcomes: Outcome) -> dict[str, bytes]:
    """All that is left: what was printed, and every file but those the user wrote."""
    left = {f"{stream} {n}": getattr(o, stream).encode() for n, o in enumerate(outcomes) for stream in ("out", "err")}
    files: list[Path] = [path for path in project.directory.rglob("*") if path.is_file()]
    return left | {path.name: path.read_bytes() for path in files if path.name != "plan.yaml"}


def assert_no_trace(left: dict[str, bytes]) -> None:
    found = {name: sorted(set(traces(text))) for name, text in left.items()}
    assert not any(found.values()), {name: ways for name, ways in found.items() if ways}


@pytest.mark.parametrize("behaviour", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_key_is_left_behind(project: Cli, openai_server: FaultyServer, behaviour: Behaviour) -> None:
    openai_server.script(behaviour)
    ended = run(project, "--json", "--log-format", "json", "--log-level", "debug")
    assert ended.code in (1, 3)
    assert openai_server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    shown = project("runs", "list", "--json")
    told = project("runs", "show", shown.json["runs"][0]["run_id"])
    left = everything(project, ended, shown, told, run(project))
    assert {"sharpen.db", "report.html"} <= left.keys() or ended.code == 3
    assert_no_trace(left)


def test_a_key_in_the_address_is_refused(project: Cli, openai_server: FaultyServer) -> None:
    for query in (f"api_key={KEY}", f"subscription-key={urllib.parse.quote(KEY)}", f"sig={KEY}"):
        failed = run(project, "--json", "--set", f"target.base_url={openai_server.base_url}?{query}")
        assert failed.code == 2
        assert "secret must not stand in a plan" in failed.json["error"]["message"]
        assert_no_trace(everything(project, failed))
    assert not openai_server.requests


def test_the_search_finds_what_is_there() -> None:
    for text in (EVERYWHERE, *ENCODED, KEY.replace("/", "\\/"), KEY.replace("&", "&amp;"), f"…{KEY[:20]}…"):
        assert list(traces(text.encode())), text
    assert not list(traces(b"hunter2 is no secret; neither is 0123456789 nor aGVsbG8gd29ybGQhIQ=="))
