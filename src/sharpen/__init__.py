"""sharpen: test-driven prompt optimization.

The public names, nothing else. They are imported on first use, so that ``import sharpen`` stays fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sharpen.about import __version__ as __version__

if TYPE_CHECKING:
    from sharpen.config.models import RunManifest as RunManifest
    from sharpen.executor.executor_service import ExecutorService as ExecutorService
    from sharpen.executor.models import RunExecutionResult as RunExecutionResult
    from sharpen.experiments.book import ExperimentBook as ExperimentBook
    from sharpen.experiments.experiment import Experiment as Experiment
    from sharpen.experiments.outcomes import Outcome as Outcome
    from sharpen.optimizer.models import OptimizationConfig as OptimizationConfig
    from sharpen.optimizer.models import OptimizationResult as OptimizationResult
    from sharpen.optimizer.models import Prompt as Prompt
    from sharpen.optimizer.models import PromptAnalysis as PromptAnalysis
    from sharpen.optimizer.models import TestExecutionReport as TestExecutionReport
    from sharpen.optimizer.optimizer_service import OptimizerService as OptimizerService
    from sharpen.optimizer.optimizer_service import analyze_prompt as analyze_prompt
    from sharpen.optimizer.optimizer_service import extract_prompt_from_workflow as extract_prompt_from_workflow
    from sharpen.optimizer.scoring_rules import ScoringRules as ScoringRules
    from sharpen.versions.version_manager import VersionManager as VersionManager

_HOME = {
    "RunManifest": "sharpen.config.models",
    "ExecutorService": "sharpen.executor.executor_service",
    "RunExecutionResult": "sharpen.executor.models",
    "Experiment": "sharpen.experiments.experiment",
    "ExperimentBook": "sharpen.experiments.book",
    "Outcome": "sharpen.experiments.outcomes",
    "OptimizationConfig": "sharpen.optimizer.models",
    "OptimizationResult": "sharpen.optimizer.models",
    "Prompt": "sharpen.optimizer.models",
    "PromptAnalysis": "sharpen.optimizer.models",
    "TestExecutionReport": "sharpen.optimizer.models",
    "OptimizerService": "sharpen.optimizer.optimizer_service",
    "analyze_prompt": "sharpen.optimizer.optimizer_service",
    "extract_prompt_from_workflow": "sharpen.optimizer.optimizer_service",
    "ScoringRules": "sharpen.optimizer.scoring_rules",
    "VersionManager": "sharpen.versions.version_manager",
}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'sharpen' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
