"""``module:name`` → the user's own code."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sharpen.config.references import load_reference
from sharpen.errors import PlanError


@pytest.fixture
def plan_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "own_checks_7f3a.py").write_text(
        "class Tone:\n    @staticmethod\n    def kind(): return 'kind'\n_hidden = 1\n"
    )
    (tmp_path / "broken_checks_7f3a.py").write_text("raise RuntimeError('no such luck')\n")
    yield tmp_path
    for name in ("own_checks_7f3a", "broken_checks_7f3a"):
        sys.modules.pop(name, None)


def test_found_beside_the_plan(plan_dir: Path) -> None:
    assert load_reference("own_checks_7f3a:Tone.kind", plan_dir)() == "kind"


def test_found_where_it_is_installed() -> None:
    assert load_reference("pathlib:Path") is Path


def test_no_module(plan_dir: Path) -> None:
    with pytest.raises(
        PlanError, match=r"target.kind: cannot import 'none_7f3a': .* beside the plan \(.*\) or installed"
    ):
        load_reference("none_7f3a:X", plan_dir, key="target.kind")


def test_a_module_that_breaks(plan_dir: Path) -> None:
    with pytest.raises(PlanError, match="cannot import 'broken_checks_7f3a': RuntimeError: no such luck"):
        load_reference("broken_checks_7f3a:X", plan_dir)


def test_no_such_name(plan_dir: Path) -> None:
    with pytest.raises(PlanError, match="'own_checks_7f3a' has no 'Tune'; expected one of: Tone"):
        load_reference("own_checks_7f3a:Tune", plan_dir)
