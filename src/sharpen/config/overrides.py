"""``--set key.path=value``: overrides any key of a plan before it is validated."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sharpen.config.documents import Key, KeyPath, parse_value
from sharpen.config.redact import HIDDEN, holds_secret, is_secret_key, show
from sharpen.errors import PlanError, Problem

_PATH = re.compile(r"[^\s.=]+(\.[^\s.=]+)*")


@dataclass(frozen=True, slots=True)
class Override:
    """One option: the keys it leads through, its value, and the option as messages show it (secrets hidden)."""

    path: tuple[str, ...]
    value: Any
    label: str


def parse_override(text: str) -> Override:
    """Split ``key.path=value``; the value is YAML. Raises ``PlanError`` that names the option's text."""
    dotted, equals, value = text.partition("=")
    dotted = dotted.strip()
    secret = is_secret_key(dotted.rpartition(".")[2]) or holds_secret(text)
    label = f"--set {dotted}={HIDDEN}" if secret else f"--set {text}"
    if not equals or not _PATH.fullmatch(dotted):
        label = "--set" if secret else label
        raise PlanError(Problem("is no override", label, expected="key.path=value, such as execution.concurrency=8"))
    try:
        return Override(tuple(dotted.split(".")), parse_value(value), label)
    except PlanError as error:
        raise PlanError(
            [Problem(problem.message, label, expected="a YAML value") for problem in error.problems]
        ) from None


def apply(data: Any, override: Override) -> tuple[Any, KeyPath]:
    """A copy of ``data`` with the value set, and the path as it stands in the data (list places as numbers).

    Mappings on the way are made when they are missing; nothing of ``data`` is changed, since aliases may share it.
    Raises ``PlanError`` when the path leads through a text, or past the end of a list.
    """
    path: list[Key] = []
    return _set(data, override.path, override, path), tuple(path)


def _set(node: Any, keys: Sequence[str], override: Override, path: list[Key]) -> Any:
    if not keys:
        return override.value
    key, rest = keys[0], keys[1:]
    if node is None or isinstance(node, dict):
        path.append(key)
        inner = _set((node or {}).get(key), rest, override, path)
        return {**(node or {}), key: inner}
    at = ".".join(map(str, path))
    if not isinstance(node, list):
        message = f"'{at}' is {show(node, path[-1] if path else '')} and has no key {key!r}"
        raise PlanError(Problem(message, override.label, expected="the path of a key"))
    if not re.fullmatch(r"[0-9]{1,9}", key) or int(key) >= len(node):
        places = f"a place from 0 to {len(node) - 1}" if node else "another path, since the list is empty"
        raise PlanError(Problem(f"'{at}' is a list and has no place {key!r}", override.label, expected=places))
    index = int(key)
    path.append(index)
    inner = _set(node[index], rest, override, path)
    return [*node[:index], inner, *node[index + 1 :]]
