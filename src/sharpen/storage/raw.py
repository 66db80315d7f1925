"""The driver itself, for statements that are executed so often that SQLAlchemy's own work would be most of theirs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, exc


def execute_raw(connection: Connection, sql: str, parameters: tuple[Any, ...] = ()) -> None:
    """Execute a statement in the driver's own parameter style. Raises SQLAlchemy's errors, as a connection does."""
    try:
        cursor = connection.connection.cursor()
        try:
            cursor.execute(sql, parameters)
        finally:
            cursor.close()
    except Exception as error:
        driver = connection.dialect.loaded_dbapi
        if not isinstance(error, driver.Error):  # an int beyond 64 bits: the driver's OverflowError, passed on as it is
            raise
        raise exc.DBAPIError.instance(sql, None, error, driver.Error, dialect=connection.dialect) from error
