"""The public names, fields, bounds and defaults of the contract: who changes one of them has to change it here too."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import subprocess
import sys
from typing import Any

import pytest

import sharpen

PUBLIC = [
    "ExecutorService",
    "Experiment",
    "ExperimentBook",
    "OptimizationConfig",
    "OptimizationResult",
    "OptimizerService",
    "Outcome",
    "Prompt",
    "PromptAnalysis",
    "RunExecutionResult",
    "RunManifest",
    "ScoringRules",
    "TestExecutionReport",
    "VersionManager",
    "__version__",
    "analyze_prompt",
    "extract_prompt_from_workflow",
]

PATHS = [
    "sharpen.config.models.RunManifest",
    "sharpen.executor.executor_service.ExecutorService",
    "sharpen.executor.models.RunExecutionResult",
    "sharpen.executor.models.RunStatistics",
    "sharpen.executor.models.TaskResult",
    "sharpen.executor.models.TaskStatus",
    "sharpen.experiments.book.ExperimentBook",
    "sharpen.experiments.experiment.Experiment",
    "sharpen.experiments.outcomes.Outcome",
    "sharpen.optimizer.models.ErrorDistribution",
    "sharpen.optimizer.models.OptimizationConfig",
    "sharpen.optimizer.models.OptimizationResult",
    "sharpen.optimizer.models.Prompt",
    "sharpen.optimizer.models.PromptAnalysis",
    "sharpen.optimizer.models.TestExecutionReport",
    "sharpen.optimizer.optimizer_service.OptimizerService",
    "sharpen.optimizer.optimizer_service.analyze_prompt",
    "sharpen.optimizer.optimizer_service.extract_prompt_from_workflow",
    "sharpen.optimizer.scoring_rules.ScoringRules",
    "sharpen.versions.version_manager.VersionManager",
]

# fields that the contract names; a model may have more
FIELDS = {
    "sharpen.optimizer.models.ErrorDistribution": "timeout_errors api_errors validation_errors llm_errors total_errors",
    "sharpen.optimizer.models.TestExecutionReport": (
        "workflow_id run_id total_tests successful_tests failed_tests success_rate avg_response_time_ms "
        "p95_response_time_ms p99_response_time_ms total_tokens avg_tokens_per_request total_cost cost_per_request "
        "error_distribution executed_at metadata"
    ),
    "sharpen.executor.models.RunStatistics": (
        "total_tasks completed_tasks succeeded_tasks failed_tasks timeout_tasks error_tasks cancelled_tasks "
        "success_rate avg_execution_time total_tokens total_cost total_retries"
    ),
    "sharpen.executor.models.RunExecutionResult": ("run_id workflow_id started_at finished_at statistics task_results"),
    "sharpen.executor.models.TaskResult": (
        "task_id case_id status execution_time attempts prompt_tokens completion_tokens total_tokens cost output "
        "assertion_results error"
    ),
    "sharpen.optimizer.models.PromptAnalysis": "prompt_id overall_score clarity_score efficiency_score issues",
    "sharpen.optimizer.models.OptimizationResult": "improvement_score confidence optimized_prompt changes strategy",
}

RULES = {
    "optimization_threshold": 80.0,
    "critical_issue_threshold": 1,
    "clarity_efficiency_gap": 10.0,
    "low_score_threshold": 70.0,
    "min_confidence": 0.6,
    "high_confidence": 0.8,
    "major_version_min_improvement": 15.0,
    "minor_version_min_improvement": 5.0,
    "min_success_rate": 0.8,
    "max_acceptable_latency_ms": 5000.0,
    "max_cost_per_request": 0.1,
    "max_timeout_error_rate": 0.05,
    "max_tokens_per_request": None,
}


def found(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def test_the_public_names_are_these() -> None:
    assert sorted(sharpen.__all__) == sorted(PUBLIC)
    assert set(PUBLIC) <= set(dir(sharpen))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_exists_and_is_the_contract_s(name: str) -> None:
    homes = [path for path in PATHS if path.endswith(f".{name}")]
    assert name == "__version__" or getattr(sharpen, name) is found(homes[0])


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'sharpen' has no attribute 'Optimiser'"):
        _ = sharpen.Optimiser  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", PATHS)
def test_import_paths(path: str) -> None:
    assert found(path).__name__ == path.rpartition(".")[2]


@pytest.mark.parametrize("path", FIELDS)
def test_fields(path: str) -> None:
    model = found(path)
    assert set(FIELDS[path].split()) <= set(model.model_fields)
    assert model.model_config["extra"] == "forbid"


def test_task_statuses() -> None:
    names = ["pending", "running", "succeeded", "failed", "timeout", "error", "cancelled"]
    assert [status.value for status in found("sharpen.executor.models.TaskStatus")] == names


def test_the_rules_are_a_dataclass_with_the_contract_s_defaults() -> None:
    rules = sharpen.ScoringRules
    assert {field.name: field.default for field in dataclasses.fields(rules)} == RULES
    assert rules(**{name: value for name, value in RULES.items() if value is not None}) == rules()


def test_defaults_of_the_report() -> None:
    report = found("sharpen.optimizer.models.TestExecutionReport")
    required = {name for name, field in report.model_fields.items() if field.is_required()}
    assert required.isdisjoint({"p95_response_time_ms", "p99_response_time_ms", "error_distribution", "executed_at"})
    assert {"workflow_id", "run_id", "total_tests", "success_rate"} <= required
    assert list(report.model_fields) == FIELDS["sharpen.optimizer.models.TestExecutionReport"].split()
    assert report.model_config["validate_assignment"] is True
    assert report.__test__ is False


@pytest.mark.parametrize(
    ("path", "method", "parameters"),
    [
        ("config.models.RunManifest", "from_yaml", "path"),
        ("executor.executor_service.ExecutorService", "execute_test_plan", "manifest"),
        ("executor.scheduler.Scheduler", "run_manifest", "manifest"),
        ("optimizer.models.TestExecutionReport", "from_executor_result", "result"),
        ("optimizer.models.TestExecutionReport", "has_timeout_errors", ""),
        ("optimizer.models.TestExecutionReport", "has_api_errors", ""),
        ("optimizer.models.TestExecutionReport", "get_error_rate", ""),
        ("optimizer.scoring_rules.ScoringRules", "should_optimize", "analysis test_results baseline_metrics config"),
        ("optimizer.scoring_rules.ScoringRules", "decide", "analysis test_results baseline_metrics config"),
        ("optimizer.scoring_rules.ScoringRules", "select_strategy", "analysis test_results"),
        ("optimizer.scoring_rules.ScoringRules", "version_bump_type", "improvement"),
        (
            "optimizer.optimizer_service.OptimizerService",
            "run_optimization_cycle",
            "workflow_id prompt test_results baseline_metrics config",
        ),
        ("optimizer.optimizer_service.OptimizerService", "optimize", "prompt strategy"),
        ("versions.version_manager.VersionManager", "create", "workflow_id prompt"),
        ("versions.version_manager.VersionManager", "get", "workflow_id"),
        ("versions.version_manager.VersionManager", "list", "workflow_id"),
        ("versions.version_manager.VersionManager", "latest", "workflow_id"),
        ("versions.version_manager.VersionManager", "compare", "workflow_id"),
        ("versions.version_manager.VersionManager", "rollback", "workflow_id"),
        ("versions.version_manager.VersionManager", "tag", "workflow_id"),
    ],
)
def test_methods_take_these_parameters_first(path: str, method: str, parameters: str) -> None:
    signature = inspect.signature(getattr(found(f"sharpen.{path}"), method))
    names = [name for name in signature.parameters if name != "self"]
    assert names[: len(parameters.split())] == parameters.split()


def test_the_scheduler_is_reached_through_the_service() -> None:
    assert isinstance(sharpen.ExecutorService().scheduler, found("sharpen.executor.scheduler.Scheduler"))


def test_importing_sharpen_loads_no_heavy_library() -> None:
    heavy = ("jinja2", "scipy", "sqlalchemy", "aiohttp", "jsonschema", "rapidfuzz", "rich", "genai_prices", "pydantic")
    script = f"import sys, sharpen; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_help_loads_no_heavy_library() -> None:
    heavy = ("jinja2", "scipy", "sqlalchemy", "aiohttp", "jsonschema", "rapidfuzz", "genai_prices", "yaml")
    script = (
        "import sys\nfrom sharpen.cli.main import main\nsys.argv = ['sharpen', '--help']\ntry:\n    main()\n"
        f"except SystemExit:\n    print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stderr == "[]\n"
