"""Plan file → ``RunManifest``: every mistake of the plan, its prompt and its data set in one ``PlanError``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from sharpen.config.assertions import AssertionConfig
from sharpen.config.base import resolve_path
from sharpen.config.case_set import CaseSet
from sharpen.config.datasets import build_cases, collect, empty_problem, template_problems
from sharpen.config.documents import Document, KeyPath, dotted, parse
from sharpen.config.files import file_problem, read_text
from sharpen.config.ids import Ids
from sharpen.config.models import Case, DatasetConfig, RunManifest
from sharpen.config.overrides import apply, parse_override
from sharpen.config.prompt_files import ROLES, read_prompt, template_problem
from sharpen.config.redact import holds_secret, is_secret_key, show
from sharpen.config.rows import Row
from sharpen.errors import EmptyDatasetError, PlanError, Problem, suggest

Manifest = TypeVar("Manifest", bound=RunManifest)

_PLACEHOLDER_PROMPT = [{"role": "user", "content": ""}]  # stands in for a prompt whose mistakes are known already
_PLACEHOLDER_CASES = [{"id": "placeholder"}]
_NO_SECRETS_SOUGHT = frozenset({"prompt", "dataset", "value", "rules", "default"})  # texts about secrets are allowed


_REQUIRED = "at least workflow_id, prompt, target and dataset"


def load_manifest(cls: type[Manifest], path: Path, overrides: Sequence[str] = ()) -> Manifest:
    """Read, override and validate a plan, and read its prompt and its whole data set once.

    Raises ``PlanError`` with all problems, ``EmptyDatasetError`` when that is the only one, ``MissingExtraError`` when
    the data set is Parquet and the extra is missing.
    """
    source = path.expanduser().absolute()
    plan = _Plan(_read(source), source.parent)
    plan.override(overrides)
    plan.find_secrets()
    plan.read_prompt()
    plan.read_candidates()
    plan.read_inline_cases()
    manifest = plan.validate(cls)
    plan.check_templates(manifest)
    empty = plan.check_data(manifest)
    if plan.problems:
        raise PlanError(plan.in_order())
    if empty:
        raise EmptyDatasetError(empty)
    assert manifest is not None  # no problem, so it is valid
    manifest._source = source
    return manifest


def _read(source: Path) -> Document:
    if problem := file_problem(source, "a plan, in YAML or JSON"):
        raise PlanError(problem)
    document = parse(read_text(source), source)
    if document.data is None:
        raise PlanError(Problem("the plan is empty", document.name, expected=_REQUIRED))
    if not isinstance(document.data, dict):
        raise PlanError(Problem(f"the plan is {show(document.data)}", document.where(), expected="a mapping of keys"))
    return document


@dataclass
class _Plan:
    """A plan on its way through the steps; each step adds its problems."""

    document: Document
    base_dir: Path
    data: dict[Any, Any] = field(init=False)
    problems: list[Problem] = field(default_factory=list)
    set_at: dict[KeyPath, str] = field(default_factory=dict)  # key path → the --set that wrote it
    cases_moved: bool = False  # `dataset: […]` became `dataset: {cases: […]}`, for the sake of a --set

    def __post_init__(self) -> None:
        self.data = self.document.data
        self.problems.extend(self.document.problems)

    def where(self, path: KeyPath) -> str:
        """``--set …`` for what an override wrote, ``file:line`` for all else."""
        for keys, label in self.set_at.items():
            if path[: len(keys)] == keys or (keys[: len(path)] == path and path and not self._written(path)):
                return label
        if self.cases_moved and path[:2] == ("dataset", "cases"):
            path = ("dataset", *path[2:])
        return self.document.where(path)

    def _written(self, path: KeyPath) -> bool:
        return self.document.mark(path) is not self.document.mark(path[:-1])

    def add(self, path: KeyPath, message: str, expected: str = "") -> None:
        self.problems.append(Problem(message, self.where(path), dotted(path), expected))

    def override(self, texts: Sequence[str]) -> None:
        for text in texts:
            try:
                override = parse_override(text)
                self._spell_out_dataset(override.path)
                self.data, path = apply(self.data, override)
            except PlanError as error:
                self.problems.extend(error.problems)
            else:
                self.set_at[path] = override.label

    def _spell_out_dataset(self, path: Sequence[str]) -> None:
        """``--set dataset.limit=10`` works with the short forms of ``dataset`` too."""
        dataset = self.data.get("dataset")
        if path[0] == "dataset" and len(path) > 1 and not path[1].isdigit():
            if isinstance(dataset, str):
                self.data = {**self.data, "dataset": {"path": dataset}}
            elif isinstance(dataset, list):
                self.data = {**self.data, "dataset": {"cases": dataset}}
                self.cases_moved = True

    def find_secrets(self) -> None:
        for path in _secrets(self.data, ()):
            self.add(
                path,
                "a secret must not stand in a plan (not shown here)",
                "an environment variable; 'api_key_env' names it",
            )

    def read_prompt(self) -> None:
        """Put messages in the place of a file's name; check the templates of messages that stand in the plan."""
        prompt = self.data.get("prompt")
        before = len(self.problems)
        if isinstance(prompt, dict | list) and not (isinstance(prompt, dict) and "messages" not in prompt):
            self._prompt_messages(prompt)
            return
        if isinstance(prompt, str):
            prompt = self._prompt_file(prompt)
        elif isinstance(prompt, dict):
            self._prompt_mapping(prompt)
        if len(self.problems) > before:
            prompt = _PLACEHOLDER_PROMPT
        if "prompt" in self.data:
            self.data = {**self.data, "prompt": prompt}

    def read_candidates(self) -> None:
        """The same for the prompts of ``optimize.candidates``."""
        optimize = self.data.get("optimize")
        named = optimize.get("candidates") if isinstance(optimize, dict) else None
        if not isinstance(optimize, dict) or not isinstance(named, list):
            return
        before = len(self.problems)
        read: list[Any] = []
        for index, prompt in enumerate(named):
            path: KeyPath = ("optimize", "candidates", index)
            if isinstance(prompt, str):
                read.append(self._prompt_file(prompt, path))
                continue
            if isinstance(prompt, dict) and "messages" not in prompt:
                self._prompt_mapping(prompt, path)
            elif isinstance(prompt, dict | list):
                self._prompt_messages(prompt, path)
            read.append(prompt)
        if len(self.problems) > before:
            read = []
        self.data = {**self.data, "optimize": {**optimize, "candidates": read}}

    def _prompt_file(self, name: str, path: KeyPath = ("prompt",)) -> Any:
        if "{{" in name or "\n" in name.strip():
            self.add(path, "a text stands where a file is named", "a file, or {user: …} for a text")
            return None
        file = read_prompt(resolve_path(Path(name), self.base_dir))
        at = self.where(path)
        self.problems.extend(problem if problem.where else replace(problem, where=at) for problem in file.problems)
        if path == ("prompt",) and file.description and "description" not in self.data:
            self.data = {**self.data, "description": file.description}
        return [{"role": section.role, "content": section.content} for section in file.sections]

    def _prompt_mapping(self, prompt: dict[Any, Any], path: KeyPath = ("prompt",)) -> None:
        if not prompt:
            self.add(path, "the prompt is empty", f"at least one of {', '.join(ROLES)}")
        for role, content in prompt.items():
            if role not in ROLES:
                self.add((*path, role), f"unknown key {role!r}; {suggest(str(role), ROLES)}")
            elif not isinstance(content, str):
                self.add((*path, role), f"got {show(content)}", "a text")
            else:
                self._template(content, (*path, role))

    def _prompt_messages(self, prompt: dict[Any, Any] | list[Any], path: KeyPath = ("prompt",)) -> None:
        prefix: KeyPath = (*path, "messages") if isinstance(prompt, dict) else path
        messages = prompt["messages"] if isinstance(prompt, dict) else prompt
        for index, message in enumerate(messages if isinstance(messages, list) else ()):
            if isinstance(message, dict) and isinstance(message.get("content"), str):
                self._template(message["content"], (*prefix, index, "content"))

    def _template(self, source: str, path: KeyPath) -> None:
        where = self.where(path)
        if where.startswith("--set"):
            problem = template_problem(source, "", 1, dotted(path))
            problem = replace(problem, where=where) if problem else None
        else:
            line = self.document.mark(path).text_line
            problem = template_problem(source, f"{self.document.name}:", line, dotted(path))
        if problem:
            self.problems.append(problem)

    def read_inline_cases(self) -> None:
        """Cases that stand in the plan are read like those of a file, so that their mistakes read the same."""
        dataset = self.data.get("dataset")
        short = isinstance(dataset, list)
        cases = dataset if short else dataset.get("cases") if isinstance(dataset, dict) else None
        if not isinstance(cases, list):
            return
        prefix: KeyPath = ("dataset",) if short else ("dataset", "cases")
        rows = (self._row(case, (*prefix, index)) for index, case in enumerate(cases))
        built = list(build_cases(rows, Ids()))
        found = [case for case in built if isinstance(case, Case)]
        wrong = collect(problem for problem in built if isinstance(problem, Problem))
        self.problems.extend(wrong)
        ready = _PLACEHOLDER_CASES if wrong else found
        others = dataset if isinstance(dataset, dict) else {}
        self.data = {**self.data, "dataset": {**others, "cases": ready}}

    def _row(self, case: Any, prefix: KeyPath) -> Row:
        return Row(case, lambda inner: self.where((*prefix, *inner)), prefix)

    def validate(self, cls: type[Manifest]) -> Manifest | None:
        try:
            return cls.model_validate(self.data, context={"base_dir": self.base_dir})
        except ValidationError as error:
            from sharpen.config.explain import problems_of

            known = {problem.key for problem in self.problems if problem.key}
            found = problems_of(error, cls, self.data, self.where)
            self.problems.extend(problem for problem in found if problem.key not in known)
            return None

    def _assertions(self, manifest: RunManifest | None) -> Iterator[tuple[int, AssertionConfig]]:
        """Those that are valid, with their places."""
        if manifest:
            yield from enumerate(manifest.assertions)
            return
        valid: TypeAdapter[AssertionConfig] = TypeAdapter(AssertionConfig)
        written = self.data.get("assertions")
        for index, item in enumerate(written if isinstance(written, list) else ()):
            with suppress(ValidationError):  # reported already
                yield index, valid.validate_python(item, context={"base_dir": self.base_dir})

    def check_templates(self, manifest: RunManifest | None) -> None:
        """The syntax of the templates in the plan's own assertions, as far as these are valid."""
        for index, assertion in self._assertions(manifest):
            path: KeyPath = ("assertions", index, "value")
            self.problems.extend(template_problems(assertion, self.where(path), dotted(path)))

    def check_data(self, manifest: RunManifest | None) -> Problem | None:
        """Read the whole data set; a data set without a case is told apart from wrong ones.

        What is read stays with the manifest, if there is one, so that nobody need read it again to check it.
        """
        try:
            context = {"base_dir": self.base_dir}
            dataset = (
                manifest.dataset
                if manifest
                else DatasetConfig.model_validate(self.data.get("dataset"), context=context)
            )
        except ValidationError:
            return None  # reported already
        at = self.where(("dataset", "path") if isinstance(self.data["dataset"], dict) else ("dataset",))
        try:
            if manifest:
                manifest.case_set()
            else:
                CaseSet.survey(dataset)
        except EmptyDatasetError:
            found = empty_problem(dataset)
            return found if found.where else replace(found, where=at)
        except PlanError as error:
            more = "and "  # the line that says how many were left out needs no place
            self.problems.extend(
                problem if problem.where or problem.message.startswith(more) else replace(problem, where=at)
                for problem in error.problems
            )
        return None

    def in_order(self) -> list[Problem]:
        """Overrides first, then the plan by line, then the files it names."""

        def place(problem: Problem) -> tuple[int, int]:
            file, _, line = problem.where.rpartition(":")
            if problem.where.startswith("--set"):
                return (0, 0)
            return (1, int(line)) if file == self.document.name and line.isdigit() else (2, 0)

        return sorted(self.problems, key=place)


def _secrets(node: Any, path: KeyPath) -> Iterator[KeyPath]:
    """Paths of values that are secrets by their form or by the key they stand under."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in _NO_SECRETS_SOUGHT:
                continue
            if is_secret_key(key) and isinstance(value, str) and value:
                yield (*path, key)
            else:
                yield from _secrets(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _secrets(value, (*path, index))
    elif isinstance(node, str) and holds_secret(node):
        yield path
