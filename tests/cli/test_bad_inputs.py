"""Every mistake of ``bad_inputs`` gets its exact message and exit code; docs/bad-inputs.md shows the same."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from bad_inputs import MISTAKES, PROJECT, Mistake
from cli_kit import Cli

ROOT = Path(__file__).parents[2]
EVERY = [pytest.param(mistake, id=mistake.what) for mistakes in MISTAKES.values() for mistake in mistakes]


def make(cli: Cli, mistake: Mistake) -> None:
    for name, content in {**PROJECT, **mistake.files}.items():
        if content is not None:
            (cli.directory / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    for variable, value in mistake.env.items():
        cli.monkeypatch.setenv(variable, value)


@pytest.mark.parametrize("mistake", EVERY)
def test_the_message_is_exact(cli: Cli, mistake: Mistake) -> None:
    make(cli, mistake)
    for command in mistake.before:
        assert cli(*command).code in (0, 1)
    found = cli(*mistake.command)
    said = [line.removeprefix("error: ") for line in found.err.splitlines()]
    shown = re.sub(r"run-\d{8}-\d{6}-[0-9a-f]{6}", "RUN-ID", "\n".join(said)).replace(str(cli.directory), "DIR")
    assert shown == mistake.message
    assert found.code == mistake.code
    assert found.out == ""
    assert all(line.startswith("error: ") for line in found.err.splitlines() if "nothing was called" not in line)


def test_there_are_enough_and_no_two_alike() -> None:
    mistakes = [mistake for area in MISTAKES.values() for mistake in area]
    assert len(mistakes) >= 70
    assert len({mistake.what for mistake in mistakes}) == len(mistakes)


def test_the_project_without_a_mistake_is_fine(cli: Cli) -> None:
    make(cli, Mistake("none", (), ""))
    assert cli("check", "plan.yaml").code == 0


def test_the_page_is_up_to_date() -> None:
    script = [sys.executable, ROOT / "scripts" / "bad_inputs.py", "--check"]
    assert subprocess.run(script, capture_output=True, text=True, timeout=60).stdout == ""
