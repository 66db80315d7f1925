"""The ``value`` of an assertion as a template: compiled once, rendered for each case.

A text that is nothing but one reference (``{{ expected }}``, ``{{ vars.labels }}``) keeps the type of what it refers
to, so that a list stays a list; any other template renders to text. That shortcut also spares Jinja2's render call,
which costs more than most checks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sharpen import templating

if TYPE_CHECKING:
    from jinja2 import nodes

Renderer = Callable[[Mapping[str, Any]], Any]
_marks = re.compile(r"\{[{%#]")


def is_template(value: Any) -> bool:
    """Whether ``value`` is a text that needs rendering."""
    return isinstance(value, str) and _marks.search(value) is not None


def compile_value(value: Any) -> Renderer | None:
    """A function from variables to the rendered value; None when no part of ``value`` is a template.

    Texts inside lists and mappings are rendered too, keys are not. Raises ``TemplateError`` on a syntax error; the
    returned function raises ``TemplateError`` when a variable is missing.
    """
    if isinstance(value, str):
        return _compile_text(value) if is_template(value) else None
    if isinstance(value, list | tuple):
        items = [(item, compile_value(item)) for item in value]
        if not any(renderer for _, renderer in items):
            return None
        return lambda variables: [render(variables) if render else item for item, render in items]
    if isinstance(value, Mapping):
        entries = [(key, item, compile_value(item)) for key, item in value.items()]
        if not any(renderer for *_, renderer in entries):
            return None
        return lambda variables: {key: render(variables) if render else item for key, item, render in entries}
    return None


class _Missing(Exception):
    """A name that is not among the variables: Jinja2 shall decide what it is, and word the error."""


def _compile_text(source: str) -> Renderer:
    plain = templating.plain_template(source)
    if plain is not None:
        return _lone_reference(source, plain.names[0]) if plain.texts == ("", "") else templating.renderer(source)
    templating.compile_template(source)  # a syntax error shows now, not with the first case
    shortcut = _compile_references(source)
    if shortcut is None:
        return lambda variables: templating.render(source, variables)

    def render(variables: Mapping[str, Any]) -> Any:
        try:
            return shortcut(variables)
        except _Missing:
            return templating.render(source, variables)

    return render


def _lone_reference(source: str, name: str) -> Renderer:
    def value_of(variables: Mapping[str, Any]) -> Any:
        try:
            return variables[name]
        except KeyError:
            return templating.render(source, variables)

    return value_of


def _compile_references(source: str) -> Renderer | None:
    """The shortcut for a lone reference, and for plain text with references in it. None for any other template."""
    from jinja2 import nodes

    body = templating.environment().parse(source).body
    if len(body) != 1 or not isinstance(body[0], nodes.Output):
        return None
    parts: list[str | Renderer] = []
    for node in body[0].nodes:
        part = node.data if isinstance(node, nodes.TemplateData) else _compile_reference(node)
        if part is None:
            return None
        parts.append(part)
    if len(parts) == 1 and not isinstance(parts[0], str):
        return parts[0]

    def join(variables: Mapping[str, Any]) -> str:
        return "".join([part if isinstance(part, str) else str(part(variables)) for part in parts])

    return join


def _compile_reference(node: nodes.Node) -> Renderer | None:
    """``name``, ``name.key`` or ``name['key']``; None for anything else. The function raises ``_Missing``."""
    from jinja2 import Undefined, nodes

    environment = templating.environment()
    steps: list[tuple[Callable[[Any, Any], Any], Any]] = []  # the sandbox's own look-ups, as compiled templates do them
    while not isinstance(node, nodes.Name):
        if isinstance(node, nodes.Getattr):
            steps.append((environment.getattr, node.attr))
        elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
            steps.append((environment.getitem, node.arg.value))
        else:
            return None
        node = node.node
    name = node.name
    if name == "self":  # Jinja2's name for the template itself
        return None
    steps.reverse()

    def resolve(variables: Mapping[str, Any]) -> Any:
        if name not in variables:
            raise _Missing
        found = variables[name]
        for look_up, key in steps:
            found = look_up(found, key)
        if isinstance(found, Undefined):
            raise _Missing
        return found

    return resolve
