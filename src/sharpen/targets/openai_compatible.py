"""Any server that speaks OpenAI's HTTP API: chat or raw completions, one POST a call.

The key is read from the environment when the target is opened, sent as a bearer token to the configured address alone
(redirects are reported, not followed) and removed from every message.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import replace
from json.encoder import encode_basestring_ascii as json_text
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from yarl import URL

from sharpen.config.settings import api_key as key_from_environment
from sharpen.config.targets import OpenAITarget
from sharpen.errors import ErrorKind, PlanError, Problem
from sharpen.targets import pricing
from sharpen.targets.base import Failure, RateHints, Target, TargetError, TargetRequest, TargetResponse, Usage
from sharpen.targets.completions import MalformedCompletion, parse_json, read_completion
from sharpen.targets.error_codes import status_of_error
from sharpen.targets.exceptions import failure_of
from sharpen.targets.failures import http_failure, redact, without_secrets
from sharpen.targets.http_client import HttpClient, open_client
from sharpen.targets.http_connection import Answer
from sharpen.targets.http_errors import NoAnswerError, NotHttpError, TransportError, certificate_hint
from sharpen.targets.local_only import local_only, refuse_elsewhere
from sharpen.targets.rate_headers import rate_hints, retry_after
from sharpen.targets.secret_forms import SHORT_SECRET, holds

MAX_ANSWER_BYTES = 32 * 2**20
"""An answer larger than this (after decompression) is cut off and malformed."""

MAX_ERROR_BYTES = 64 * 2**10
HINTS_EVERY_S = 0.1
"""Of the answers that succeed, so often one is read for what the server tells of its limits."""

NO_VERSION = "is base_url right? It usually ends in /v1"
_PATHS = {"chat": "chat/completions", "completions": "completions"}
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "sharpen"}


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
        self._client: HttpClient | None = None
        self._opening = asyncio.Lock()
        self._openings = 0
        self._hints_due = 0.0
        self._answered = False
        self._head = _body_head(config)

    def address(self) -> str:
        """The server's URL."""
        return self._address

    async def __aenter__(self) -> Self:
        """Open the connection pool.

        Raises ``UserError`` when a key is needed and its variable not set, and ``OfflineError`` in local-only mode for
        a server elsewhere.
        """
        async with self._opening:
            if self._client is None:
                self._client = await self._opened()
        self._openings += 1
        return self

    async def _opened(self) -> HttpClient:
        if alone := local_only():
            refuse_elsewhere(self._config.kind, self._address)
        key = self._given_key if self._given_key is not None else _key_of(self._config)
        self._secrets = (key,) if key else ()
        if self._config.price is None:  # the price data base takes a moment to load: not on the event loop
            await asyncio.to_thread(pricing.price_per_mtok, self._config.model, base_url=self._address)
        headers = {**_HEADERS, "Authorization": f"Bearer {key}"} if key else _HEADERS
        return await open_client(self._url, headers, self._config.ca_file, alone)

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close the connection pool with the last of nested openings."""
        self._openings = max(0, self._openings - 1)
        if self._client is not None and self._openings == 0:
            client, self._client = self._client, None
            await client.close()

    async def invoke(self, request: TargetRequest) -> TargetResponse:
        """One POST, no retry. Raises ``TargetError`` or what ``http_errors`` names."""
        if self._client is None:
            raise RuntimeError("the target is not open; use it in `async with target:`")
        answer = await self._client.post(self._body(request), MAX_ANSWER_BYTES, MAX_ERROR_BYTES)
        if not 200 <= answer.status < 300:
            raise self._refused(answer)
        if len(answer.body) > MAX_ANSWER_BYTES:
            what = f"the answer is larger than {MAX_ANSWER_BYTES // 2**20} MiB"
            raise self._error(Failure(ErrorKind.MALFORMED_COMPLETION, what, answer.status))
        return self._response(answer.status, answer.body, self._hints(answer.headers))

    def _body(self, request: TargetRequest) -> bytes:
        if self._config.api == "completions":
            return self._head + json_text(request.text).encode() + b"}"
        messages = ", ".join(
            f'{{"role": {json_text(message.role)}, "content": {json_text(message.content)}}}'
            for message in request.messages
        )
        return self._head + f"[{messages}]}}".encode()

    def _hints(self, headers: Mapping[str, str]) -> RateHints | None:
        """What a success tells of the server's limits; None too when the last word on them is only a moment old."""
        now = time.monotonic()
        if now < self._hints_due:
            return None
        hints = rate_hints(headers)
        self._answered = True
        self._hints_due = now + HINTS_EVERY_S
        return hints

    def _refused(self, answer: Answer) -> TargetError:
        self._answered = True
        headers, body = answer.headers, answer.body[:MAX_ERROR_BYTES]
        failure = http_failure(
            answer.status,
            redact(body.decode("utf-8", "replace"), self._secrets),  # before anything is cut in the middle
            where=self._where,
            hint="" if answer.status != 404 or "/v1" in self._url.path else NO_VERSION,
            retry_after_s=retry_after(headers, answer.status),
            location=_bare_location(headers.get("location", "")),
        )
        return self._error(replace(failure, hints=rate_hints(headers)))

    def _response(self, status: int, body: bytes, hints: RateHints | None) -> TargetResponse:
        try:
            payload = parse_json(body)
            if "error" in payload and payload["error"] and not payload.get("choices"):
                told = redact(body.decode("utf-8", "replace"), self._secrets)
                raise self._error(_error_in_success(status, payload, told, self._where))
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
        output, ended, model = completion.output, completion.finish_reason, completion.model
        for secret in self._secrets:  # a server that echoes headers must not bring the key into store and reports
            if len(secret) < SHORT_SECRET:
                continue  # a word like any other: to hide it would change answers that happen to hold it
            if holds(output, secret) or holds(f"{ended} {model}", secret):
                output = redact(output, self._secrets)
                ended, model = (text and redact(text, self._secrets) for text in (ended, model))
        return TargetResponse(output, completion.usage, cost, ended, model, hints)

    def _cost(self, usage: Usage, cached_tokens: int = 0, answered_by: str | None = None) -> float | None:
        """USD by the plan's price, else the requested model's, else that of the model that says it answered.

        None too for a call without usage, unless the model is free: no call takes no tokens.
        """
        config, cost = self._config, None
        if not usage.total_tokens:
            return 0.0 if self._cost(Usage(1, 1), 0, answered_by) == 0 else None
        for model in (config.model, answered_by):
            if cost is None and model:
                cost = pricing.price(
                    model, usage, base_url=self._address, override=config.price, cached_tokens=cached_tokens
                )
        return cost

    def _error(self, failure: Failure) -> TargetError:
        return TargetError(replace(failure, message=redact(failure.message, self._secrets)))

    def classify(self, exception: BaseException) -> Failure:
        """Total: connection, TLS, protocol and payload errors, deadlines, and everything else."""
        failure = failure_of(exception)
        said = failure.message
        if isinstance(exception, NotHttpError):
            said = f"what {self._url.host}:{self._url.port} answered is not HTTP: {exception}"
        elif isinstance(exception, TransportError):
            said = str(exception)
        elif isinstance(exception, ssl.SSLCertVerificationError):
            said += certificate_hint(exception)
        if isinstance(exception, NoAnswerError) and self._url.scheme == "http" and not self._answered:
            said += "; does it speak https?"  # all that OpenSSL does about a request without TLS is to close
        reached = isinstance(exception, TransportError) and exception.reached
        return replace(failure, message=redact(said, self._secrets), reached=reached)

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


def _error_in_success(status: int, payload: Mapping[str, Any], body: str, where: str) -> Failure:
    """Some servers answer 2xx and put the error, with its real status or its name, into the body."""
    real = status_of_error(payload["error"]) or 500
    failure = http_failure(real, body, where=where)
    return replace(failure, message=f"HTTP {status} with an error inside; {failure.message}", http_status=real)


def _bare_location(location: str) -> str | None:
    """Where a redirect leads, without what may be secret in it: query, fragment, user name and password."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return None
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl() or None
