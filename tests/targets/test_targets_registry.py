"""From a plan to a target, and targets of one's own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sharpen.config.targets import TARGET_KINDS, OpenAITarget, PluginTarget
from sharpen.errors import PlanError, UnknownNameError
from sharpen.targets.base import Failure, Target, TargetRequest, TargetResponse
from sharpen.targets.exceptions import failure_of
from sharpen.targets.registry import TARGETS, build_target

PLUGIN = """
from sharpen.targets.base import Target, TargetResponse
from sharpen.targets.exceptions import failure_of

class Shout(Target):
    def __init__(self, mark="!"): self.mark = mark
    async def invoke(self, request): return TargetResponse(request.text.upper() + self.mark)
    def classify(self, exception): return failure_of(exception)
    def identity(self): return {"kind": "shout", "mark": self.mark}

class Half(Target):
    async def invoke(self, request): return TargetResponse("")

class Fussy(Shout):
    def __init__(self): raise ValueError("no such device")

def factory(mark): return Shout(mark)
def wrong(): return "a text"
value = 3
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    name = f"plugins_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(PLUGIN)
    return name


def test_every_kind_of_a_plan_has_a_class() -> None:
    assert set(TARGETS) == set(TARGET_KINDS)


def test_an_unknown_kind_names_those_there_are() -> None:
    config = OpenAITarget(model="m").model_copy(update={"kind": "opnai"})
    with pytest.raises(UnknownNameError, match="unknown target kind 'opnai'; did you mean 'openai'"):
        build_target(config)


@pytest.mark.parametrize("name", ["Shout", "factory"])
async def test_a_target_of_ones_own(plugins: str, name: str) -> None:
    async with build_target(PluginTarget(kind=f"{plugins}:{name}", options={"mark": "?"})) as target:
        assert (await target.invoke(TargetRequest(()))).output == "?"


@pytest.mark.parametrize(
    ("name", "options", "part"),
    [
        ("Nothing", {}, "target.kind: "),
        ("value", {}, "is a int; expected a subclass of Target"),
        ("wrong", {}, "makes a str; expected a subclass of sharpen.targets.base.Target"),
        ("Shout", {"volume": 3}, "unexpected keyword argument 'volume'; expected options its constructor takes"),
        ("Half", {}, "abstract"),
        ("Fussy", {}, "ValueError: no such device"),
    ],
)
def test_a_target_that_cannot_be_built(plugins: str, name: str, options: Mapping[str, Any], part: str) -> None:
    with pytest.raises(PlanError) as caught:
        build_target(PluginTarget(kind=f"{plugins}:{name}", options=dict(options)))
    assert part in str(caught.value)


def test_a_module_that_does_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(PlanError, match=r"target\.kind: cannot import 'no_such_module'"):
        build_target(PluginTarget(kind="no_such_module:X"), tmp_path)


def test_nothing_heavy_is_imported_before_it_is_built() -> None:
    heavy = "{'aiohttp', 'genai_prices', 'xllamacpp'}"
    program = f"import sys, sharpen.targets.registry; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class _Minimal(Target):
    async def invoke(self, request: TargetRequest) -> TargetResponse:
        return TargetResponse("ok")

    def classify(self, exception: BaseException) -> Failure:
        return failure_of(exception)

    def identity(self) -> Mapping[str, Any]:
        return {"kind": "minimal"}


async def test_opening_and_closing_need_not_be_written() -> None:
    async with _Minimal() as target:
        assert (await target.invoke(TargetRequest(()))).output == "ok"
        assert target.max_concurrency is None
