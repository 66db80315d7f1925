"""Any server that speaks OpenAI's HTTP API: chat or raw completions, one POST a call, on aiohttp.

The key is read from the environment when the target is opened, sent as a bearer token to the configured address alone
(redirects are reported, not followed) and removed from every message.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from sharpen.config.settings import api_key as key_from_environment
from sharpen.config.targets import OpenAITarget
from sharpen.errors import ErrorKind, PlanError, Problem
from sharpen.targets import pricing
from sharpen.targets.base import Failure, Target, TargetError, TargetRequest, TargetResponse, Usage
from sharpen.targets.completions import MalformedCompletion, parse_json, read_completion
from sharpen.targets.exceptions import describe, failure_of
from sharpen.targets.failures import http_failure, parse_retry_after, redact, shorten, without_secrets

MAX_ANSWER_BYTES = 32 * 2**20
"""An answer larger than this (after decompression) is cut off and malformed."""

MAX_ERROR_BYTES = 64 * 2**10
CONNECT_TIMEOUT_S = 30.0
NO_VERSION = "is base_url right? It usually ends in /v1"
_PATHS = {"chat": "chat/completions", "completions": "completions"}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class OpenAICompatibleTarget(Target):
    """Calls ``{base_url}/chat/completions`` or ``{base_url}/completions``.

    ``api_key``: None reads the environment as the configuration says; a text is used as it is ("" sends none).
    """

    def __init__(self, config: OpenAITarget, base_dir: Path | None = None, *, api_key: str | None = None) -> None:  # noqa: ARG002 - every target is built alike
        self._config = config
        base = URL(config.base_url)
        self._url = (base / _PATHS[config.api]).with_query(base.query)
        self._address = str(base.with_query(None).with_fragment(None))
        self._where = f"{self._url.path} (model {config.model!r})"
        self._given_key = api_key
        self._secrets: tuple[str, ...] = ()
        self._session: aiohttp.ClientSession | None = None
        self._openings = 0
        self._head = _body_head(config)

    async def __aenter__(self) -> Self:
        """Open the connection pool. Raises ``UserError`` when a key is needed and its variable not set."""
        if self._session is None:
            key = self._given_key if self._given_key is not None else _key_of(self._config)
            self._secrets = (key,) if key else ()
            if self._config.price is None:  # the price data base takes a moment to load: not on the event loop
                await asyncio.to_thread(pricing.price_per_mtok, self._config.model, base_url=self._address)
            self._session = self._session or self._open_session(key)  # another task may have been faster
        self._openings += 1
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close the connection pool with the last of nested openings."""
        self._openings = max(0, self._openings - 1)
        if self._session is not None and self._openings == 0:
            session, self._session = self._session, None
            await session.close()

    def _open_session(self, key: str) -> aiohttp.ClientSession:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "sharpen"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        return aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),  # the executor limits concurrency
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),  # and sets the deadline
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=_proxy_for(self._url),
        )

    async def invoke(self, request: TargetRequest) -> TargetResponse:
        """One POST, no retry. Raises ``TargetError`` or what aiohttp raises."""
        if self._session is None:
            raise RuntimeError("the target is not open; use it in `async with target:`")
        async with self._session.post(self._url, data=self._body(request), allow_redirects=False) as response:
            if 200 <= response.status < 300:
                body = await _read(response, MAX_ANSWER_BYTES)
                if len(body) > MAX_ANSWER_BYTES:
                    raise self._error(
                        Failure(
                            ErrorKind.MALFORMED_COMPLETION,
                            f"the answer is larger than {MAX_ANSWER_BYTES // 2**20} MiB",
                            response.status,
                        )
                    )
                return self._response(response.status, body)
            body = await _read(response, MAX_ERROR_BYTES)
            headers = {name.lower(): value for name, value in response.headers.items()}
            raise self._error(
                http_failure(
                    response.status,
                    body.decode("utf-8", "replace"),
                    where=self._where,
                    hint="" if response.status != 404 or "/v1" in self._url.path else NO_VERSION,
                    retry_after_s=parse_retry_after(headers),
                    location=headers.get("location", "").partition("?")[0] or None,
                )
            )

    def _body(self, request: TargetRequest) -> bytes:
        if self._config.api == "completions":
            return self._head + json.dumps(request.text).encode() + b"}"
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        return self._head + json.dumps(messages).encode() + b"}"

    def _response(self, status: int, body: bytes) -> TargetResponse:
        try:
            payload = parse_json(body)
            if payload.get("error") and not payload.get("choices"):
                raise self._error(_error_in_success(status, payload, body, self._where))
            completion = read_completion(payload, self._config.api)
        except MalformedCompletion as error:
            raise self._error(
                Failure(
                    ErrorKind.MALFORMED_COMPLETION,
                    str(error),
                    status,
                    retryable=error.retryable,
                    usage=error.usage,
                    cost=self._cost(error.usage) if error.usage.total_tokens else 0.0,
                )
            ) from None
        cost = self._cost(completion.usage, completion.cached_tokens, completion.model)
        if completion.finish_reason == "content_filter":
            message = "the provider's content filter stopped the answer"
            raise self._error(Failure(ErrorKind.CONTENT_FILTER, message, status, usage=completion.usage, cost=cost))
        return TargetResponse(
            output=completion.output,
            usage=completion.usage,
            cost=cost,
            finish_reason=completion.finish_reason,
            model=completion.model,
        )

    def _cost(self, usage: Usage, cached_tokens: int = 0, answered_by: str | None = None) -> float | None:
        """USD by the plan's price, else the requested model's, else that of the model that says it answered."""
        config, cost = self._config, None
        for model in (config.model, answered_by):
            if cost is None and model:
                cost = pricing.price(
                    model, usage, base_url=self._address, override=config.price, cached_tokens=cached_tokens
                )
        return cost

    def _error(self, failure: Failure) -> TargetError:
        return TargetError(replace(failure, message=redact(failure.message, self._secrets)))

    def classify(self, exception: BaseException) -> Failure:
        """Total: connection, TLS, protocol and payload errors of aiohttp, deadlines, and everything else."""
        said = describe(exception)
        if isinstance(exception, aiohttp.InvalidURL):
            failure = Failure(ErrorKind.BAD_REQUEST, said)
        elif isinstance(exception, aiohttp.ClientResponseError) and not isinstance(
            exception, aiohttp.ClientHttpProxyError
        ):  # aiohttp's status here is made up: the bytes it read were no HTTP
            said = f"what {self._url.host}:{self._url.port} answered is not HTTP: {shorten(exception.message)}"
            failure = Failure(ErrorKind.CONNECTION, said, retryable=True)
        else:
            failure = failure_of(exception)
            if isinstance(exception, aiohttp.ClientConnectorError) and not isinstance(exception, ssl.CertificateError):
                failure = replace(failure, message=_unreachable(exception))
        return replace(failure, message=redact(failure.message, self._secrets))

    def identity(self) -> Mapping[str, Any]:
        """Server, model, API and parameters."""
        config = self._config
        return {
            "kind": config.kind,
            "base_url": self._address,
            "model": config.model,
            "api": config.api,
            "params": without_secrets(config.params),
        }


def _key_of(config: OpenAITarget) -> str:
    secret = key_from_environment(config)
    return secret.get_secret_value() if secret is not None else ""


def _body_head(config: OpenAITarget) -> bytes:
    """The request body up to the prompt itself, encoded once. Raises ``PlanError`` for params that are not JSON."""
    prompt_key = "prompt" if config.api == "completions" else "messages"
    try:
        fixed = json.dumps({"model": config.model, **config.params}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise PlanError(Problem(f"{error}", key="target.params", expected="values that JSON can hold")) from None
    return f'{fixed[:-1]}, "{prompt_key}": '.encode()


def _unreachable(error: aiohttp.ClientConnectorError) -> str:
    """What the system said, without the client library's words around it, and what to look at."""
    cause = error.os_error
    if isinstance(cause, ssl.SSLError):
        reason = f"no TLS connection ({cause.reason or cause}); is https:// in base_url right?"
    else:
        known = not isinstance(cause, socket.gaierror) and cause.errno in errno.errorcode
        said = os.strerror(cause.errno) if known and cause.errno else cause.strerror or str(cause)
        reason = f"{said}; is the server running, and base_url right?"
    return f"{error.host}:{error.port}: {reason}"


def _error_in_success(status: int, payload: Mapping[str, Any], body: bytes, where: str) -> Failure:
    """Some servers answer 2xx and put the error, with its real status, into the body."""
    error = payload["error"]
    code = error.get("code") if isinstance(error, dict) else None
    real = code if isinstance(code, int) and 400 <= code <= 599 else 500
    failure = http_failure(real, body.decode("utf-8", "replace"), where=where)
    return replace(failure, message=f"HTTP {status} with an error inside; {failure.message}", http_status=real)


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, as far as the first chunk that passes ``limit``."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            response.close()  # what is left unread would come before the next answer on this connection
            break
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _proxy_for(url: URL) -> str | None:
    """The environment's proxy for ``url`` (HTTP_PROXY, HTTPS_PROXY, NO_PROXY); never for this machine.

    aiohttp's own ``trust_env`` would read ``.netrc`` as well and send credentials from there.
    """
    if url.host is None or url.host in _LOOPBACK or proxy_bypass(url.host):
        return None
    proxies = getproxies()
    return proxies.get(url.scheme) or proxies.get("all")
