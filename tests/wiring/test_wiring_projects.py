"""``init``: the starter files, and what may stand in their way."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharpen.errors import UserError
from sharpen.wiring import init_project, load_plan
from sharpen.wiring.projects import STARTER_FILES


def test_the_starter_is_a_plan_without_a_warning(tmp_path: Path) -> None:
    paths = init_project(tmp_path / "new" / "project")
    assert [path.name for path in paths] == list(STARTER_FILES)
    plan = load_plan(paths[0])
    assert len(plan.cases) >= 14  # fewer could not be optimized
    assert plan.warnings == ()


@pytest.mark.parametrize("name", STARTER_FILES)
def test_nothing_is_overwritten_and_nothing_is_half_written(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine", "utf-8")
    with pytest.raises(UserError, match=f"'.*{name}' would be overwritten"):
        init_project(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text("utf-8") == "mine"


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", "utf-8")
    with pytest.raises(UserError, match="it is a file; expected a directory"):
        init_project(tmp_path / "taken")
    with pytest.raises(UserError, match="cannot write to"):
        init_project(tmp_path / "taken" / "below")
