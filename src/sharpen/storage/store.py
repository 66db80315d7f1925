"""The store: everything that outlives a process, behind one URL."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sharpen.config.models import Case
from sharpen.storage.cache import CacheRepository
from sharpen.storage.cases import CaseRepository
from sharpen.storage.decisions import DecisionRepository
from sharpen.storage.engine import Database, connect
from sharpen.storage.history import HistoryRepository
from sharpen.storage.holdouts import HoldoutRepository
from sharpen.storage.locks import LockRepository
from sharpen.storage.migrate import Upgrade, ensure_current
from sharpen.storage.optimizations import OptimizationRepository
from sharpen.storage.ownership import Ownership
from sharpen.storage.prompts import PromptRepository
from sharpen.storage.records import Spending
from sharpen.storage.recovery import recover
from sharpen.storage.responses import ResponseRepository
from sharpen.storage.results import ResultRepository
from sharpen.storage.runs import RunRepository
from sharpen.storage.searches import SearchRepository
from sharpen.storage.sink import StoreSink
from sharpen.storage.spending import Span, spans_of, spent_by, take_up
from sharpen.storage.versions import StoredVersionRepository
from sharpen.storage.writer import Writer

if TYPE_CHECKING:
    from sharpen.storage.experiments import AbRepository, StoredExperimentRepository


class Store:
    """One repository for each kind of thing, and a sink for running runs. Close it, or use it as a context manager.

    The repositories' methods block (a few milliseconds); the sink and ``responses`` are for event loops. All of it
    may be used from several threads, and one store by several processes at once.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = Writer(database)
        self._ownership = Ownership(database)
        self.runs = RunRepository(database)
        self.results = ResultRepository(database)
        self.cases = CaseRepository(database)
        self.prompts = PromptRepository(database)
        self.history = HistoryRepository(database)
        self.versions = StoredVersionRepository(database)
        self.decisions = DecisionRepository(database)
        self.optimizations = OptimizationRepository(database)
        self.searches = SearchRepository(database)
        self.holdout = HoldoutRepository(database)
        self.responses = ResponseRepository(database, self._writer, self._ownership)
        self.cache = CacheRepository(database)
        self.locks = LockRepository(database, self._ownership)

    @classmethod
    def open(cls, url: str, *, on_upgrade: Callable[[Upgrade], None] | None = None) -> Self:
        """Open ``sqlite:///path`` or ``postgresql://user@host/database``; a new store is created.

        An older SQLite store is upgraded, after a copy was put beside it (``on_upgrade`` hears of it); an older one on
        a server is refused: ``sharpen store upgrade`` is for that.
        Raises ``StoreError`` that says what is wrong with the URL, the path, the file or the schema.
        """
        database = connect(url)
        try:
            ensure_current(database, on_upgrade)
            recover(database)
        except BaseException:  # also Ctrl-C: nobody else has it to close it
            database.close()
            raise
        return cls(database)

    @property
    def url(self) -> str:
        """Where it is, without a password."""
        return self._database.name

    @property
    def database(self) -> Database:
        """The database beneath, for exports and maintenance."""
        return self._database

    @cached_property
    def experiments(self) -> StoredExperimentRepository:
        """Online experiments."""
        from sharpen.storage.experiments import StoredExperimentRepository  # most commands need none of it

        return StoredExperimentRepository(self._database)

    @cached_property
    def ab_tests(self) -> AbRepository:
        """Offline A/B tests."""
        from sharpen.storage.experiments import AbRepository

        return AbRepository(self._database)

    def sink(self, cases: Iterable[Case] = ()) -> StoreSink:
        """A ``RunSink`` that writes here. With ``cases``, the runs' inputs are stored too."""
        return StoreSink(self._writer, self._database, cases)

    def spent(self, run_id: str) -> Spending:
        """What the saved results of a run cost. Raises ``UnknownNameError``."""
        return spent_by(self._database, run_id)

    def spans(self, run_id: str) -> tuple[Span, ...]:
        """When processes that were not killed worked on a run: begin and end of each. Raises ``UnknownNameError``."""
        return spans_of(self._database, run_id)

    def take_up(self, run_id: str) -> Spending:
        """Make a run ready to be gone on with; what it has spent so far. Raises ``UnknownNameError``."""
        self.flush()
        return take_up(self._database, run_id)

    def flush(self) -> None:
        """Commit now what is on its way, so that every reader sees it. Blocks. Raises ``StoreError``."""
        self._writer.flush()

    def close(self) -> None:
        """Finish pending writes and close every connection. Idempotent."""
        self._writer.close()
        self.responses.close()
        self._ownership.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()
