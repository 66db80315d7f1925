"""Alembic runs this for every migration command; the connection, in a transaction, comes from ``migrate``."""

from alembic import context

from sharpen.storage.revision import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"], version_table=VERSION_TABLE, transactional_ddl=True
)
context.run_migrations()
