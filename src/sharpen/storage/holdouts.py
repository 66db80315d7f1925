"""The ledger of held-out cases: ``HoldoutLedger`` for all processes that share the store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection, and_, case, func, or_, select, true, update

from sharpen.optimizer.ports import CaseMemory, HoldoutGrant, ProofKey
from sharpen.storage import schema
from sharpen.storage.bulk import BulkInsert
from sharpen.storage.engine import Database
from sharpen.storage.exact_text import exact_text
from sharpen.storage.upsert import insert_or_keep

_PAGES, _CASES = schema.holdouts.c, schema.holdout_cases.c
_SEEN, _HOLDOUT = "seen", "holdout"
_COLUMNS = ("holdout", "case_key", "part", "granted", "looked")


class HoldoutRepository:
    """What searches did with cases, by the content of the cases; never forgotten when runs are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def memory(self, workflow_id: str, *, search_id: str = "", proof_id: str = "") -> dict[str, CaseMemory]:
        """What was done with a workflow's cases, by key, but by that proof, or by that search and those after it.

        "After it" are searches that drew their cases when it had done so.
        """
        own = schema.holdouts.alias()
        drawn_at = select(own.c.begun_at).where(own.c.id == search_id).scalar_subquery()
        looked = and_(_CASES.part == _HOLDOUT, _CASES.looked)
        query = (
            select(
                _CASES.case_key,
                func.sum(case((looked, 1), else_=0)).label("looks"),
                func.max(case((and_(looked, _PAGES.accepted), 1), else_=0)).label("spent"),
                func.max(case((_CASES.part == _SEEN, 1), else_=0)).label("seen"),
            )
            .join(schema.holdouts, _PAGES.id == _CASES.holdout)
            .where(_PAGES.workflow_id == workflow_id, or_(_CASES.part == _SEEN, looked))
            .where(_PAGES.search != search_id, _PAGES.id != proof_id)
            .where(or_(drawn_at.is_(None), _PAGES.begun_at < drawn_at))
            .group_by(_CASES.case_key)
        )
        with self._database.read() as connection:
            return {
                row.case_key: CaseMemory(int(row.looks), bool(row.spent), bool(row.seen))
                for row in connection.execute(query)
            }

    def draw(self, search_id: str, workflow_id: str, seen: Collection[str]) -> None:
        """Note the cases that a search trains and selects on."""
        with self._database.write() as connection:
            _begin(connection, search_id, ProofKey(search_id, workflow_id))
            _add(connection, search_id, seen, _SEEN)

    def open(
        self, proof: ProofKey, keys: Collection[str], choose: Callable[[Mapping[str, CaseMemory]], HoldoutGrant]
    ) -> HoldoutGrant:
        """Note, for good, that a proof looks at what ``choose`` grants it of ``keys``.

        First all of them are claimed, and only then it is read what others did: of two searches that begin at the same
        moment at least one sees the other, on any database, and none takes a level that is not its own.
        """
        with self._database.write() as connection:
            _begin(connection, proof.id, proof)
            row = connection.execute(select(schema.holdouts).where(_PAGES.id == proof.id)).one()
            if row.level is not None:
                return HoldoutGrant(tuple(sorted(_granted(connection, proof.id))), row.level, row.looks)
            _add(connection, proof.id, keys, _HOLDOUT)
        grant = choose(self.memory(proof.workflow_id, proof_id=proof.id))
        with self._database.write() as connection:
            _mark(connection, proof.id, set(keys) - set(grant.case_ids), granted=False, looked=False)
            values = {"level": grant.level, "looks": grant.looks}
            connection.execute(update(schema.holdouts).where(_PAGES.id == proof.id).values(values))
        return grant

    def settle(self, proof: ProofKey, looked_at: Collection[str], accepted: bool) -> None:
        """Note which of the cases that were granted were really looked at, and whether they are spent."""
        with self._database.write() as connection:
            granted = _granted(connection, proof.id)
            _mark(connection, proof.id, granted - set(looked_at), granted=True, looked=False)
            _mark(connection, proof.id, granted & set(looked_at), granted=True, looked=True)
            values = {"settled_at": datetime.now(UTC), "accepted": true() if accepted else _PAGES.accepted}
            connection.execute(update(schema.holdouts).where(_PAGES.id == proof.id).values(values))

    def claimed_by(self, workflow_id: str, fingerprint: str) -> str | None:
        """The search with this fingerprint whose claim was accepted; None without one."""
        same = and_(_PAGES.workflow_id == workflow_id, _PAGES.fingerprint == fingerprint, _PAGES.accepted)
        query = select(_PAGES.search).where(same).order_by(_PAGES.begun_at).limit(1)
        with self._database.read() as connection:
            return connection.execute(query).scalar()


def _begin(connection: Connection, page: str, proof: ProofKey) -> None:
    row = {
        "id": page,
        "search": proof.search_id,
        "workflow_id": proof.workflow_id,
        "fingerprint": proof.fingerprint or None,
        "begun_at": datetime.now(UTC),
        "accepted": False,
    }
    connection.execute(insert_or_keep(connection.dialect.name, schema.holdouts), row)


def _granted(connection: Connection, page: str) -> set[str]:
    query = select(_CASES.case_key).where(_CASES.holdout == page, _CASES.granted)
    return set(connection.execute(query).scalars())


def _add(connection: Connection, page: str, keys: Collection[str], part: str) -> None:
    held = part == _HOLDOUT
    rows = [(exact_text(page), exact_text(key), part, held, held) for key in sorted(set(keys))]
    BulkInsert(schema.holdout_cases, connection.dialect, _COLUMNS, keep=True).execute(connection, rows)


def _mark(connection: Connection, page: str, keys: Collection[str], *, granted: bool, looked: bool) -> None:
    rows = [(exact_text(page), exact_text(key), _HOLDOUT, granted, looked) for key in sorted(keys)]
    BulkInsert(schema.holdout_cases, connection.dialect, _COLUMNS).execute(connection, rows)
