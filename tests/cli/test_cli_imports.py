"""Which modules a start loads: times depend on the machine, what is imported does not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sharpen.storage.store import Store

ROOT = Path(__file__).parents[2]
REVIEWS = ROOT / "examples" / "reviews"
HEAVY = frozenset(
    ["aiohttp", "alembic", "genai_prices", "jsonschema", "numpy", "opentelemetry", "pyarrow", "rapidfuzz", "scipy",
     "sqlalchemy", "uvloop", "xllamacpp"]
)  # fmt: skip
_TELL = "; import json; print('\\n' + json.dumps(sorted(sys.modules)))"


def loaded(code: str) -> set[str]:
    """Every module in a fresh process after ``code``."""
    done = subprocess.run([sys.executable, "-c", f"import sys; {code}{_TELL}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def command(*arguments: str) -> set[str]:
    return loaded(f"from sharpen.cli.main import _guarded; assert _guarded({list(arguments)!r}) == 0")


def test_importing_sharpen_loads_next_to_nothing() -> None:
    modules = loaded("import sharpen")
    assert {name for name in modules if name.startswith("sharpen")} == {"sharpen", "sharpen.about"}
    assert not modules & (HEAVY | {"pydantic", "jinja2", "yaml", "rich", "typer", "asyncio"})


def test_help_loads_the_command_line_alone() -> None:
    modules = command("--help")
    assert not modules & (HEAVY | {"pydantic", "jinja2", "yaml", "rich", "asyncio"})
    assert {name for name in modules if name.startswith("sharpen.")} == {
        "sharpen.about", "sharpen.errors", "sharpen.cli", "sharpen.cli.main", "sharpen.cli.commands",
        "sharpen.cli.streams",
    }  # fmt: skip


@pytest.mark.parametrize("options", [(), ("--json",), ("--quiet",)])
def test_a_check_loads_what_a_check_needs(tmp_path: Path, options: tuple[str, ...]) -> None:
    for name in ("plan.yaml", "prompt.md", "cases.jsonl"):  # beside the example itself `make demo` leaves a store
        shutil.copy(REVIEWS / name, tmp_path)
    modules = command("check", str(tmp_path / "plan.yaml"), *options)
    assert not modules & (HEAVY | {"jinja2", "asyncio", "sharpen.config.explain"})
    assert ("rich" in modules) is (not options)
    layers = {name.split(".")[1] for name in modules if name.startswith("sharpen.")}
    assert not layers & {"executor", "storage", "versions", "pipeline"}
    assert {name for name in modules if name.startswith("sharpen.cli.")} == {
        "sharpen.cli.main", "sharpen.cli.commands", "sharpen.cli.streams", "sharpen.cli.options", "sharpen.cli.check",
    }  # fmt: skip
    assert ("optimizer" in layers) is ("--quiet" not in options), "what an optimization takes is told"


def test_a_check_beside_a_store_loads_no_toolkit_of_databases(tmp_path: Path) -> None:
    for name in ("plan.yaml", "prompt.md", "cases.jsonl"):
        shutil.copy(REVIEWS / name, tmp_path)
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        store.holdout.draw("s1", "review-sentiment", ["of a search"])
    modules = command("check", str(tmp_path / "plan.yaml"), "--store", f"sqlite:///{tmp_path / 'store.db'}")
    assert "sharpen.storage.glance" in modules
    assert not modules & (HEAVY | {"jinja2", "asyncio"})


def test_a_check_of_a_server_loads_no_client(tmp_path: Path) -> None:
    plan = {
        "workflow_id": "w", "prompt": {"user": "{{ text }}"}, "dataset": [{"vars": {"text": "x"}}],
        "target": {
            "kind": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1",
            "price": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1},
        },
    }  # fmt: skip
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    assert not command("check", str(tmp_path / "plan.json")) & (HEAVY | {"jinja2", "asyncio"})


@pytest.mark.parametrize("listed", ["runs", "versions"])
def test_a_list_loads_nothing_that_runs_or_judges(tmp_path: Path, listed: str) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with Store.open(url):
        pass
    modules = command(listed, "list", "--store", url)
    assert "sharpen.reporting.console_lists" in modules
    unwanted = {"sharpen.pipeline", "sharpen.reporting.console", "sharpen.reporting.progress", "sharpen.cli.watching"}
    assert not modules & (unwanted | (HEAVY - {"sqlalchemy"}) | {"rich.live"})
    assert not {name for name in modules if name.startswith("sharpen.optimizer.analysis")}


def test_a_run_loads_no_statistics(tmp_path: Path) -> None:
    plan = {
        "workflow_id": "w", "prompt": {"user": "{{ text }}"}, "dataset": [{"vars": {"text": "x"}}],
        "target": {"kind": "scripted", "default": {"output": "y"}},
    }  # fmt: skip
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    assert not command("run", str(tmp_path / "plan.json")) & {"numpy", "scipy"}


def test_the_package_can_be_run() -> None:
    ran = subprocess.run([sys.executable, "-m", "sharpen", "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("sharpen ")
