"""Jinja2 in a sandbox, undefined variables are errors: the one place that parses and renders templates.

Prompts and assertion values are templates of the same dialect. Templates come from the user's plan and are rendered
with hostile data, so the environment is immutable-sandboxed, has no loader and never evaluates data as a template.

Most templates are texts with plain references in them (``{{ text }}``). These are put together here, to the letter as
Jinja2 would: a render then takes a tenth of the time, and a plan of nothing else does not load Jinja2 at all. Whatever
goes wrong on that way is done again by Jinja2, whose rules and words count.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from sharpen.errors import TemplateError

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import ImmutableSandboxedEnvironment

Renderer = Callable[[Mapping[str, Any]], str]
"""Variables → text. Raises ``TemplateError``."""

_REFERENCE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_MARKS = re.compile(r"\{[{%#]|\{\Z|\r")  # what only Jinja2 understands; it also makes one newline of every kind
_WORDS = frozenset([
    "true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else", "self", "loop",
    "range", "dict", "lipsum", "cycler", "joiner", "namespace",
])  # fmt: skip
"""Words of Jinja2's language and its global functions: no plain references."""


class PlainTemplate(NamedTuple):
    """``texts[0] names[0] texts[1] … texts[-1]``: one text more than names."""

    texts: tuple[str, ...]
    names: tuple[str, ...]


@lru_cache(maxsize=4096)
def plain_template(source: str) -> PlainTemplate | None:
    """The parts of a template that holds nothing but text and references; None for any other."""
    pieces = _REFERENCE.split(source)
    texts, names = tuple(pieces[::2]), tuple(pieces[1::2])
    if not _WORDS.isdisjoint(names) or any(_MARKS.search(text) for text in texts[:-1]):
        return None
    last = texts[-1]
    return None if _MARKS.search(f"{last} ") else PlainTemplate(texts, names)  # an open brace may end the whole


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


@lru_cache(maxsize=4096)
def renderer(source: str) -> Renderer:
    """What renders ``source``, made once. Raises ``TemplateError`` with the line of a syntax error."""
    plain = plain_template(source)
    if plain is None:
        compile_template(source)
        return lambda variables: _by_jinja(source, variables)
    texts, names = plain
    if not names:
        return lambda _: source
    if len(names) == 1:
        (before, after), name = texts, names[0]

        def render_one(variables: Mapping[str, Any]) -> str:
            try:
                value = variables[name]
                return before + (value if type(value) is str else str(value)) + after
            except Exception:  # noqa: BLE001 - Jinja2 has the last word, whatever is wrong
                return _by_jinja(source, variables)

        return render_one
    first, pairs = texts[0], tuple(zip(names, texts[1:], strict=True))

    def render_all(variables: Mapping[str, Any]) -> str:
        try:
            parts = [first]
            for name, text in pairs:
                parts.append(str(variables[name]))
                parts.append(text)
            return "".join(parts)
        except Exception:  # noqa: BLE001 - as above
            return _by_jinja(source, variables)

    return render_all


def render(source: str, variables: Mapping[str, Any]) -> str:
    """Render ``source``. Raises ``TemplateError`` that names an undefined variable and those that exist."""
    return renderer(source)(variables)


def _by_jinja(source: str, variables: Mapping[str, Any]) -> str:
    template = compile_template(source)
    try:
        return template.render(variables)
    except Exception as error:  # a template may raise anything: sandbox, arithmetic, type and undefined errors
        known = ", ".join(sorted(map(str, variables))) or "none"
        raise TemplateError(f"{error} (variables here: {known})") from error


@lru_cache(maxsize=4096)
def variables_of(source: str) -> frozenset[str]:
    """Names that ``source`` needs from outside. Raises ``TemplateError`` on a syntax error."""
    plain = plain_template(source)
    if plain is not None:
        return frozenset(plain.names)
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
