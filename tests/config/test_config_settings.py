"""Environment, keys, default places, plans by workflow."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharpen.config.settings import api_key, find_plan, store_url
from sharpen.config.targets import OpenAITarget
from sharpen.errors import PlanError, UnknownNameError, UserError

LOCAL = "http://127.0.0.1:1/v1"


def plan(workflow_id: str) -> str:
    return f"workflow_id: {workflow_id}\nprompt: {{user: hi}}\ntarget: {{kind: scripted}}\ndataset: [{{vars: {{}}}}]\n"


def test_store_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    default = f"sqlite:///{tmp_path}/.sharpen/sharpen.db"
    assert store_url(tmp_path, environ={}) == default
    assert store_url(tmp_path, environ={"SHARPEN_STORE": ""}) == default
    assert store_url(tmp_path, environ={"SHARPEN_STORE": "sqlite:///e"}) == "sqlite:///e"
    assert store_url(tmp_path, "sqlite:///o", environ={"SHARPEN_STORE": "sqlite:///e"}) == "sqlite:///o"
    monkeypatch.setenv("SHARPEN_STORE", "sqlite:///real")
    assert store_url(tmp_path) == "sqlite:///real"


def test_a_named_key() -> None:
    target = OpenAITarget(model="m", api_key_env="MY_KEY", base_url=LOCAL)
    found = api_key(target, {"MY_KEY": " sk-s3cret\n", "OPENAI_API_KEY": "other"})
    assert found is not None
    assert found.get_secret_value() == "sk-s3cret"
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(("environ", "state"), [({}, "is not set"), ({"MY_KEY": " "}, "is empty")])
def test_a_named_key_must_be_there(environ: dict[str, str], state: str) -> None:
    target = OpenAITarget(model="m", api_key_env="MY_KEY", base_url=LOCAL)
    with pytest.raises(UserError) as caught:
        api_key(target, environ)
    assert str(caught.value) == (
        f"the environment variable MY_KEY {state}, and target.api_key_env names it; set it: export MY_KEY=<your key>"
    )


def test_the_default_key() -> None:
    assert api_key(OpenAITarget(model="m", base_url=LOCAL), {}) is None
    found = api_key(OpenAITarget(model="m", base_url=LOCAL), {"OPENAI_API_KEY": "k"})
    assert found is not None
    assert found.get_secret_value() == "k"
    with pytest.raises(UserError, match=r"OPENAI_API_KEY is not set, and https://api\.openai\.com/v1 needs a key"):
        api_key(OpenAITarget(model="m"), {})


@pytest.mark.parametrize("key", ["sk-s3 cret", "sk-s3\ncret", "sk-s3crét"])
def test_what_no_key_is(key: str) -> None:
    with pytest.raises(UserError, match=r"OPENAI_API_KEY holds characters that no API key has \(value not shown\)"):
        api_key(OpenAITarget(model="m"), {"OPENAI_API_KEY": key})


def test_find_plan(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(plan("one"))
    (tmp_path / "b.yml").write_text(plan("two"))
    (tmp_path / "c.json").write_text('{"workflow_id": 5}')
    (tmp_path / "d.json").write_text('{"workflow_id": ')
    (tmp_path / "e.yaml").write_text("- workflow_id\n")
    (tmp_path / "f.txt").write_text(plan("two"))
    (tmp_path / "g.yaml").mkdir()
    assert find_plan("two", tmp_path).source == tmp_path / "b.yml"
    with pytest.raises(UnknownNameError, match=r"unknown workflow .* 'tow'; did you mean 'two'\?"):
        find_plan("tow", tmp_path)
    (tmp_path / "z.yaml").write_text(plan("two"))
    with pytest.raises(UserError, match=r"workflow 'two' has several plans in .*: b\.yml, z\.yaml; expected one"):
        find_plan("two", tmp_path)


def test_find_plan_tells_its_mistakes(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(plan("one") + "colour: red\n")
    with pytest.raises(PlanError, match="unknown key 'colour'"):
        find_plan("one", tmp_path)


def test_find_plan_nowhere(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="none is known"):
        find_plan("one", tmp_path / "none")
