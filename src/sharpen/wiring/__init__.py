"""The composition root: the only place that builds concrete things. One file for each group of commands.

The names below are what the command line calls, and what a program calls that wants the whole loop and not its parts.
"""

from sharpen.wiring.linting import explain_rule, lint_files
from sharpen.wiring.optimizing import optimize_exit_code, optimize_plan
from sharpen.wiring.plans import LoadedPlan, estimates, load_plan, plan_path
from sharpen.wiring.projects import init_project
from sharpen.wiring.queries import DecidedStory, compare_runs, decide, export_run, list_runs, load_story, stored_cases
from sharpen.wiring.running import abort_message, exit_code, find_optimization, resume_run, run_plan
from sharpen.wiring.stores import find_store, list_versions, open_store, store_option, version_manager, version_names

__all__ = [
    "DecidedStory",
    "LoadedPlan",
    "abort_message",
    "compare_runs",
    "decide",
    "estimates",
    "exit_code",
    "explain_rule",
    "export_run",
    "find_optimization",
    "find_store",
    "init_project",
    "lint_files",
    "list_runs",
    "list_versions",
    "load_plan",
    "load_story",
    "open_store",
    "optimize_exit_code",
    "optimize_plan",
    "plan_path",
    "resume_run",
    "run_plan",
    "store_option",
    "stored_cases",
    "version_manager",
    "version_names",
]
