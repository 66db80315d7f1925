"""Every exception sharpen raises on purpose, and the one vocabulary of error kinds.

::

    SharpenError                      anything below; ``exit_code`` is what the command line exits with
    ├── UserError            (2)      what the user wrote is wrong; the message says where and what would be right
    │   ├── PlanError                 one or many Problems of a plan, its prompt or its data set
    │   │   ├── EmptyDatasetError     a data set without a single case
    │   │   └── OfflineError          local-only mode is on, and a target is elsewhere
    │   ├── TemplateError             a prompt or value that cannot be rendered
    │   ├── UnknownNameError          a name that stands in no table (strategy, assertion, run, version, …)
    │   ├── MissingExtraError         a feature whose optional dependency is not installed
    │   ├── TooFewCasesError          a split that cannot prove anything; says how many cases are needed
    │   ├── NoTasksError              a report asked of a result that holds no task
    │   ├── VersionConflictError      a version that exists already, or an alias that moved meanwhile
    │   └── StoreError                a store that cannot be opened, written or understood
    │       ├── NotSavedError   (3)   a run had to stop because its results can no longer be saved
    │       └── LockedError           what another process is working on
    └── RunAborted           (3)      the whole run cannot go on (wrong key, unreachable server)
        └── BudgetExhausted           nothing may be spent any more
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class ErrorKind(StrEnum):
    """Why a task did not succeed. The first nine come from targets, the rest from the executor."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    SERVER = "server"
    RATE_LIMIT = "rate_limit"
    AUTHENTICATION = "authentication"
    BAD_REQUEST = "bad_request"
    CONTENT_FILTER = "content_filter"
    CONTEXT_LENGTH = "context_length"
    MALFORMED_COMPLETION = "malformed_completion"
    ASSERTION = "assertion"  # the model answered, an assertion said no
    ASSERTION_CRASH = "assertion_crash"  # the assertion itself broke
    RENDERING = "rendering"  # the prompt could not be rendered for this case
    CANCELLED = "cancelled"  # the user or an aborted run stopped it before it was called
    BUDGET = "budget"  # the budget was spent before it was called


class SharpenError(Exception):
    """Base of all errors that sharpen raises on purpose."""

    exit_code = 3


class UserError(SharpenError):
    """What the user wrote is wrong; nothing was called."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a user's file.

    ``where`` is ``file``, ``file:line`` or ``file row N``; ``key`` the dotted key path (``execution.concurrency``).
    """

    message: str
    where: str = ""
    key: str = ""
    expected: str = ""

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.where, self.key) if part)
        text = f"{place}: {self.message}" if place else self.message
        return f"{text}; expected {self.expected}" if self.expected else text


class PlanError(UserError):
    """All the mistakes found in a plan, its prompt and its data set."""

    def __init__(self, problems: Sequence[Problem] | Problem | str) -> None:
        if isinstance(problems, str):
            problems = Problem(problems)
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class EmptyDatasetError(PlanError):
    """The data set holds no case, so there is nothing to run."""


class OfflineError(PlanError):
    """Local-only mode is on (``--offline``), and a target is not on this machine."""


class TemplateError(UserError):
    """A template has a syntax error, names an unknown variable or does what the sandbox forbids."""


class UnknownNameError(UserError):
    """A name that stands in no table. The message lists the names that would have been right."""

    def __init__(self, what: str, name: object, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(f"unknown {what} {name!r}; {suggest(str(name), self.known)}")


class MissingExtraError(UserError):
    """An optional dependency is missing; the message says which extra brings it."""

    def __init__(self, feature: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{feature} needs an optional package: pip install 'sharpen[{extra}]'")


class TooFewCasesError(UserError):
    """The data set is too small to be split into train, dev and holdout."""


class NoTasksError(UserError):
    """A report was asked of an executor result that holds no task."""


class VersionConflictError(UserError):
    """The version exists already, or the alias no longer points where the caller believed."""


class StoreError(UserError):
    """The store cannot be opened, written or understood."""


class NotSavedError(StoreError):
    """A run had to stop half way: what it pays for can no longer be saved (a full disk, a lost connection)."""

    exit_code = 3


class LockedError(StoreError):
    """Another process is working on it: a run, an optimization, the versions of a workflow."""


class RunAborted(SharpenError):
    """The run as a whole cannot go on; one message instead of one failure for each case."""

    def __init__(self, message: str, kind: ErrorKind = ErrorKind.CONNECTION) -> None:
        self.kind = kind
        super().__init__(message)


class BudgetExhausted(RunAborted):
    """The budget does not allow another call."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ErrorKind.BUDGET)


def suggest(name: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` when a known name is close, else the list of known names."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(names)}" if names else "none is known"
