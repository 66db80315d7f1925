"""Writes docs/bad-inputs.md from the table that tests/cli/test_bad_inputs.py holds the command line to.

``--check`` writes nothing and exits with 1 when the page is not up to date.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "bad-inputs.md"
sys.path.insert(0, str(ROOT / "tests" / "cli"))

from bad_inputs import MISTAKES, Mistake  # noqa: E402 - found by the line above

HEAD = """\
<!-- Written by scripts/bad_inputs.py from tests/cli/bad_inputs.py. Edit that, then run it. -->

# What you see when something is wrong

A message names the place, the value that stands there and what would be right. Everything that is wrong with a plan is
told at once, before anything is called. Each line begins with `error: ` on stderr; with `--json`, stdout holds one
document `{"error": {"type", "message", "exit_code", "problems"}}`.

Exit codes: 2 the input is wrong · 3 the run could not finish (0 the rules hold · 1 they do not · 130 interrupted).

The messages below are exact and kept so by a test. `DIR` stands for the project's directory, `RUN-ID` for a run's id.
"""


def page() -> str:
    parts = [HEAD]
    for area, mistakes in MISTAKES.items():
        rows = "\n".join(_row(mistake) for mistake in mistakes)
        parts.append(f"## {area}\n\n| mistake | command | message | exit |\n| --- | --- | --- | --- |\n{rows}\n")
    return "\n".join(parts)


def _row(mistake: Mistake) -> str:
    before = "".join(f"{name}={value} " for name, value in mistake.env.items())
    command = _code(f"{before}sharpen {shlex.join(mistake.command)}")
    message = "<br>".join(_code(line) for line in mistake.message.splitlines())
    return f"| {mistake.what} | {command} | {message} | {mistake.code} |"


def _code(text: str) -> str:
    """A code span of a table: two backticks where the text has one, pipes escaped."""
    fence = "``" if "`" in text else "`"
    space = " " if "`" in text else ""
    escaped = text.replace("|", "\\|")
    return f"{fence}{space}{escaped}{space}{fence}"


def main() -> int:
    text = page()
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text("utf-8") == text:
            return 0
        print(f"{PAGE.relative_to(ROOT)} is not up to date: run scripts/bad_inputs.py")
        return 1
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
