"""Public names and binding numbers: what users program against does not change by accident."""

import importlib
import inspect
import subprocess
import sys

import pytest

import sharpen
from sharpen.optimizer.models import ErrorDistribution, TestExecutionReport
from sharpen.optimizer.scoring_rules import ScoringRules

PUBLIC = {
    "__version__", "ExecutorService", "OptimizationConfig", "OptimizationResult", "OptimizerService", "Prompt",
    "PromptAnalysis", "RunExecutionResult", "RunManifest", "ScoringRules", "TestExecutionReport", "VersionManager",
    "analyze_prompt", "extract_prompt_from_workflow",
}  # fmt: skip

CONTRACT = {
    "sharpen.config.models": ["RunManifest"],
    "sharpen.executor.executor_service": ["ExecutorService"],
    "sharpen.executor.models": ["RunExecutionResult", "TaskResult", "TaskStatus", "RunStatistics"],
    "sharpen.optimizer.models": [
        "TestExecutionReport", "ErrorDistribution", "PromptAnalysis", "Prompt", "OptimizationConfig",
        "OptimizationResult",
    ],
    "sharpen.optimizer.scoring_rules": ["ScoringRules"],
    "sharpen.optimizer.optimizer_service": ["OptimizerService", "analyze_prompt", "extract_prompt_from_workflow"],
    "sharpen.versions.version_manager": ["VersionManager"],
}  # fmt: skip

THRESHOLDS = {
    "optimization_threshold": 80.0, "critical_issue_threshold": 1, "clarity_efficiency_gap": 10.0,
    "low_score_threshold": 70.0, "min_confidence": 0.6, "high_confidence": 0.8, "major_version_min_improvement": 15.0,
    "minor_version_min_improvement": 5.0, "min_success_rate": 0.8, "max_acceptable_latency_ms": 5000.0,
    "max_cost_per_request": 0.1, "max_timeout_error_rate": 0.05, "max_tokens_per_request": None,
}  # fmt: skip

REPORT_FIELDS = [
    "workflow_id", "run_id", "total_tests", "successful_tests", "failed_tests", "success_rate", "avg_response_time_ms",
    "p95_response_time_ms", "p99_response_time_ms", "total_tokens", "avg_tokens_per_request", "total_cost",
    "cost_per_request", "error_distribution", "executed_at", "metadata",
]  # fmt: skip


def test_the_package_offers_these_names_and_no_others():
    assert set(sharpen.__all__) == PUBLIC
    assert all(getattr(sharpen, name) is not None for name in PUBLIC)
    assert set(dir(sharpen)) == PUBLIC
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sharpen.nothing  # noqa: B018 - that it raises is the point


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in CONTRACT.items() for name in names])
def test_the_contracts_import_paths_exist(module, name):
    assert inspect.isclass(found := getattr(importlib.import_module(module), name)) or callable(found)


def test_the_rules_defaults_are_the_contracts():
    assert vars(ScoringRules()) == THRESHOLDS
    assert list(inspect.signature(ScoringRules).parameters) == list(THRESHOLDS)


def test_the_reports_fields_are_the_contracts():
    assert list(TestExecutionReport.model_fields) == REPORT_FIELDS
    assert list(ErrorDistribution.model_fields) == [
        "timeout_errors", "api_errors", "validation_errors", "llm_errors", "total_errors",
    ]  # fmt: skip


def test_importing_the_package_loads_nothing_heavy():
    program = (
        "import sys, sharpen; print([m for m in ('pydantic', 'aiohttp', 'sqlalchemy', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
