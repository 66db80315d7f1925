"""Prompts by content hash: each text is stored once, however many runs and versions use it."""

from __future__ import annotations

from sqlalchemy import Connection, select

from sharpen.config.prompts import PromptTemplate
from sharpen.errors import StoreError
from sharpen.storage import schema
from sharpen.storage.engine import Database
from sharpen.storage.upsert import insert_or_keep


class PromptRepository:
    """Prompts as they were, whatever became of their files."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, prompt: PromptTemplate) -> str:
        """Keep a prompt and return its content hash."""
        with self._database.write() as connection:
            return save_prompt(connection, prompt)

    def get(self, content_hash: str) -> PromptTemplate | None:
        """The prompt with that hash, or None. Raises ``StoreError`` when the stored text was altered."""
        with self._database.read() as connection:
            query = select(schema.prompts.c.messages).where(schema.prompts.c.content_hash == content_hash)
            messages = connection.execute(query).scalar()
        if messages is None:
            return None
        prompt = PromptTemplate(messages=messages)
        if prompt.content_hash != content_hash:
            raise StoreError(
                f"prompt {content_hash[:12]}… of store {self._database.name} was altered after it was stored: "
                f"its contents hash to {prompt.content_hash[:12]}…"
            )
        return prompt

    def list(self) -> dict[str, PromptTemplate]:
        """Every prompt by its content hash, in no particular order."""
        with self._database.read() as connection:
            rows = connection.execute(select(schema.prompts.c.content_hash, schema.prompts.c.messages)).all()
        return {row.content_hash: PromptTemplate(messages=row.messages) for row in rows}


def save_prompt(connection: Connection, prompt: PromptTemplate) -> str:
    """Keep a prompt within a transaction and return its content hash."""
    content_hash = prompt.content_hash
    messages = [{"role": message.role, "content": message.content} for message in prompt.messages]
    statement = insert_or_keep(connection.dialect.name, schema.prompts)
    connection.execute(statement, {"content_hash": content_hash, "messages": messages})
    return content_hash
