"""The composition root: the only place that builds concrete things. One file for each group of commands.

The names below are what the command line calls, and what a program calls that wants the whole loop and not its parts.
They are imported on first use: a command loads what it needs and nothing else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sharpen.wiring.ab_options import plan_ab as plan_ab
    from sharpen.wiring.ab_reports import ab_exit_code as ab_exit_code
    from sharpen.wiring.ab_running import ab_plan as ab_plan
    from sharpen.wiring.ab_running import resume_ab as resume_ab
    from sharpen.wiring.comparing import compare_runs as compare_runs
    from sharpen.wiring.comparing import flakiness_of_run as flakiness_of_run
    from sharpen.wiring.experiment_files import begin_experiment as begin_experiment
    from sharpen.wiring.experiment_files import checked_outcomes as checked_outcomes
    from sharpen.wiring.experiment_files import experiment_book as experiment_book
    from sharpen.wiring.experiment_files import load_experiment as load_experiment
    from sharpen.wiring.failures import stored_patterns as stored_patterns
    from sharpen.wiring.histories import workflow_history as workflow_history
    from sharpen.wiring.linting import explain_rule as explain_rule
    from sharpen.wiring.linting import lint_files as lint_files
    from sharpen.wiring.listing import list_runs as list_runs
    from sharpen.wiring.optimizing import finished_optimization as finished_optimization
    from sharpen.wiring.optimizing import optimize_exit_code as optimize_exit_code
    from sharpen.wiring.optimizing import optimize_plan as optimize_plan
    from sharpen.wiring.optimizing import resume_optimization as resume_optimization
    from sharpen.wiring.plans import LoadedPlan as LoadedPlan
    from sharpen.wiring.plans import estimates as estimates
    from sharpen.wiring.plans import load_plan as load_plan
    from sharpen.wiring.plans import plan_path as plan_path
    from sharpen.wiring.projects import init_project as init_project
    from sharpen.wiring.queries import DecidedStory as DecidedStory
    from sharpen.wiring.queries import decide as decide
    from sharpen.wiring.queries import export_run as export_run
    from sharpen.wiring.queries import load_story as load_story
    from sharpen.wiring.queries import stored_cases as stored_cases
    from sharpen.wiring.recommending import advise as advise
    from sharpen.wiring.resuming import Resumable as Resumable
    from sharpen.wiring.resuming import goes_on as goes_on
    from sharpen.wiring.resuming import identify as identify
    from sharpen.wiring.resuming import larger_budget as larger_budget
    from sharpen.wiring.resuming import resumables as resumables
    from sharpen.wiring.running import abort_message as abort_message
    from sharpen.wiring.running import exit_code as exit_code
    from sharpen.wiring.running import find_optimization as find_optimization
    from sharpen.wiring.running import inputs_of as inputs_of
    from sharpen.wiring.running import resume_run as resume_run
    from sharpen.wiring.running import run_plan as run_plan
    from sharpen.wiring.stores import alias_story as alias_story
    from sharpen.wiring.stores import create_store as create_store
    from sharpen.wiring.stores import find_store as find_store
    from sharpen.wiring.stores import list_versions as list_versions
    from sharpen.wiring.stores import open_store as open_store
    from sharpen.wiring.stores import store_option as store_option
    from sharpen.wiring.stores import version_manager as version_manager
    from sharpen.wiring.stores import version_names as version_names
    from sharpen.wiring.storing import check_store as check_store
    from sharpen.wiring.storing import copy_store as copy_store
    from sharpen.wiring.storing import prune_store as prune_store
    from sharpen.wiring.storing import upgrade_store as upgrade_store
    from sharpen.wiring.storing import vacuum_store as vacuum_store
    from sharpen.wiring.version_files import create_version as create_version
    from sharpen.wiring.version_files import export_versions as export_versions
    from sharpen.wiring.version_files import import_versions as import_versions

_NAMES = {
    "ab_options": ("plan_ab",),
    "ab_reports": ("ab_exit_code",),
    "ab_running": ("ab_plan", "resume_ab"),
    "comparing": ("compare_runs", "flakiness_of_run"),
    "experiment_files": ("begin_experiment", "checked_outcomes", "experiment_book", "load_experiment"),
    "failures": ("stored_patterns",),
    "histories": ("workflow_history",),
    "linting": ("explain_rule", "lint_files"),
    "listing": ("list_runs",),
    "optimizing": ("finished_optimization", "optimize_exit_code", "optimize_plan", "resume_optimization"),
    "plans": ("LoadedPlan", "estimates", "load_plan", "plan_path"),
    "projects": ("init_project",),
    "queries": ("DecidedStory", "decide", "export_run", "load_story", "stored_cases"),
    "recommending": ("advise",),
    "resuming": ("Resumable", "goes_on", "identify", "larger_budget", "resumables"),
    "running": ("abort_message", "exit_code", "find_optimization", "inputs_of", "resume_run", "run_plan"),
    "stores": (
        "alias_story", "create_store", "find_store", "list_versions", "open_store", "store_option", "version_manager",
        "version_names",
    ),
    "storing": ("check_store", "copy_store", "prune_store", "upgrade_store", "vacuum_store"),
    "version_files": ("create_version", "export_versions", "import_versions"),
}  # fmt: skip
_HOME = {name: f"sharpen.wiring.{module}" for module, names in _NAMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'sharpen.wiring' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
