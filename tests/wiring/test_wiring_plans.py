"""Plans as commands load them: everything they name is looked for, nothing is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sharpen.config.targets import OpenAITarget, PythonTarget, ScriptedTarget
from sharpen.errors import PlanError
from sharpen.wiring import estimates, load_plan, plan_path, run_plan
from sharpen.wiring.plans import price_of

PLAN: dict[str, Any] = {
    "workflow_id": "w",
    "prompt": {"user": "Which queue? {{ message }}"},
    "target": {"kind": "scripted", "default": {"output": "billing"}},
    "dataset": [{"id": "a", "vars": {"message": "hello"}, "expected": "billing"}],
    "assertions": [{"type": "equals", "value": "{{ expected }}"}],
}


def write(directory: Path, **keys: Any) -> Path:
    path = directory / "plan.yaml"
    path.write_text(yaml.safe_dump(PLAN | keys), "utf-8")
    return path


def complaints(path: Path) -> list[tuple[str, str]]:
    with pytest.raises(PlanError) as caught:
        load_plan(path, thorough=True)
    return [(problem.key, problem.message) for problem in caught.value.problems]


def test_a_plan_or_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert plan_path("plan.yaml") == Path("plan.yaml")
    assert plan_path("run-20260101-000000-abcdef") is None
    Path("plan").write_text("", "utf-8")
    assert plan_path("plan") == Path("plan")


def test_what_is_wrong_with_strategies_names_the_line_of_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, optimize={"strategies": ["auto", "clarity", "rewrite"]})
    with pytest.raises(PlanError) as caught:
        load_plan(path)
    assert [problem.where for problem in caught.value.problems] == ["plan.yaml:10", "plan.yaml:10"]
    assert "unknown strategy 'clarity'; did you mean 'clarity_focus'?" in str(caught.value)
    assert "add optimize.rewriter" in str(caught.value)


def test_a_check_finds_what_a_run_would_miss(tmp_path: Path) -> None:
    judge = {"kind": "scripted", "file": "gone.jsonl"}
    path = write(
        tmp_path,
        target={"kind": "python", "function": "no_such_module:answer"},
        assertions=[
            {"type": "python", "value": "no_such_module:check"},
            {"type": "is-json", "value": {"type": "objekt"}},
            {"type": "llm-rubric", "value": "is polite", "judge": judge},
        ],
        optimize={"rewriter": {"kind": "no_such_module:Target"}},
    )
    assert [key for key, _ in complaints(path)] == [
        "assertions.0.value",
        "assertions.1.value",
        "target.function",
        "optimize.rewriter.kind",
        "assertions.2.judge.file",
    ]


def test_a_check_looks_at_the_assertions_of_single_cases(tmp_path: Path) -> None:
    case = {
        "id": "b",
        "vars": {"message": "x"},
        "expected": "y",
        "assertions": [{"type": "python", "value": "no_such_module:check"}],
    }
    path = write(tmp_path, dataset=[*PLAN["dataset"], case])
    ((key, message),) = complaints(path)
    assert key == "assertions.0.value"
    assert "cannot import 'no_such_module'" in message


def test_a_model_file_that_is_missing_is_a_mistake_of_the_plan(tmp_path: Path) -> None:
    path = write(tmp_path, target={"kind": "local", "model": "small.gguf"})
    ((key, message),) = complaints(path)
    assert key == "target.model"
    assert message.startswith(f"cannot read '{tmp_path}/small.gguf'")


def test_what_the_environment_lacks_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, target={"kind": "openai", "model": "m", "api_key_env": "MY_KEY"})
    _, warnings = estimates(load_plan(path))
    assert [warning.key for warning in warnings] == ["target"]
    assert "MY_KEY is not set" in warnings[0].message
    monkeypatch.setenv("MY_KEY", "sk-0123456789")
    assert estimates(load_plan(path))[1] == ()


def test_a_check_calls_nothing(tmp_path: Path) -> None:
    (tmp_path / "loud_target.py").write_text("def answer(request):\n    raise SystemExit('called')\n", "utf-8")
    path = write(tmp_path, target={"kind": "python", "function": "loud_target:answer"})
    estimate, _ = estimates(load_plan(path))
    assert estimate.calls == 1


def test_prices() -> None:
    one = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}
    own = price_of(OpenAITarget.model_validate({"kind": "openai", "model": "no-such-model", "price": one}))
    assert own is not None
    assert (own.input_usd_per_mtok, own.output_usd_per_mtok) == (1, 2)
    assert price_of(OpenAITarget.model_validate({"kind": "openai", "model": "no-such-model"})) is None
    free = price_of(ScriptedTarget())
    assert free is not None
    assert free.input_usd_per_mtok == 0
    assert price_of(PythonTarget.model_validate({"kind": "python", "function": "a:b"})) is None


def test_a_run_needs_no_store(tmp_path: Path) -> None:
    story = run_plan(load_plan(write(tmp_path)))
    assert story.report.success_rate == 1
    assert not (tmp_path / ".sharpen").exists()


def test_one_round_tells_mistakes_of_every_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(
        tmp_path,
        prompt={"user": "{{ mesage }}"},
        execution={"concurency": 3},
        optimize={"strategies": ["clarity"]},
    )
    with pytest.raises(PlanError) as caught:
        load_plan(path)
    text = str(caught.value)
    assert "concurency" in text
    assert "'mesage'" in text
    assert "unknown strategy 'clarity'" in text
    assert len(caught.value.problems) == 3
    assert all(":" in problem.where for problem in caught.value.problems)
