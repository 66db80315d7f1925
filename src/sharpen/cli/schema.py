"""``sharpen schema``: the plan's JSON Schema, for editors."""

from __future__ import annotations

import json

import typer


def command() -> None:
    """Print the JSON Schema of the plan (save it and name it in your editor's YAML settings)."""
    from sharpen.config.schema import plan_schema

    typer.echo(json.dumps(plan_schema(), indent=2, ensure_ascii=False))
