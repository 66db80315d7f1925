"""The commands by name. One is imported when it is called: no command waits for the others."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

COMMANDS = {
    "init": "Write a plan, a data set and a prompt that run at once; existing files are never overwritten.",
    "check": "Check a plan, its prompt and its data set; estimate calls, tokens and cost before anything is paid.",
    "run": "Run all cases of a plan and report: success, latency, tokens, cost, errors.",
    "decide": "Explain whether to optimize, and with which strategy.",
    "recommend": "Explain in which order optimize would try the strategies, by what searches of the store gained.",
    "optimize": "Measure, decide, search, prove on held-out cases; keep a new version, or say honestly that there is "
    "none.",
    "resume": "Finish an interrupted run, optimization or A/B test, as it would have ended; finished calls are not "
    "repeated.",
    "compare": "Compare two runs, paired by case: what else differs, which metrics changed beyond chance, which cases "
    "by name.",
    "history": "Show success, latency, tokens, cost and errors over runs and versions, and where they changed.",
    "lint": "Lint prompts.",
    "schema": "Print the JSON Schema of the plan (save it and name it in your editor's YAML settings).",
    "ab": "Test variants of a plan against each other (`sharpen ab PLAN --variant A=plan --variant B=…`), or judge an "
    "experiment whose outcomes come from your application.",
    "runs": "List, show and export runs.",
    "versions": "List, show, compare, roll back, tag, export and import prompt versions.",
    "store": "Upgrade, copy, check and shrink the store of runs and versions.",
    "cache": "Show and shrink the cache of answers.",
}
"""What ``sharpen --help`` lists: a file of this package, and the sentence that its own help begins with."""


class Commands(TyperGroup):
    """The group of all commands, which knows of each no more than is listed until it is called."""

    def __init__(self, **settings: Any) -> None:
        listed = {name: TyperCommand(name, help=summary) for name, summary in COMMANDS.items()}
        super().__init__(**settings | {"commands": listed})

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, listed, rest = super().resolve_command(ctx, args)
        return name, load(name) if name else listed, rest


def load(name: str) -> Any:
    """The command of this name, or the group of commands."""
    part, app = import_module(f"sharpen.cli.{name}"), make_app()
    if hasattr(part, "app"):
        app.add_typer(part.app, name=name)
    else:
        app.command(name)(part.command)
    return typer.main.get_group(app).commands[name]


def make_app(**settings: Any) -> typer.Typer:
    """An app with plain help, which takes half the start-up time of help that Rich formats."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, **settings)
