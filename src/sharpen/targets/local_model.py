"""A GGUF model run in this process by llama.cpp (package ``xllamacpp``): no key, no account, no network.

llama.cpp serves OpenAI's API on a free port of this machine, and the OpenAI-compatible target calls it: measured as
fast as direct calls, and deadlines and Ctrl-C work, which they do not while a direct call is inside the library.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from sharpen.config.targets import LocalTarget, OpenAITarget, Price
from sharpen.errors import MissingExtraError, UserError
from sharpen.targets.base import Failure, Target, TargetRequest, TargetResponse
from sharpen.targets.exceptions import failure_of
from sharpen.targets.failures import without_secrets
from sharpen.targets.openai_compatible import OpenAICompatibleTarget
from sharpen.targets.weights import content_hash, locate_weights

FREE = Price(input_usd_per_mtok=0.0, output_usd_per_mtok=0.0)
"""One's own machine asks no price for a token."""

_WAITING = 1
PROMPT_CACHE_MIB = 256
"""Remembered prefixes of prompts. With none, prompts asked in turn in one slot (the candidates of a race) are computed
anew each time: measured 0.75 calls/s instead of 4.1. llama.cpp's default would keep 8 GiB."""
"""Requests that may wait beside those being decoded: enough that no slot falls idle between two."""


class ServerSettings(NamedTuple):
    """What tells one loaded model from another. ``context`` in tokens for each slot."""

    path: Path
    slots: int
    threads: int
    context: int


class LocalModelTarget(Target):
    """Loads the model when it is opened; targets with equal settings share one, which stays until the process ends.

    Raises ``UserError`` when there are no weights to load, ``MissingExtraError`` (on opening) without ``xllamacpp``.
    """

    def __init__(self, config: LocalTarget, base_dir: Path | None = None) -> None:  # noqa: ARG002 - every target is built alike
        self._config = config
        threads = config.threads or default_threads()
        self._settings = ServerSettings(locate_weights(config.model), config.slots, threads, config.context)
        self._client: OpenAICompatibleTarget | None = None
        self.max_concurrency = config.slots + _WAITING

    async def __aenter__(self) -> Self:
        """Load the model, off the event loop, unless it is loaded already."""
        address = await asyncio.to_thread(serve, self._settings)
        await asyncio.to_thread(content_hash, self._settings.path)  # identity() finds it ready
        if self._client is None:
            self._client = OpenAICompatibleTarget(self._client_config(address), api_key="")
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close the connections with the last of nested openings; the model stays loaded."""
        if self._client is not None:
            await self._client.__aexit__(exc_type, exc, tb)

    def _client_config(self, address: str) -> OpenAITarget:
        return OpenAITarget(
            model=self._settings.path.stem,
            base_url=f"{address}/v1",
            api=self._config.api,
            params=self._config.params,
            price=FREE,
        )

    async def invoke(self, request: TargetRequest) -> TargetResponse:
        """One completion. Its cost is 0."""
        if self._client is None:
            raise RuntimeError("the target is not open; use it in `async with target:`")
        return replace(await self._client.invoke(request), model=self._settings.path.name)  # not the whole path

    def classify(self, exception: BaseException) -> Failure:
        """As the OpenAI-compatible target does."""
        return self._client.classify(exception) if self._client is not None else failure_of(exception)

    def address(self) -> None:
        """Nowhere: the model is in this process."""

    def identity(self) -> Mapping[str, Any]:
        """The weights by name, size and content, the context they are given, the API and its parameters.

        Slots and threads are no part of it: they change how fast the answer comes.
        """
        path = self._settings.path
        return {
            "kind": self._config.kind,
            "model": path.name,
            "size_bytes": path.stat().st_size,
            "sha256": content_hash(path),
            "context": self._settings.context,
            "api": self._config.api,
            "params": without_secrets(self._config.params),
        }


def default_threads() -> int:
    """One core fewer than this process may use: llama.cpp's threads wait for each other, spinning.

    Measured on two cores: all cores are 1.8 times as fast while nothing else runs, and half as fast or worse beside
    a single other busy process; one core fewer loses next to nothing then.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, cores - 1)


_servers: dict[ServerSettings, Any] = {}
_loading = threading.Lock()


def serve(settings: ServerSettings) -> str:
    """The address (``http://127.0.0.1:port``) of the server with these settings; starts it when there is none.

    Blocks while the model loads. Raises ``MissingExtraError``, or ``UserError`` when llama.cpp refuses the file.
    """
    with _loading:
        if settings not in _servers:
            _servers[settings] = _start(settings)
        address: str = _servers[settings].listening_address
        return address


def _start(settings: ServerSettings) -> Any:
    try:
        import xllamacpp
    except ImportError as error:
        raise MissingExtraError("the local model", "local") from error
    params = xllamacpp.CommonParams()
    params.model.path = str(settings.path)
    params.n_parallel = settings.slots
    params.n_ctx = settings.slots * settings.context  # llama.cpp divides it among the slots
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings.threads
    params.port = 0  # any free one
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.verbosity = -1  # not a byte on stdout or stderr
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise UserError(
            f"llama.cpp cannot load {str(settings.path)!r} ({error}); the file is damaged, of a kind this version does "
            f"not know, or too large for the memory of this machine with {settings.slots} × {settings.context} tokens"
        ) from error
