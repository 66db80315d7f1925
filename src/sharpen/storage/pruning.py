"""Make a store smaller by age, and keep what versions rest on.

What goes is what is large: results, the inputs that nothing else uses, and the runs of a search's candidates and of A/B
tests. The line of an old run stays, with its figures, so that lists and trends still reach back; ``forget`` drops that,
too. Never touched: versions and aliases with their history, the ledger of held-out cases, what A/B tests found,
experiments, the cache (which has a ``prune`` of its own), and runs that a living process works on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, and_, delete, exists, func, or_, select, text, update

from sharpen.executor.models import Record, RunStatus
from sharpen.storage import schema
from sharpen.storage.engine import Database
from sharpen.storage.failures import translated
from sharpen.storage.locks import LockRepository
from sharpen.storage.raw import execute_raw

KEPT_PURPOSES = ("run", "baseline", "holdout")
PRUNED_AT = "pruned_at"
"""In a run's metadata: when its results were dropped and its line kept."""
_ROWS, _KEYS = 20_000, 500
_RUNS, _RESULTS, _LINKS, _CASES = schema.runs.c, schema.results.c, schema.run_cases.c, schema.cases.c
_VERSIONS, _SEARCHES, _OPTIMIZATIONS = schema.versions.c, schema.searches.c, schema.optimizations.c


class PrunedStore(Record):
    """What went (or, in a rehearsal, would go), in rows, and what was kept though it is old enough.

    ``thinned``: runs that keep their line; ``runs``: those that are gone. ``justifying``, ``newest`` and ``in_use`` are
    runs kept because a version rests on them, because of ``keep``, and because somebody works on them.
    ``freed_bytes``: of a SQLite file, inside of it; None for a server, and in a rehearsal.
    """

    before: datetime
    thinned: int = 0
    runs: int = 0
    results: int = 0
    cases: int = 0
    prompts: int = 0
    searches: int = 0
    optimizations: int = 0
    justifying: int = 0
    newest: int = 0
    in_use: int = 0
    freed_bytes: int | None = None
    rehearsal: bool = False


class _Plan(NamedTuple):
    thin: Sequence[int]
    drop: Sequence[int]
    searches: Sequence[str]
    optimizations: Sequence[str]
    justifying: int
    newest: int
    in_use: int


def prune(
    database: Database,
    locks: LockRepository,
    before: datetime,
    *,
    keep: int = 0,
    forget: bool = False,
    rehearsal: bool = False,
) -> PrunedStore:
    """Drop what began before that moment, but for the ``keep`` newest runs of each workflow.

    In many short transactions: runs under way beside it wait for none of them long, and what was cut off is done by the
    next one. ``rehearsal``: only tell. Raises ``StoreError``.
    """
    with database.read() as connection:
        plan = _plan(connection, locks, before, keep, forget)
        going = (*plan.thin, *plan.drop)
        results = sum(
            connection.execute(select(func.count()).where(_RESULTS.run.in_(some))).scalar_one() for some in _some(going)
        )
    told = PrunedStore(
        before=before, thinned=len(plan.thin), runs=len(plan.drop), results=results, searches=len(plan.searches),
        optimizations=len(plan.optimizations), justifying=plan.justifying, newest=plan.newest, in_use=plan.in_use,
        rehearsal=rehearsal,
    )  # fmt: skip
    if rehearsal:
        return told
    free = _free_bytes(database)
    cases = _drop_contents(database, going)
    now = datetime.now(UTC).isoformat()
    for run in plan.thin:
        with database.write() as connection:
            noted = connection.execute(select(schema.runs.c["metadata"]).where(_RUNS.id == run)).scalar_one()
            connection.execute(update(schema.runs).where(_RUNS.id == run).values(metadata=noted | {PRUNED_AT: now}))
            connection.execute(delete(schema.decisions).where(schema.decisions.c.run == run))
    for column, keys in (
        (_RUNS.id, plan.drop), (_SEARCHES.id, plan.searches), (_OPTIMIZATIONS.id, plan.optimizations)
    ):  # fmt: skip
        for some in _some(keys):
            with database.write() as connection:
                connection.execute(delete(column.table).where(column.in_(some)))
    unused = _drop_unused(database, cases)
    prompts = _drop_prompts(database)
    freed = None if free is None else max(0, (_free_bytes(database) or 0) - free)
    return told.model_copy(update={"cases": unused, "prompts": prompts, "freed_bytes": freed})


def vacuum(database: Database) -> None:
    """Give the space that is free inside the store back to the disk. Needs as much again while it works (SQLite)."""
    with translated(database.name), database.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM (ANALYZE)"))
            return
        for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):  # past SQLAlchemy, which begins transactions
            execute_raw(connection, statement)


def _plan(connection: Connection, locks: LockRepository, before: datetime, keep: int, forget: bool) -> _Plan:
    columns = (_RUNS.id, _RUNS.run_id, _RUNS.workflow_id, _RUNS.purpose, _RUNS.parent_run_id, _RUNS.status)
    every = connection.execute(
        select(*columns, _RUNS["metadata"].label("noted")).where(_RUNS.started_at < before).order_by(_RUNS.id)
    )
    old = [run for run in every if forget or PRUNED_AT not in run.noted]
    justifying, proofs = _justifying(connection)
    newest = _newest(connection, {run.workflow_id for run in old}, keep)
    kept, thin, drop = {"justifying": 0, "newest": 0, "in_use": 0}, list[int](), list[int]()
    held = locks.held()
    for run in old:
        if run.run_id in justifying or (run.parent_run_id in proofs and run.purpose in KEPT_PURPOSES):
            kept["justifying"] += 1
        elif run.id in newest:
            kept["newest"] += 1
        elif not held.isdisjoint(_locks_of(run.run_id, run.parent_run_id)):
            kept["in_use"] += 1
        elif forget or run.purpose not in KEPT_PURPOSES or run.status == RunStatus.RUNNING.value:
            drop.append(run.id)
        else:
            thin.append(run.id)
    began = select(_SEARCHES.id).where(_SEARCHES.started_at < before)
    searches = [one for one in connection.execute(began).scalars() if f"optimization:{one}" not in held]
    ended = select(_OPTIMIZATIONS.id).where(_OPTIMIZATIONS.started_at < before)
    optimizations = [one for one in connection.execute(ended).scalars() if one not in proofs] if forget else []
    return _Plan(thin, drop, searches, optimizations, **kept)


def _locks_of(run_id: str, parent: str | None) -> tuple[str, ...]:
    """Who works on a run holds one of these: its own, or that of the optimization or the A/B test it is a step of."""
    return (f"optimization:{parent}", f"ab:{parent}") if parent else (f"run:{run_id}",)


def _justifying(connection: Connection) -> tuple[set[str], set[str]]:
    """Ids of the runs that versions name, and of the optimizations that those were made in."""
    runs: set[str] = set()
    for document in connection.execute(select(_VERSIONS.document)).scalars():
        runs |= set(document.get("run_ids", ()))
    parents: set[str] = set()
    for some in _some(sorted(runs)):
        query = select(_RUNS.parent_run_id).where(_RUNS.run_id.in_(some), _RUNS.parent_run_id.is_not(None))
        parents |= {str(parent) for parent in connection.execute(query).scalars()}
    return runs, parents


def _newest(connection: Connection, workflows: Collection[str], keep: int) -> set[int]:
    """The newest runs of each workflow; a search's own are not counted."""
    found: set[int] = set()
    for workflow in workflows if keep else ():
        newest = select(_RUNS.id).where(_RUNS.workflow_id == workflow, _RUNS.purpose == "run")
        found |= set(connection.execute(newest.order_by(_RUNS.started_at.desc()).limit(keep)).scalars())
    return found


def _drop_contents(database: Database, runs: Sequence[int]) -> set[int]:
    """Drop the results and the links to the cases of these runs; the cases' keys.

    So many rows in one transaction that it is short, and that neighbours in the indices go together.
    """
    cases: set[int] = set()
    waiting = deque((run, table) for run in runs for table in (schema.results, schema.run_cases))
    while waiting:
        left = _ROWS
        with database.write(quick=True) as connection:
            while waiting and left > 0:
                run, table = waiting.popleft()
                dropped, more = _drop_some(connection, run, table, left, cases)
                left -= dropped
                if more:
                    waiting.appendleft((run, table))
    return cases


def _drop_some(connection: Connection, run: int, table: Table, most: int, cases: set[int]) -> tuple[int, bool]:
    """Drop up to so many rows of a run, repeats of one case together. How many, and whether there are more."""
    here = table.c.run == run
    ids = select(table.c.case_id).where(here).order_by(table.c.case_id)
    behind = connection.execute(ids.offset(most).limit(1)).scalar()
    first = connection.execute(ids.limit(1)).scalar()
    some = (
        here
        if behind is None
        else and_(here, table.c.case_id < behind if behind != first else table.c.case_id == first)
    )
    if table is schema.run_cases:
        cases |= set(connection.execute(select(_LINKS.case).where(some, _LINKS.case.is_not(None))).scalars())
    return max(1, connection.execute(delete(table).where(some)).rowcount), behind is not None


def _drop_unused(database: Database, cases: Iterable[int]) -> int:
    """Drop those of these cases that no run has any more."""
    dropped = 0
    for some in _some(sorted(cases)):
        with database.write() as connection:
            _alone(connection, "cases")
            unused = and_(_CASES.id.in_(some), ~exists().where(_LINKS.case == _CASES.id))
            dropped += connection.execute(delete(schema.cases).where(unused)).rowcount
    return dropped


def _drop_prompts(database: Database) -> int:
    prompts = schema.prompts.c.content_hash
    used = or_(exists().where(_RUNS.prompt_hash == prompts), exists().where(_VERSIONS.content_hash == prompts))
    with database.write() as connection:
        _alone(connection, "prompts")
        return connection.execute(delete(schema.prompts).where(~used)).rowcount


def _alone(connection: Connection, table: str) -> None:
    """Nobody may take up a row that is about to go: on SQLite nobody else writes in a transaction anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"))


def _free_bytes(database: Database) -> int | None:
    if database.engine.dialect.name != "sqlite":
        return None
    with database.read() as connection:
        pages = connection.execute(text("PRAGMA freelist_count")).scalar_one()
        return int(pages * connection.execute(text("PRAGMA page_size")).scalar_one())


def _some(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for first in range(0, len(keys), _KEYS):
        yield keys[first : first + _KEYS]
