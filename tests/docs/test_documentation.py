"""The documentation says what is so: its Python runs, its links lead somewhere, its generated pages are fresh."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
BLOCK = re.compile(
    r"(?:<!-- file: (?P<file>\S+) -->\s*\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE
)
LINK = re.compile(r"(?<!\\)\[[^\]\n]*\]\(([^)\s]+)\)")
# pages whose own tests run their examples, each under the contract suite it is about
TESTED_ELSEWHERE = {"writing-a-target.md", "writing-an-assertion.md", "writing-a-strategy.md"}


def blocks(page: Path) -> list[re.Match[str]]:
    return list(BLOCK.finditer(page.read_text(encoding="utf-8")))


RUNNABLE = [
    page
    for page in PAGES
    if page.name not in TESTED_ELSEWHERE and any(block["language"] == "python" for block in blocks(page))
]


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    program = []
    for block in blocks(page):
        if block["file"]:
            (tmp_path / block["file"]).write_text(block["code"], encoding="utf-8")
        elif block["language"] == "python":
            program.append(block["code"])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(program)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_some_pages_are_run() -> None:
    assert {page.name for page in RUNNABLE} >= {"library.md", "migration.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path) if path else page
        assert found.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{page.name}: {target} is none of {sorted(slugs)}"


def test_the_plan_reference_is_fresh() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "plan_reference.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + done.stdout


def test_every_page_is_reachable_from_the_readme() -> None:
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop().resolve()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        todo += [page.parent / target.partition("#")[0] for target in LINK.findall(page.read_text(encoding="utf-8"))]
    missing = {page.name for page in (ROOT / "docs").rglob("*.md")} - {page.name for page in reached}
    assert not missing
