"""When failures are the run's and not a case's: it ends early with one clear message instead of N failures."""

from __future__ import annotations

from sharpen.errors import ErrorKind
from sharpen.targets.base import Failure

PROOF = 3
"""So many failed attempts to connect, or calls refused for the same reason, with no success, prove a broken set-up."""

NEVER_SERVED = frozenset({501, 505})
"""Not implemented, HTTP version not supported (RFC 9110, section 15.6)."""


class AbortPolicy:
    """Watches the attempts of one run at one target.

    - authentication: at once, for no retry and no other case would fare better;
    - connection, before any success: when a call has used up its retries and nothing but failures to connect was seen,
      three of them at least (fewer when the run has fewer tasks);
    - the set-up is wrong: what is asked for does not exist (HTTP 404: the model, the path; 405), is elsewhere (a
      redirect), a target of another kind says bad request, or the answer is a web page or another API's: when the first
      three calls all ended so, with the same message. Any other refusal may be a case's own;
    - a quota that is spent (a rate limit that waiting does not lift), or a server that does not do what is asked (HTTP
      501, 505): when three calls in a row ended so, with the same message, whatever was answered before.

    A server that breaks down, or that many calls find out of reach at once, is the circuit breaker's to give up.
    """

    def __init__(self, total_tasks: int, subject: str = "the target") -> None:
        self.subject = subject
        self._proof = min(PROOF, total_tasks)
        self._succeeded = False
        self._connection_attempts = 0
        self._other_attempts = 0
        self._finished = 0
        self._refusals: dict[tuple[int | None, str], int] = {}
        self._hopeless = 0
        self._hopeless_reason: tuple[int | None, str] | None = None

    def success(self) -> None:
        """An attempt was answered."""
        self._succeeded = True
        self._hopeless = 0

    def failure(self, failure: Failure, final: bool) -> str | None:
        """An attempt failed; ``final``: it will not be retried. The reason to abort the run, or None."""
        self._finished += final
        if failure.kind is ErrorKind.AUTHENTICATION:
            return f"{self.subject} refuses the credentials: {failure.message}"
        if failure.kind is ErrorKind.CONNECTION:
            return self._connection(failure, final)
        self._other_attempts += 1
        spent = failure.kind is ErrorKind.RATE_LIMIT and failure.http_status is not None
        if final and not failure.retryable and (spent or failure.http_status in NEVER_SERVED):
            return self._no_hope(failure)
        if final and not self._succeeded and _is_the_set_ups(failure):
            return self._refusal(failure)
        return None

    def _connection(self, failure: Failure, final: bool) -> str | None:
        self._connection_attempts += 1
        if not final:
            return None
        never = not self._succeeded and not self._other_attempts and self._connection_attempts >= self._proof
        if never:
            return out_of_reach(self.subject, failure)
        return None

    def _no_hope(self, failure: Failure) -> str | None:
        reason = (failure.http_status, failure.message)
        self._hopeless = self._hopeless + 1 if reason == self._hopeless_reason else 1
        self._hopeless_reason = reason
        if self._hopeless < self._proof:
            return None
        return f"{self.subject} refuses every request: {failure.message}"

    def _refusal(self, failure: Failure) -> str | None:
        reason = (failure.http_status, failure.message)
        self._refusals[reason] = self._refusals.get(reason, 0) + 1
        if self._refusals[reason] == self._finished and self._finished >= self._proof:
            return f"{self.subject} refuses every request: {failure.message}"
        return None


def out_of_reach(subject: str, failure: Failure) -> str:
    """Why a run ends that got nothing but failures to connect."""
    what = "no proper answer from" if failure.reached else "cannot reach"
    return f"{what} {subject}: {failure.message}"


def _is_the_set_ups(failure: Failure) -> bool:
    status = failure.http_status
    if failure.kind is ErrorKind.BAD_REQUEST:
        return status is None or status in (404, 405) or 300 <= status < 400
    return failure.kind is ErrorKind.MALFORMED_COMPLETION and status is not None and not failure.retryable
