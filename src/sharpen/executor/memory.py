"""What a caller remembers of answers that were paid for: the response cache, behind the keys of one target."""

from __future__ import annotations

import contextlib

from sharpen.executor.cache_keys import CacheKeys
from sharpen.executor.call_outcome import CallOutcome
from sharpen.executor.ports import CachedResponse, ResponseCache
from sharpen.executor.stopping import StopSignal
from sharpen.targets.base import TargetRequest


class CallMemory:
    """Answers of one target. The cache is a convenience: what it cannot find is called, what it cannot keep is lost."""

    def __init__(self, cache: ResponseCache, keys: CacheKeys) -> None:
        self._cache = cache
        self._keys = keys
        self._claimed: set[str] = set()

    def key(self, request: TargetRequest) -> str | None:
        """Under which an answer to ``request`` is kept; None when it cannot be."""
        return self._keys.key(request)

    async def recall(self, key: str, stop: StopSignal) -> CallOutcome | None:
        """The outcome of a call that was made before, marked as cached; None when there is none.

        Waits while another process pays for it, until ``stop``. After None, ``keep`` must be called in any case.
        """
        try:
            hit = await self._cache.claim(key, lambda: stop.requested)
        except Exception:  # noqa: BLE001 - see the class
            return None
        if isinstance(hit, bool):
            if hit:
                self._claimed.add(key)
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
        """Remember a successful call; after any other one, let those try who wait for it."""
        claimed = key in self._claimed
        self._claimed.discard(key)
        with contextlib.suppress(Exception):  # an answer that cannot be remembered is still an answer
            if outcome.response and not outcome.failure:
                await self._cache.put(key, CachedResponse(outcome.response, outcome.execution_time, outcome.attempts))
            elif claimed:
                await self._cache.release(key)
