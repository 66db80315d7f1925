"""The OpenAI-compatible target against a real server that misbehaves in every way we know."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import ssl
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from servers.faulty import Behaviour, FaultyServer, Reply, chat, hang, raw, reset, sending, status
from sharpen.config.targets import OpenAITarget, Price
from sharpen.errors import ErrorKind, PlanError, UserError
from sharpen.targets import openai_compatible
from sharpen.targets.base import Failure, Message, TargetRequest, TargetResponse, Usage
from sharpen.targets.http_pool import HttpPool
from sharpen.targets.openai_compatible import OpenAICompatibleTarget

REQUEST = TargetRequest((Message("system", "Be brief."), Message("user", "Grüße {x} \ud800")), case_id="c1")
KEY = "hunter2-very-secret"


def config(server: FaultyServer | None = None, **changes: Any) -> OpenAITarget:
    base_url = server.base_url if server else "http://127.0.0.1:9/v1"
    return OpenAITarget(**{"model": "m", "base_url": base_url, **changes})


async def answer(config_: OpenAITarget, api_key: str | None = KEY) -> TargetResponse | Failure:
    target = OpenAICompatibleTarget(config_, api_key=api_key)
    async with target:
        try:
            async with asyncio.timeout(5):
                return await target.invoke(REQUEST)
        except Exception as error:
            return target.classify(error)


async def response(config_: OpenAITarget, api_key: str | None = KEY) -> TargetResponse:
    result = await answer(config_, api_key)
    assert isinstance(result, TargetResponse), result
    return result


async def failure(config_: OpenAITarget) -> Failure:
    result = await answer(config_)
    assert isinstance(result, Failure), result
    return result


# -- what is sent ---------------------------------------------------------------------------------------------------


async def test_chat_request(openai_server: FaultyServer) -> None:
    await response(config(openai_server, params={"temperature": 0, "max_tokens": 8, "stop": ["\n"]}))
    (received,) = openai_server.requests
    assert (received.method, received.path) == ("POST", "/v1/chat/completions")
    assert received.json == {
        "model": "m",
        "temperature": 0,
        "max_tokens": 8,
        "stop": ["\n"],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Grüße {x} \ud800"},
        ],
    }
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.headers["content-type"] == "application/json"


async def test_completions_request(openai_server: FaultyServer) -> None:
    openai_server.script(raw("ok"))
    assert (await response(config(openai_server, api="completions"))).output == "ok"
    (received,) = openai_server.requests
    assert received.path == "/v1/completions"
    assert received.json == {"model": "m", "prompt": "Be brief.\n\nGrüße {x} \ud800"}


@pytest.mark.parametrize("suffix", ["", "/"])
async def test_query_of_the_base_url_is_kept(openai_server: FaultyServer, suffix: str) -> None:
    await response(config(openai_server, base_url=f"{openai_server.base_url}{suffix}?api-version=2"))
    assert openai_server.requests[0].path == "/v1/chat/completions?api-version=2"


async def test_connections_are_used_again(openai_server: FaultyServer) -> None:
    async with OpenAICompatibleTarget(config(openai_server)) as target:
        for _ in range(3):
            await target.invoke(REQUEST)
        assert isinstance(target._client, HttpPool)
        assert len(target._client._open) == 1


async def test_a_hundred_calls_side_by_side(openai_server: FaultyServer) -> None:
    openai_server.delay_s = 0.2
    async with OpenAICompatibleTarget(config(openai_server)) as target, asyncio.timeout(5):
        answers = await asyncio.gather(*(target.invoke(REQUEST) for _ in range(100)))
    assert {a.output for a in answers} == {"ok"}


# -- the key --------------------------------------------------------------------------------------------------------


async def test_key_by_variable(openai_server: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", f" {KEY}\n")
    await response(config(openai_server, api_key_env="MY_KEY"), api_key=None)
    assert openai_server.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_default_key_is_optional(openai_server: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    await response(config(openai_server), api_key=None)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    await response(config(openai_server), api_key=None)
    assert [r.headers.get("authorization") for r in openai_server.requests] == [None, f"Bearer {KEY}"]


@pytest.mark.parametrize("value", [None, "", "  "])
async def test_missing_key_names_the_variable(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    if value is not None:
        monkeypatch.setenv("MY_KEY", value)
    with pytest.raises(UserError, match=r"MY_KEY is (not set|empty), and target\.api_key_env names it"):
        await OpenAICompatibleTarget(config(api_key_env="MY_KEY")).__aenter__()


async def test_the_key_is_told_nowhere(openai_server: FaultyServer) -> None:
    openai_server.script(status(401, f"Incorrect API key provided: {KEY}"))
    target = OpenAICompatibleTarget(config(openai_server, params={"api_key": KEY}), api_key=KEY)
    async with target:
        with pytest.raises(Exception, match="401") as caught:
            await target.invoke(REQUEST)
        shown = target.classify(caught.value).message + repr(caught.value) + json.dumps(target.identity())
        shown += target.classify(ValueError(KEY)).message
    assert KEY not in shown
    assert "hidden" in shown


def test_a_redirect_is_not_followed_with_the_key(openai_server: FaultyServer) -> None:
    with FaultyServer(chat("stolen")) as elsewhere:
        openai_server.script(status(307, location=f"{elsewhere.base_url}/chat/completions?token=x"))
        found = asyncio.run(failure(config(openai_server)))
        assert not elsewhere.requests
    assert (found.kind, found.http_status, found.retryable) == (ErrorKind.BAD_REQUEST, 307, False)
    assert f"redirects to {elsewhere.base_url}/chat/completions;" in found.message


async def test_openais_own_server_needs_a_key() -> None:
    with pytest.raises(UserError, match=r"OPENAI_API_KEY is not set.*api\.openai\.com"):
        await OpenAICompatibleTarget(OpenAITarget(model="m")).__aenter__()


# -- what comes back ------------------------------------------------------------------------------------------------


async def test_usage_cost_and_names(openai_server: FaultyServer) -> None:
    openai_server.script(chat("billing", usage=(1000, 100), model="m-2026", finish_reason="length"))
    price = Price(input_usd_per_mtok=2.0, output_usd_per_mtok=10.0)
    assert await response(config(openai_server, price=price)) == TargetResponse(
        "billing", Usage(1000, 100), pytest.approx(0.003), "length", "m-2026"
    )


async def test_missing_usage_and_unknown_price(openai_server: FaultyServer) -> None:
    openai_server.script(chat("billing", usage=None))
    result = await response(config(openai_server, model="gpt-4o"))
    assert (result.usage, result.cost) == (Usage(), None)


async def test_compressed_answer(openai_server: FaultyServer) -> None:
    plain = chat("small").body
    openai_server.script(Reply(200, gzip.compress(plain), {"Content-Encoding": "gzip"}))
    assert (await response(config(openai_server))).output == "small"


async def test_ten_megabytes(openai_server: FaultyServer) -> None:
    openai_server.script(chat("x" * 10_000_000))
    assert len((await response(config(openai_server))).output) == 10_000_000


async def test_wrong_content_type_is_read_all_the_same(openai_server: FaultyServer) -> None:
    openai_server.script(Reply(200, chat("fine").body, {"Content-Type": "text/plain; charset=latin-1"}))
    assert (await response(config(openai_server))).output == "fine"


@pytest.mark.parametrize("compressed", [False, True])
async def test_an_endless_answer_is_cut(
    openai_server: FaultyServer, monkeypatch: pytest.MonkeyPatch, compressed: bool
) -> None:
    monkeypatch.setattr(openai_compatible, "MAX_ANSWER_BYTES", 2**20)
    body = chat("x" * 2**22).body
    reply = Reply(200, gzip.compress(body), {"Content-Encoding": "gzip"}) if compressed else Reply(200, body)
    openai_server.script(reply, chat("next"))
    async with OpenAICompatibleTarget(config(openai_server)) as target:
        with pytest.raises(Exception, match="larger than 1 MiB") as caught:
            await target.invoke(REQUEST)
        assert target.classify(caught.value).kind is ErrorKind.MALFORMED_COMPLETION
        assert (await target.invoke(REQUEST)).output == "next"


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
GOOD = chat("ok").body
PAGE = Reply(200, b"<!DOCTYPE html><html><body>Welcome</body></html>", {"Content-Type": "text/html"})


@pytest.mark.parametrize(
    ("behaviour", "kind", "retryable", "part"),
    [
        (status(401, "wrong key"), ErrorKind.AUTHENTICATION, False, "wrong key"),
        (status(402, "no credit"), ErrorKind.AUTHENTICATION, False, "no credit"),
        (status(404, "gone", "model_not_found"), ErrorKind.BAD_REQUEST, False,
         "/v1/chat/completions (model 'm'): gone"),
        (status(400, "x", "context_length_exceeded"), ErrorKind.CONTEXT_LENGTH, False, "HTTP 400"),
        (status(400, "x", "content_filter"), ErrorKind.CONTENT_FILTER, False, "HTTP 400"),
        (status(500, "x" * 9999), ErrorKind.SERVER, True, "xxx…"),
        (Reply(502, b"<html><h1>Bad gateway</h1></html>"), ErrorKind.SERVER, True, "Bad gateway"),
        (Reply(503, b"y" * 10_000_000), ErrorKind.SERVER, True, "yyy…"),
        (status(504), ErrorKind.TIMEOUT, True, "504"),
        (status(429, "quota", "insufficient_quota"), ErrorKind.RATE_LIMIT, False, "quota"),
        (Reply(204), ErrorKind.MALFORMED_COMPLETION, True, "empty body"),
        (Reply(200, b'{"choices": [{"message"'), ErrorKind.MALFORMED_COMPLETION, True, "no JSON"),
        (Reply(200, b'{"choices": []}'), ErrorKind.MALFORMED_COMPLETION, True, "empty"),
        (Reply(200, b'{"models": []}'), ErrorKind.MALFORMED_COMPLETION, False, "no list 'choices'"),
        (PAGE, ErrorKind.MALFORMED_COMPLETION, False, "is base_url right?"),
        (Reply(200, b'{"error": {"code": 429, "message": "upstream is busy"}}'), ErrorKind.RATE_LIMIT, True, "busy"),
        (Reply(200, b'{"error": "out of memory"}'), ErrorKind.SERVER, True, "out of memory"),
        (Reply(200, gzip.compress(GOOD)[:80], {"Content-Encoding": "gzip"}), ErrorKind.MALFORMED_COMPLETION,
         True, "JSON"),
        (Reply(200, GOOD, {"Content-Encoding": "gzip"}), ErrorKind.CONNECTION, True, "decompressed"),
        (reset(), ErrorKind.CONNECTION, True, ""),
        (sending(b""), ErrorKind.CONNECTION, True, "without an answer"),
        (sending(HEAD + b"Content-Length: 999\r\n\r\n" + GOOD), ErrorKind.CONNECTION, True, "within the answer"),
        (sending(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"cho"), ErrorKind.CONNECTION, True, ""),
        (sending(HEAD[:20]), ErrorKind.CONNECTION, True, ""),
        (sending(b"220 mail.example.com ESMTP\r\n\r\n"), ErrorKind.CONNECTION, True, "is not HTTP"),
        (sending(b"\x00\xff" * 500), ErrorKind.CONNECTION, True, "is not HTTP"),
    ],
)  # fmt: skip
async def test_failures(
    openai_server: FaultyServer, behaviour: Behaviour, kind: ErrorKind, retryable: bool, part: str
) -> None:
    openai_server.script(behaviour)
    found = await failure(config(openai_server))
    assert (found.kind, found.retryable) == (kind, retryable), found
    assert part in found.message
    assert len(found.message) <= 450


@pytest.mark.parametrize(("form", "low", "high"), [("seconds", 7.0, 7.0), ("date", 3590.0, 3600.0)])
@pytest.mark.parametrize("code", [429, 503])
async def test_retry_after(openai_server: FaultyServer, code: int, form: str, low: float, high: float) -> None:
    in_an_hour = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    openai_server.script(status(code, Retry_After="7" if form == "seconds" else in_an_hour))
    found = await failure(config(openai_server))
    assert found.retryable
    assert found.retry_after_s is not None
    assert low <= found.retry_after_s <= high


async def test_the_reset_of_an_exhausted_limit_is_the_wait(openai_server: FaultyServer) -> None:
    used_up = {"x_ratelimit_remaining_tokens": "0", "x_ratelimit_reset_tokens": "1m2s"}
    openai_server.script(status(429, **used_up))
    found = await failure(config(openai_server))
    assert (found.retryable, found.retry_after_s) == (True, 62.0)
    assert found.hints is not None
    assert (found.hints.remaining_tokens, found.hints.reset_tokens_s) == (0.0, 62.0)


async def test_a_success_tells_of_limits_now_and_then(openai_server: FaultyServer) -> None:
    told = replace(chat("ok"), headers={"X-RateLimit-Remaining-Requests": "59"})
    openai_server.script(told)
    async with OpenAICompatibleTarget(config(openai_server)) as target:
        first = await target.invoke(REQUEST)
        assert first.hints is not None
        assert first.hints.remaining_requests == 59
        assert (await target.invoke(REQUEST)).hints is None  # a moment later nothing can be new
        await asyncio.sleep(openai_compatible.HINTS_EVERY_S)
        assert (await target.invoke(REQUEST)).hints == first.hints


async def test_content_filter_is_a_failure_that_was_paid(openai_server: FaultyServer) -> None:
    openai_server.script(chat("half an ans", finish_reason="content_filter", usage=(1000, 0)))
    found = await failure(config(openai_server, price=Price(input_usd_per_mtok=1.0, output_usd_per_mtok=1.0)))
    assert (found.kind, found.usage, found.cost) == (ErrorKind.CONTENT_FILTER, Usage(1000, 0), 0.001)


async def test_a_malformed_answer_that_was_paid(openai_server: FaultyServer) -> None:
    openai_server.script(Reply(200, b'{"choices": [], "usage": {"prompt_tokens": 1000000}}'))
    found = await failure(config(openai_server, price=Price(input_usd_per_mtok=1.0, output_usd_per_mtok=1.0)))
    assert (found.kind, found.usage, found.cost) == (ErrorKind.MALFORMED_COMPLETION, Usage(1_000_000, 0), 1.0)


async def test_a_hanging_server_meets_the_callers_deadline(openai_server: FaultyServer) -> None:
    openai_server.script(hang(), chat("next"))
    async with OpenAICompatibleTarget(config(openai_server)) as target:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.1):
                await target.invoke(REQUEST)
        found = target.classify(caught.value)
        assert (found.kind, found.retryable) == (ErrorKind.TIMEOUT, True)
        assert (await target.invoke(REQUEST)).output == "next"


async def test_nobody_listens() -> None:
    found = await failure(config())  # port 9: discard, which nothing here serves
    assert (found.kind, found.retryable) == (ErrorKind.CONNECTION, True)
    assert found.message == "127.0.0.1:9: Connection refused; is the server running, and base_url right?"


async def test_no_such_host() -> None:
    found = await failure(config(base_url="http://no-such-host.invalid/v1"))
    assert (found.kind, found.retryable) == (ErrorKind.CONNECTION, False)
    assert "no-such-host.invalid" in found.message


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    return context


async def test_untrusted_certificate(self_signed: ssl.SSLContext) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=self_signed)
    async with server:
        port = server.sockets[0].getsockname()[1]
        found = await failure(config(base_url=f"https://127.0.0.1:{port}/v1"))
    assert (found.kind, found.retryable) == (ErrorKind.CONNECTION, False)
    assert "certificate is not trusted" in found.message


async def test_tls_spoken_to_a_plain_server() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        found = await failure(config(base_url=f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"))
    assert (found.kind, found.retryable) == (ErrorKind.CONNECTION, True)


# -- proxies --------------------------------------------------------------------------------------------------------


async def test_the_environments_proxy_is_used(openai_server: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", openai_server.base_url.removesuffix("/v1"))
    assert (await response(config(base_url="http://models.example.com/v1"))).output == "ok"
    assert openai_server.requests[0].path == "http://models.example.com/v1/chat/completions"
    openai_server.script(status(407, "who are you"))
    found = await failure(config(base_url="http://models.example.com/v1"))
    assert (found.kind, found.http_status) == (ErrorKind.AUTHENTICATION, 407)


@pytest.mark.parametrize("no_proxy", ["", "example.com"])
async def test_no_proxy(openai_server: FaultyServer, monkeypatch: pytest.MonkeyPatch, no_proxy: str) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    if no_proxy:
        monkeypatch.setenv("no_proxy", no_proxy)
        found = await failure(config(base_url="http://models.example.com/v1"))
        assert "models.example.com" in found.message  # tried itself, which the tests' guard forbids
    else:
        assert (await response(config(openai_server))).output == "ok"  # this machine needs no proxy


# -- configuration and life -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), datetime.now(UTC)])
def test_params_must_be_json(value: Any) -> None:
    with pytest.raises(PlanError, match=r"target\.params"):
        OpenAICompatibleTarget(config(params={"x": value}))


@pytest.mark.parametrize(
    "changes",
    [
        {"params": {"model": "other"}},
        {"params": {"messages": []}},
        {"params": {"prompt": "x"}},
        {"params": {"stream": True}},
        {"params": {"n": 2}},
        {"base_url": "http://user:password@host/v1"},
        {"base_url": "ftp://host/v1"},
        {"base_url": "http://"},
        {"api_key_env": "sk-abcdefgh12345678"},
        {"api_key_env": "not a name"},
    ],
)
def test_what_a_plan_may_not_say(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        config(**changes)


def test_identity() -> None:
    target = OpenAICompatibleTarget(config(base_url="https://h/v1/?key=x", params={"temperature": 0}))
    assert target.identity() == {
        "kind": "openai", "base_url": "https://h/v1/", "model": "m", "api": "chat", "params": {"temperature": 0},
    }  # fmt: skip


async def test_nested_openings_share_one_pool(openai_server: FaultyServer) -> None:
    target = OpenAICompatibleTarget(config(openai_server))
    async with target:
        async with target:
            await target.invoke(REQUEST)
        await target.invoke(REQUEST)
    with pytest.raises(RuntimeError, match="async with"):
        await target.invoke(REQUEST)


# -- money and keys where servers are careless ------------------------------------------------------------------------


def telling(usage: object, text: str = "ok") -> Reply:
    body = {"choices": [{"message": {"role": "assistant", "content": text}}], "usage": usage}
    return Reply(200, json.dumps(body).encode())


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": 0, "completion_tokens": 0}, {"prompt_tokens": 10**23}])
async def test_a_call_without_usage_has_no_price_unless_it_is_free(openai_server: FaultyServer, usage: object) -> None:
    openai_server.script(telling(usage), telling(usage))
    dear = await response(config(openai_server, price={"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}))
    free = await response(config(openai_server, price={"input_usd_per_mtok": 0, "output_usd_per_mtok": 0}))
    assert (dear.usage.total_tokens, dear.cost, free.cost) == (0, None, 0.0)


async def test_an_answer_that_happens_to_be_a_short_key_stays_as_it_is(openai_server: FaultyServer) -> None:
    openai_server.script(telling(None, "ok"), telling(None, f"the key is {KEY}"))
    assert (await response(config(openai_server), "ok")).output == "ok"
    assert (await response(config(openai_server))).output == "the key is <hidden>"


@pytest.mark.parametrize(
    "form", [KEY.encode().hex(), KEY.replace("-", "%2D"), base64.b64encode(KEY.encode()).decode(), KEY[:-3]]
)
async def test_no_form_of_the_key_stays_in_an_answer(openai_server: FaultyServer, form: str) -> None:
    openai_server.script(telling(None, f"the key is {form}"))
    output = (await response(config(openai_server))).output
    assert output.removesuffix("==").removesuffix("=")[:19] == "the key is <hidden>"
    assert form not in output


async def test_a_refused_key_that_is_echoed_leaves_the_message_whole(openai_server: FaultyServer) -> None:
    body = {"error": {"message": f"Incorrect API key provided: Bearer {KEY}", "type": "invalid_request_error"}}
    openai_server.script(Reply(401, json.dumps(body).encode()))
    found = await failure(config(openai_server))
    assert found.kind is ErrorKind.AUTHENTICATION
    assert found.message.endswith("Incorrect API key provided: <hidden>")
