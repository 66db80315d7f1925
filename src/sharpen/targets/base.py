"""The seam between sharpen and whatever is under test: one call in, one answer or one typed failure out.

A target is opened once for a run (``async with target``), is called concurrently from one event loop, and never
retries: exactly one loop retries, the executor's. A target raises whatever it likes; its own ``classify`` turns that
exception into a ``Failure``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from sharpen.errors import ErrorKind


@dataclass(frozen=True, slots=True)
class Message:
    """One rendered message of a conversation; ``role`` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class TargetRequest:
    """One call. ``variables`` are the case's own, for targets that are programs rather than models."""

    messages: tuple[Message, ...]
    variables: Mapping[str, Any] = field(default_factory=dict)
    case_id: str = ""
    repeat: int = 0
    timeout_s: float | None = None

    @property
    def text(self) -> str:
        """The messages' contents joined by blank lines: the prompt as one raw text."""
        return "\n\n".join(message.content for message in self.messages)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class RateHints:
    """What a server says of its own limits (``X-RateLimit-*``, ``anthropic-ratelimit-*``, ``RateLimit``); None: unsaid.

    ``limit_*`` is what a whole window allows, ``remaining_*`` what is left of it, ``reset_*_s`` the seconds until
    all of it is there again.
    """

    limit_requests: float | None = None
    remaining_requests: float | None = None
    reset_requests_s: float | None = None
    limit_tokens: float | None = None
    remaining_tokens: float | None = None
    reset_tokens_s: float | None = None


@dataclass(frozen=True, slots=True)
class TargetResponse:
    """One answer. ``cost`` is in USD; None means the price is unknown, which is not the same as free.

    ``hints``: what the server said of its limits along with it.
    """

    output: str
    usage: Usage = Usage()
    cost: float | None = None
    finish_reason: str | None = None
    model: str | None = None
    hints: RateHints | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """A classified failure of one attempt.

    ``retry_after_s`` is what the server asked for, in a header made for it or by the time its limit is reset.
    ``cost`` and ``usage`` hold what a failed call still cost, ``hints`` what the server said of its limits.
    ``reached``: there was a connection, and what came of it was no answer.
    """

    kind: ErrorKind
    message: str
    http_status: int | None = None
    retryable: bool = False
    retry_after_s: float | None = None
    usage: Usage = Usage()
    cost: float | None = 0.0
    hints: RateHints | None = field(default=None, compare=False, repr=False)
    reached: bool = False


class TargetError(Exception):
    """What a target may raise when it knows the failure already; ``classify`` returns it unchanged."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


class Target(ABC):
    """Something that answers prompts."""

    max_concurrency: int | None = None
    """Calls it can serve side by side; more would only wait inside it, on the clock of their own deadline.

    None: as many as the plan asks for.
    """

    @abstractmethod
    async def invoke(self, request: TargetRequest) -> TargetResponse:
        """Make one call. Raises anything; ``classify`` says what it was."""

    @abstractmethod
    def classify(self, exception: BaseException) -> Failure:
        """Turn an exception of ``invoke`` (or a TimeoutError of the executor's deadline) into a typed failure."""

    @abstractmethod
    def identity(self) -> Mapping[str, Any]:
        """What makes two calls the same call besides the messages: kind, model, server, parameters. No secrets.

        JSON-serialisable. Keys the response cache and is stored with a run.
        """

    def address(self) -> str | None:
        """Where the calls go: a URL or a host; None when they stay in this process. "" when that is not known.

        Asked in local-only mode (``--offline``), which refuses what is elsewhere and what does not tell.
        """
        return ""

    async def __aenter__(self) -> Self:
        """Acquire sockets, load models. Raises ``UserError`` or ``RunAborted`` when that cannot work.

        A target that was closed may be opened again; closing it twice does no harm.
        """
        return self

    async def __aexit__(  # noqa: B027 - most targets have nothing to release
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Release everything."""
