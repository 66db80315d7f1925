"""The benchmarks run, and their own arithmetic is right: a number nobody checks is worth nothing."""

import importlib
import json
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch):
    """A benchmark's module by name; none of them stays imported."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield load
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def run(script: str, *arguments: str) -> str:
    command = [sys.executable, str(BENCHMARKS / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_small_scale_run_is_told_whole() -> None:
    said = run("scale.py", "--runs", "1", "--sizes", "150")
    row = next(line for line in said.splitlines() if line.startswith("| 150 "))
    assert "exact" in row
    assert "differ" not in row


@pytest.mark.parametrize("kind", ["fast", "plain"])
def test_a_server_answers_and_counts_what_it_answered(load, kind: str) -> None:
    server, common = load("server"), load("common")
    with server.serving(kind=kind) as running:
        found = common.child("floor.py", running.base_url, "--cases", "100", "--concurrency", "8")
        stats = running.stats()
    assert found["run_s"] > 0
    assert stats["requests"] == 100 + load("floor").WARM_UP


def test_a_server_holds_its_answer_back(load) -> None:
    server, common = load("server"), load("common")
    with server.serving(latency_ms=50) as running:
        found = common.child("floor.py", running.base_url, "--cases", "32", "--concurrency", "16")
    assert found["run_s"] >= 2 * 0.050


def test_a_percentile_that_is_off_by_one_place_is_noticed(load, tmp_path: Path) -> None:
    import sqlite3

    scale = load("scale")
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection, connection:
        connection.execute("CREATE TABLE results (execution_time REAL, status TEXT)")
        rows = [(n / 1000, "succeeded") for n in range(100)] + [(9.0, "cancelled")]
        connection.executemany("INSERT INTO results VALUES (?, ?)", rows)
    right = scale._percentiles(tmp_path / "store.db", {"p95_response_time_ms": 94.0, "p99_response_time_ms": 98.0})
    wrong = scale._percentiles(tmp_path / "store.db", {"p95_response_time_ms": 95.0, "p99_response_time_ms": 98.0})
    assert scale.is_exact(right, 100)
    assert not scale.is_exact(wrong, 100)
    assert not scale.is_exact(right, 101)


def samples(values: list[float]) -> list[dict[str, object]]:
    return [{"t": float(n), "rss": value, "at_rest": False} for n, value in enumerate(values)]


def test_a_soak_tells_growth_from_noise(load) -> None:
    soak = load("soak")
    noisy = [100e6 + (n % 2) * 1e6 for n in range(100)]
    growing = [100e6 + n * 1e6 for n in range(100)]
    for values, grows in ((noisy, False), (growing, True)):
        first, last = soak.thirds(samples(values), "rss")
        assert (last - first > soak.allowed("rss", first)) is grows
    assert soak.slope_per_hour(samples(growing), "rss") == pytest.approx(3600e6)


def test_the_faults_of_a_soak_come_in_their_shares(load) -> None:
    faulty = load("faulty_server")
    state = faulty.State(seed=1)
    for _ in range(20_000):
        state.next()
    for kind, share in faulty.SHARES.items():
        assert state.sent[kind] == pytest.approx(20_000 * share, rel=0.5, abs=8)
    assert state.sent["ok"] == pytest.approx(20_000 * (1 - sum(faulty.SHARES.values())), rel=0.02)


def test_two_saves_at_once_lose_no_section(load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = load("results")
    for name, path in (("DATA", tmp_path / "results.json"), ("PAGE", tmp_path / "RESULTS.md"), ("GUIDES", ())):
        monkeypatch.setattr(results, name, path)
    measured = {"date": "today", "python": "P", "machine": "M", "packages": {}, "load": 0.0}
    second = threading.Thread(target=results.save, args=("startup", {}, measured))
    read = results.load

    def reads_while_another_saves() -> dict[str, object]:
        found = read()
        monkeypatch.setattr(results, "load", read)
        second.start()
        second.join(0.2)  # enough to be done if nothing held it up
        return found

    monkeypatch.setattr(results, "load", reads_while_another_saves)
    results.save("conversion", {}, measured)
    second.join(60)
    assert set(read()) == {"conversion", "startup"}


def test_a_section_replaces_itself_and_leaves_the_others(load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = load("results")
    page, guide = tmp_path / "RESULTS.md", tmp_path / "performance.md"
    guide.write_text("before\n<!-- begin: conversion -->\nold\n<!-- end: conversion -->\nafter\n")
    for name, path in (("DATA", tmp_path / "results.json"), ("PAGE", page), ("GUIDES", (guide,))):
        monkeypatch.setattr(results, name, path)
    measured = {"date": "today", "python": "P", "machine": "M", "packages": {"a": "1"}, "load": 0.0}
    data = {
        "tasks": 10, "command": [{"run_cpu_s": 10.0, "tell_cpu_s": 1.0}],
        "library": [{"convert_cpu_s": 0.1, "decide_cpu_s": 0.1}],
    }  # fmt: skip
    results.save("conversion", data, measured)
    first = page.read_text()
    results.save("conversion", data, measured)
    assert page.read_text() == first
    assert "2.00%" in first
    assert "10.00%" in first
    assert "**missed**" in first  # 10 % of the run's CPU is more than the goal
    assert set(json.loads((tmp_path / "results.json").read_text())) == {"conversion"}
    assert guide.read_text().startswith("before\n<!-- begin: conversion -->\n")
    assert "old" not in guide.read_text()
    assert guide.read_text().endswith("<!-- end: conversion -->\nafter\n")


def test_a_start_is_timed_with_byte_code_wherever_it_is_timed(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    environment = load("startup").environment(str(tmp_path))
    subprocess.run([sys.executable, "-c", "import sharpen"], env=environment, check=True)
    assert list(tmp_path.rglob("sharpen/about.*.pyc"))
