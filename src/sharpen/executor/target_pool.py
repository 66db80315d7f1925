"""The targets of one session: each opened once, with the limits that all its callers share."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sharpen.config.models import ExecutionConfig
from sharpen.config.targets import LocalTarget, OpenAITarget, TargetConfig
from sharpen.executor.cache_keys import CacheKeys
from sharpen.executor.limits import Limiter
from sharpen.executor.retry import RetryPolicy
from sharpen.targets.base import Target

_MAX_TOKENS_KEYS = ("max_tokens", "max_completion_tokens", "n_predict")


@dataclass(frozen=True, slots=True)
class OpenTarget:
    """A target that is ready to be called, and what its callers share. ``max_tokens``: 0 when not given."""

    target: Target
    limiter: Limiter
    keys: CacheKeys
    max_tokens: int


class TargetPool:
    """Opens targets on demand and closes all of them in the end.

    Each target has its own slots and its own buckets of the plan's rate limit: providers limit by model.
    """

    def __init__(self, execution: ExecutionConfig, base_dir: Path) -> None:
        self._execution = execution
        self._base_dir = base_dir
        self._open: dict[str, OpenTarget] = {}
        self._stack = AsyncExitStack()
        self._lock = asyncio.Lock()

    async def open(self, config: TargetConfig) -> OpenTarget:
        """The target of ``config``, opened on first use. Raises ``UserError`` or ``RunAborted`` when it cannot be."""
        key = config.model_dump_json(fallback=repr)
        async with self._lock:  # two callers must not open it twice
            if key not in self._open:
                self._open[key] = await self._opened(config)
        return self._open[key]

    def find(self, config: TargetConfig) -> OpenTarget:
        """A target that was opened before."""
        return self._open[config.model_dump_json(fallback=repr)]

    async def close(self) -> None:
        """Close every target, whatever one of them raises on the way."""
        self._open.clear()
        await self._stack.aclose()

    async def _opened(self, config: TargetConfig) -> OpenTarget:
        from sharpen.targets.registry import build_target

        target = await self._stack.enter_async_context(build_target(config, self._base_dir))
        slots = min(self._execution.concurrency, target.max_concurrency or self._execution.concurrency)
        return OpenTarget(
            target=target,
            limiter=Limiter(
                self._execution.rate_limit, slots, policy=RetryPolicy(max_retries=self._execution.max_retries)
            ),
            keys=CacheKeys(target.identity(), program=not isinstance(config, OpenAITarget | LocalTarget)),
            max_tokens=_max_tokens(getattr(config, "params", {})),
        )


def _max_tokens(params: dict[str, Any]) -> int:
    found = next((params[key] for key in _MAX_TOKENS_KEYS if key in params), 0)
    return found if isinstance(found, int) and found > 0 else 0
