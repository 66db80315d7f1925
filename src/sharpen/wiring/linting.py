"""``lint``: prompt files and plans through the static analysis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sharpen.config.prompt_files import read_prompt
from sharpen.errors import UserError
from sharpen.optimizer.analysis.explain import explain as explain_rule
from sharpen.optimizer.analysis.fixes import apply_fixes
from sharpen.optimizer.analysis.locate import locate
from sharpen.optimizer.analysis.output import render
from sharpen.optimizer.models import Prompt, PromptAnalysis, Severity
from sharpen.optimizer.optimizer_service import analyze_prompt
from sharpen.pipeline import analyze_plan, prompt_of
from sharpen.wiring.plans import PLAN_SUFFIXES, load_plan

__all__ = ["explain_rule", "lint_files"]


def lint_files(
    files: Sequence[Path], form: str, fix: bool = False, overrides: Sequence[str] | None = None
) -> tuple[str, bool]:
    """Findings as ``form`` (text, json, sarif), and whether none is a warning or worse.

    A plan is linted with what it knows: assertions, columns, cases (``overrides`` are of its keys). ``fix`` mends
    prompt files in place first; where the prompt of a plan stands, the plan alone knows, so a plan cannot be mended.
    """
    if overrides and not any(path.suffix in PLAN_SUFFIXES for path in files):
        raise UserError(f"--set {overrides[0]} overrides a key of a plan, and no plan is given; expected a plan's file")
    linted = [(str(path), _lint(path, fix, overrides)) for path in files]
    worst = [issue.severity for _, analysis in linted for issue in analysis.issues]
    return render(form, linted), all(severity is Severity.INFO for severity in worst)


def _lint(path: Path, fix: bool, overrides: Sequence[str] | None) -> PromptAnalysis:
    if path.suffix in PLAN_SUFFIXES:
        if fix:
            raise UserError(f"--fix mends prompt files, and {str(path)!r} is a plan; expected the prompt's own file")
        plan = load_plan(path, overrides)
        return locate(analyze_plan(plan.manifest, plan.sample), prompt_of(plan.manifest), path.read_text("utf-8"))
    prompt = Prompt.of(read_prompt(path).template(), id=path.stem)
    if fix:
        prompt = _mend(path, prompt)
    return locate(analyze_prompt(prompt), prompt, path.read_text("utf-8"))


def _mend(path: Path, prompt: Prompt) -> Prompt:
    """Apply safe fixes until none is left, in the prompt and in its file."""
    text = path.read_text("utf-8")
    mended = prompt
    while (after := apply_fixes(mended, analyze_prompt(mended).issues)) != mended:
        mended = after
    for before, new in zip(prompt.messages, mended.messages, strict=True):
        text = text.replace(before.content, new.content, 1)
    if mended != prompt:
        path.write_text(text, "utf-8")
    return mended
