"""The documentation's own example keeps the contract, and its tables name what exists."""

import re
import sys
from pathlib import Path
from typing import get_args

from sharpen.assertions.registry import ASSERTIONS
from sharpen.config.assertions import Transform
from sharpen.testing.assertion_suite import AssertionContract

DOCS = Path(__file__).parents[2] / "docs"


def table(text, heading):
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*?) \|", section, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([\w-]+)`", cell)}


def test_the_tables_are_complete():
    text = (DOCS / "assertions.md").read_text()
    assert table(text, "Names") == set(ASSERTIONS)
    assert table(text, "Transforms") == set(get_args(Transform))


def test_the_example_of_an_assertion_keeps_the_contract(tmp_path, monkeypatch):
    blocks = re.findall(
        r"```python\n# (\w+\.py)[^\n]*\n(.*?)```", (DOCS / "writing-an-assertion.md").read_text(), re.DOTALL
    )
    assert [name for name, _ in blocks] == ["my_checks.py", "test_my_checks.py"]
    for name, source in blocks:
        (tmp_path / name).write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    namespace = {}
    exec(compile(blocks[1][1], "test_my_checks.py", "exec"), namespace)
    suite = namespace["TestMinWords"]
    assert issubclass(suite, AssertionContract)
    ran = [name for name in dir(suite) if name.startswith("test_")]
    for name in ran:
        getattr(suite(), name)()
    assert len(ran) >= 9
    sys.modules.pop("my_checks")
