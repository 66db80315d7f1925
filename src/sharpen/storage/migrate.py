"""Bring a store to the schema of this code. Nothing is imported or written when it is there already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, exc, inspect, text

from sharpen.errors import StoreError
from sharpen.storage.engine import Database
from sharpen.storage.history import fill_history
from sharpen.storage.schema import REVISION, VERSION_TABLE, metadata

if TYPE_CHECKING:
    from alembic.config import Config

_REVISION_QUERY = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 - a constant of ours


def ensure_current(database: Database) -> None:
    """Create or upgrade the tables. Raises ``StoreError`` for a store of a newer sharpen or another program's tables.

    Safe when several processes open a new store at once: the first one upgrades, the others wait and see it done.
    """
    if revision_of(database) != REVISION:
        with database.write() as connection:
            _upgrade(connection, database.name)


def revision_of(database: Database) -> str | None:
    """The revision that the store is at; None for a database without our tables."""
    try:
        with database.engine.connect() as connection:
            return connection.execute(_REVISION_QUERY).scalar()
    except exc.DBAPIError:  # no such table, or something worse: the inspection tells
        with database.read() as connection:
            if inspect(connection).has_table(VERSION_TABLE):
                raise
            return None


def _upgrade(connection: Connection, name: str) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    if inspect(connection).has_table(VERSION_TABLE):
        revision = connection.execute(_REVISION_QUERY).scalar()
        known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
        if revision is not None and revision not in known:
            raise StoreError(
                f"store {name} was created by a newer sharpen (its schema is {revision!r}, this one knows up to "
                f"{REVISION!r}); upgrade sharpen or name another store"
            )
    elif foreign := sorted(set(inspect(connection).get_table_names()) & set(metadata.tables)):
        raise StoreError(
            f"store {name} is a database of another program: it has tables {', '.join(map(repr, foreign))} "
            "that sharpen did not make; name another store"
        )
    command.upgrade(config(connection), "head")
    fill_history(connection)


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without any file of the user's."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made
