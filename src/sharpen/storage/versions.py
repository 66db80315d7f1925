"""Versions in the store: the ``VersionRepository`` that outlives the process."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, exc, func, select

from sharpen.errors import StoreError, UnknownNameError, VersionConflictError
from sharpen.storage import schema
from sharpen.storage.engine import Database
from sharpen.storage.prompts import save_prompt
from sharpen.storage.upsert import insert_or_replace
from sharpen.versions.models import PromptVersion
from sharpen.versions.ports import AliasMove, moved_meanwhile

_VERSIONS, _PROMPTS, _ALIASES, _MOVES = (
    schema.versions.c,
    schema.prompts.c,
    schema.aliases.c,
    schema.alias_history.c,
)
_IN_COLUMNS = {"workflow_id", "version", "kind", "content_hash", "created_at"}


class StoredVersionRepository:
    """Versions and aliases in a database. Messages are stored with the prompts, the rest of a record beside them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, version: PromptVersion) -> None:
        if version.content_hash != version.prompt.content_hash:
            raise StoreError(f"version {version.version} of {version.workflow_id!r} has not the hash of its contents")
        document = version.model_dump(mode="json", exclude=_IN_COLUMNS)
        del document["prompt"]["messages"]
        with self._database.write() as connection:
            save_prompt(connection, version.prompt)
            row = {name: getattr(version, name) for name in _IN_COLUMNS}
            try:
                connection.execute(schema.versions.insert(), {**row, "document": document})
            except exc.IntegrityError as error:
                raise VersionConflictError(
                    f"version {version.version} of {version.workflow_id!r} exists already"
                ) from error

    def get(self, workflow_id: str, version: str) -> PromptVersion | None:
        query = _query().where(_VERSIONS.workflow_id == workflow_id, _VERSIONS.version == version)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else _from_row(row)

    def list(self, workflow_id: str) -> tuple[PromptVersion, ...]:
        query = _query().where(_VERSIONS.workflow_id == workflow_id).order_by(_VERSIONS.id)
        with self._database.read() as connection:
            return tuple(map(_from_row, connection.execute(query)))

    def workflows(self) -> tuple[str, ...]:
        with self._database.read() as connection:
            found = connection.execute(select(_VERSIONS.workflow_id).distinct()).scalars()
            return tuple(sorted(found))

    def set_alias(
        self,
        workflow_id: str,
        alias: str,
        version: str | None,
        *,
        expected_current: str | None = None,
        reason: str | None = None,
        actor: str | None = None,
    ) -> None:
        with self._database.write() as connection:
            _one_at_a_time(connection, workflow_id)
            if version is not None:
                _require_version(connection, workflow_id, version)
            here = (_ALIASES.workflow_id == workflow_id) & (_ALIASES.alias == alias)
            current = connection.execute(select(_ALIASES.version).where(here)).scalar()
            if expected_current is not None and (current or "") != expected_current:
                raise VersionConflictError(moved_meanwhile(alias, workflow_id, expected_current, current))
            if current == version:
                return
            key = {"workflow_id": workflow_id, "alias": alias}
            if version is None:
                connection.execute(delete(schema.aliases).where(here))
            else:
                statement = insert_or_replace(connection.dialect.name, schema.aliases)
                connection.execute(statement, {**key, "version": version})
            move = {**key, "version": version, "previous": current, "moved_at": datetime.now(UTC)}
            move |= {"reason": reason, "actor": actor}
            connection.execute(schema.alias_history.insert(), move)

    def get_alias(self, workflow_id: str, alias: str) -> str | None:
        return self.aliases(workflow_id).get(alias)

    def aliases(self, workflow_id: str) -> dict[str, str]:
        query = select(_ALIASES.alias, _ALIASES.version).where(_ALIASES.workflow_id == workflow_id)
        with self._database.read() as connection:
            return {row.alias: row.version for row in connection.execute(query.order_by(_ALIASES.alias))}

    def alias_history(self, workflow_id: str, alias: str | None = None) -> tuple[AliasMove, ...]:
        query = (
            select(_MOVES.alias, _MOVES.version, _MOVES.previous, _MOVES.moved_at, _MOVES.reason, _MOVES.actor)
            .where(_MOVES.workflow_id == workflow_id)
            .order_by(_MOVES.id)
        )
        if alias is not None:
            query = query.where(_MOVES.alias == alias)
        with self._database.read() as connection:
            return tuple(AliasMove.model_validate(dict(row._mapping)) for row in connection.execute(query))


def _query() -> Select[Any]:
    return select(schema.versions, _PROMPTS.messages).join(schema.prompts)


def _from_row(row: Row[Any]) -> PromptVersion:
    columns = {name: row._mapping[name] for name in _IN_COLUMNS}
    try:
        document = dict(row.document)
        prompt = {**document.pop("prompt"), "messages": row.messages}
        return PromptVersion.model_validate({**document, **columns, "prompt": prompt})
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"version {row.version} of {row.workflow_id!r} was altered after it was stored: its record is none any more"
        ) from error


def _one_at_a_time(connection: Connection, workflow_id: str) -> None:
    """Of two that move an alias at once the later one sees where it points then, also when it did not exist before.

    On SQLite only one transaction writes at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        first = select(func.min(_VERSIONS.id)).where(_VERSIONS.workflow_id == workflow_id).scalar_subquery()
        connection.execute(select(_VERSIONS.id).where(_VERSIONS.id == first).with_for_update())


def _require_version(connection: Connection, workflow_id: str, version: str) -> None:
    of_workflow = select(_VERSIONS.version).where(_VERSIONS.workflow_id == workflow_id)
    known = set(connection.execute(of_workflow).scalars())
    if version not in known:
        raise UnknownNameError("version", version, known)
