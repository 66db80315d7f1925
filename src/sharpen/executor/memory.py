"""What a caller remembers of answers that were paid for: the response cache, behind the keys of one target."""

from __future__ import annotations

import contextlib

from sharpen.executor.cache_keys import CacheKeys
from sharpen.executor.call_outcome import CallOutcome
from sharpen.executor.ports import CachedResponse, ResponseCache
from sharpen.targets.base import TargetRequest


class CallMemory:
    """Answers of one target. The cache is a convenience: what it cannot find is called, what it cannot keep is lost."""

    def __init__(self, cache: ResponseCache, keys: CacheKeys) -> None:
        self._cache = cache
        self._keys = keys

    def key(self, request: TargetRequest) -> str | None:
        """Under which an answer to ``request`` is kept; None when it cannot be."""
        return self._keys.key(request)

    async def recall(self, key: str) -> CallOutcome | None:
        """The outcome of a call that was made before, marked as cached; None when there is none."""
        try:
            hit = await self._cache.get(key)
        except Exception:  # noqa: BLE001 - see the class
            return None
        if hit is None:
            return None
        usage = hit.response.usage
        return CallOutcome(
            response=hit.response,
            execution_time=hit.execution_time,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            saved_cost=hit.response.cost,
            cached=True,
        )

    async def keep(self, key: str, outcome: CallOutcome) -> None:
        """Remember a successful call."""
        if outcome.response:
            with contextlib.suppress(Exception):  # an answer that cannot be remembered is still an answer
                await self._cache.put(key, CachedResponse(outcome.response, outcome.execution_time))
