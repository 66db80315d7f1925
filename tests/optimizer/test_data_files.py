"""The data that ships with the optimizer reads the same on every machine."""

from pathlib import Path

import pytest
import yaml

import sharpen.optimizer
from sharpen.optimizer.data_files import read_data

FILES = sorted(Path(sharpen.optimizer.__file__).parent.glob("*/data/*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_with_and_without_libyaml(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = read_data(path.parts[-3], path.stem)
    assert read
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert read_data(path.parts[-3], path.stem) == read
