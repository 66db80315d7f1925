"""Jinja2 in a sandbox, undefined variables are errors: the one place that parses and renders templates.

Prompts and assertion values are templates of the same dialect. Templates come from the user's plan and are rendered
with hostile data, so the environment is immutable-sandboxed, has no loader and never evaluates data as a template.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from sharpen.errors import TemplateError

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import ImmutableSandboxedEnvironment


@cache
def environment() -> ImmutableSandboxedEnvironment:
    """The shared sandboxed environment (jinja2 is imported on first use, to keep ``import sharpen`` fast)."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)


@lru_cache(maxsize=4096)
def compile_template(source: str) -> Template:
    """Compile ``source``. Raises ``TemplateError`` with the line of a syntax error."""
    from jinja2 import TemplateSyntaxError

    try:
        return environment().from_string(source)
    except TemplateSyntaxError as error:
        raise TemplateError(f"line {error.lineno}: {error.message}") from error


def render(source: str, variables: Mapping[str, Any]) -> str:
    """Render ``source``. Raises ``TemplateError`` that names an undefined variable and those that exist."""
    if "{" not in source:  # neither an expression, a statement nor a comment: nothing to render
        return source
    template = compile_template(source)
    try:
        return template.render(variables)
    except Exception as error:  # a template may raise anything: sandbox, arithmetic, type and undefined errors
        known = ", ".join(sorted(map(str, variables))) or "none"
        raise TemplateError(f"{error} (variables here: {known})") from error


@lru_cache(maxsize=4096)
def variables_of(source: str) -> frozenset[str]:
    """Names that ``source`` needs from outside. Raises ``TemplateError`` on a syntax error."""
    from jinja2 import TemplateSyntaxError, meta

    try:
        return frozenset(meta.find_undeclared_variables(environment().parse(source)))
    except TemplateSyntaxError as error:
        raise TemplateError(f"line {error.lineno}: {error.message}") from error


def escape(text: str) -> str:
    """Literal ``text`` as template source: renders to exactly ``text``, whatever it contains."""
    if "{" not in text:
        return text
    return text.replace("{", "{{ '{' }}")
