"""``--variant NAME=…``: what the variants of an A/B test are, each a plan with the same cases.

::

    A=plan                     the plan as it stands
    B=version:1.2.0            a stored version of the plan's workflow, or an alias: B=version:production, B=@production
    B=file:prompts/new.md      another prompt file
    B=model:gpt-4o-mini        another model for the same prompt
    B=set:target.params.temperature=0.2        any key of the target
    B=1.2.0, B=prompts/new.md  guessed, where it is clear

A name that is given twice has both changes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sharpen.config.overrides import parse_override
from sharpen.errors import UserError
from sharpen.experiments.experiment import NAME
from sharpen.storage.store import Store
from sharpen.versions.version_manager import LATEST, VersionManager
from sharpen.wiring.plans import LoadedPlan, load_plan

KINDS = ("version", "file", "model", "set")
FORMS = "NAME=plan, version:1.2.0, @production, file:prompts/new.md, model:NAME or set:target.KEY=VALUE"
_NAME = re.compile(NAME)
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(-draft\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Variant:
    """One variant: its plan, how it was asked for, and the version it is, if it is one and nothing else."""

    name: str
    label: str
    plan: LoadedPlan
    version: str | None = None


@dataclass(frozen=True, slots=True)
class _Change:
    kind: str
    value: str


def load_variants(
    path: Path, texts: Sequence[str], store: Store, overrides: Sequence[str] | None = None
) -> tuple[Variant, ...]:
    """The variants in the order they were named first; the first is the control.

    Raises ``UserError`` that says what would be right, ``PlanError`` for a plan that does not hold together.
    """
    asked = _parse(texts)
    found = tuple(_load(path, name, changes, store, overrides or ()) for name, changes in asked.items())
    control = found[0]
    for one in found:
        for change in asked[one.name]:
            if change.kind == "file":
                _check_variables(one, change.value, found)
    for number, one in enumerate(found):
        for earlier in found[:number]:
            if _same(earlier, one):
                raise UserError(
                    f"variants {earlier.name!r} and {one.name!r} are the same ({one.label}); nothing would differ"
                )
    return tuple(replace(one, plan=replace(one.plan, cases=control.plan.cases)) for one in found)


def _parse(texts: Sequence[str]) -> dict[str, list[_Change]]:
    asked: dict[str, list[_Change]] = {}
    for text in texts:
        name, equals, what = text.partition("=")
        name, what = name.strip(), what.strip()
        if not equals or not what:
            raise UserError(f"--variant {text!r} is no variant; expected {FORMS}")
        if not _NAME.fullmatch(name):
            raise UserError(
                f"--variant {text!r}: {name!r} is no valid name; expected letters, digits, '.', '_' or '-', as in 'B'"
            )
        asked.setdefault(name, []).append(_change(text, what))
    if len(asked) < 2:
        names = f"only {next(iter(asked))!r} was" if asked else "none was"
        raise UserError(
            f"an A/B test needs at least two variants, {names} given; expected --variant A=plan --variant B=…"
        )
    return asked


def _change(text: str, what: str) -> _Change:
    kind, colon, value = what.partition(":")
    if what == "plan":
        return _Change("plan", "")
    if colon and kind in KINDS:
        if not value:
            raise UserError(f"--variant {text!r}: nothing after {kind!r}; expected {FORMS}")
        if kind == "set":
            path = parse_override(value).path
            if path[0] not in ("target", "prompt"):
                raise UserError(
                    f"--variant {text!r}: {'.'.join(path)!r} would change what is measured, not the variant; expected "
                    "a key of target or prompt (--set changes the plan of all variants)"
                )
        return _Change(kind, value)
    if what.startswith("@"):
        return _Change("version", what[1:])
    if _VERSION.fullmatch(what) or what == LATEST:
        return _Change("version", what)
    if Path(what).exists() or Path(what).suffix in (".md", ".txt"):
        return _Change("file", what)
    raise UserError(f"--variant {text!r}: {what!r} is no version and no file here; expected {FORMS}")


def _load(path: Path, name: str, changes: Sequence[_Change], store: Store, overrides: Sequence[str]) -> Variant:
    more: list[str] = []
    version: str | None = None
    labels = []
    for change in changes:
        match change.kind:
            case "file":
                more.append(f"prompt={_prompt_file(change.value, path)}")
                labels.append(change.value)
            case "model":
                more.append(f"target.model={change.value}")
                labels.append(f"model {change.value}")
            case "set":
                more.append(change.value)
                labels.append(change.value)
            case "version":
                version = change.value
                labels.append("")
            case _:
                labels.append("the plan")
    plan = load_plan(path, [*overrides, *more])
    if version is not None:
        if any(change.kind == "file" for change in changes):
            raise UserError(f"variant {name!r} is a version and a file; expected one prompt")
        found = VersionManager(store.versions).get(plan.manifest.workflow_id, version)
        from sharpen.wiring.plans import complete

        plan = complete(plan.manifest.with_prompt(found.prompt), plan.cases)
        at = labels.index("")
        labels[at] = f"version {found.version}" + (f" ({version})" if version != found.version else "")
        version = found.version if not more else None
    return Variant(name, " and ".join(labels), plan, version)


def _check_variables(variant: Variant, file: str, all_of_them: Sequence[Variant]) -> None:
    """Any text may be a prompt. One that says the same to every case, where others do not, is the wrong file."""
    names = sorted(frozenset[str]().union(*(one.plan.manifest.prompt.variables for one in all_of_them)))
    if names and not variant.plan.manifest.prompt.variables:
        raise UserError(
            f"variant {variant.name!r}: {file!r} is no prompt for these cases: it would ask the same in all of them; "
            f"expected a prompt file with {{{{ {names[0]} }}}}"
        )


def _prompt_file(value: str, plan: Path) -> str:
    """From where the user stands, else from where the plan stands."""
    here = Path(value).expanduser()
    for path in (here, plan.parent / here):
        if path.is_file():
            return str(path.absolute())
    raise UserError(f"variant file {value!r} does not exist, neither here nor beside the plan; expected a prompt file")


def _same(first: Variant, second: Variant) -> bool:
    one, other = first.plan.manifest, second.plan.manifest
    return one.prompt.content_hash == other.prompt.content_hash and one.target == other.target
