"""``sharpen schema``: the plan's JSON Schema, for editors."""

from __future__ import annotations

import json

import typer

from sharpen.cli.options import JsonOption, QuietOption, StoreOption


def command(
    store: StoreOption = None,  # noqa: ARG001 - the options of all commands; a schema needs none of them
    as_json: JsonOption = False,  # noqa: ARG001 - it is one JSON document in any case
    quiet: QuietOption = False,  # noqa: ARG001
) -> None:
    """Print the JSON Schema of the plan (save it and name it in your editor's YAML settings)."""
    from sharpen.config.schema import plan_schema

    typer.echo(json.dumps(plan_schema(), indent=2, ensure_ascii=False))
