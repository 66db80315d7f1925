"""What a plan may say about a good answer: one model for each family of assertions.

The names are promptfoo's. ``not-`` before any name negates it. Pure data: the code that checks stands in
``sharpen.assertions``. Every ``value`` but that of ``python`` may be a template over the case's variables (also under
``vars``) and ``expected``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from sharpen.config.base import Float, Int, PlanPart
from sharpen.config.targets import TargetConfig, checked_regex

Transform = Literal[
    "strip", "lower", "upper", "first-line", "last-line", "first-word", "last-word", "strip-punctuation",
    "strip-quotes", "strip-markdown", "collapse-whitespace", "extract-json", "extract-number",
]  # fmt: skip


class AssertionPart(PlanPart):
    """Keys of every assertion. A case passes when all its assertions of weight > 0 pass."""

    type: str = Field(description="The assertion's name, negated by `not-`.")
    weight: Float = Field(default=1.0, ge=0, description="Share in the case's score; 0: recorded only, never fails.")
    transform: tuple[Transform, ...] = Field(
        default=(), description="Named transforms of the output, applied in order before the check (one or a list)."
    )

    @field_validator("transform", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @property
    def negated(self) -> bool:
        return self.type.startswith("not-")

    @property
    def name(self) -> str:
        """The type without ``not-``: the key into the assertion registry."""
        return self.type.removeprefix("not-")


TextType = Literal["equals", "iequals", "contains", "icontains", "starts-with", "ends-with"]
ListType = Literal["contains-any", "contains-all", "icontains-any", "icontains-all", "one-of"]


class TextAssertion(AssertionPart):
    """``equals``, ``iequals``, ``contains``, ``icontains``, ``starts-with``, ``ends-with``: against one text.

    ``equals`` also takes a mapping or a list: the output, read as JSON, must be equal to it.
    """

    value: str | int | float | bool | dict[str, Any] | list[Any] = Field(
        description='The text; a template, so mostly `"{{ expected }}"`. For `equals` also JSON as a mapping or list.'
    )

    @field_validator("value")
    @classmethod
    def _text_unless_equals(cls, value: Any, info: ValidationInfo) -> Any:
        name = str(info.data.get("type", "")).removeprefix("not-")
        if isinstance(value, dict | list) and name != "equals":
            raise ValueError(
                f"{name} compares with one text, not with a {'mapping' if isinstance(value, dict) else 'list'}"
            )
        return value


class ListAssertion(AssertionPart):
    """``contains-any``, ``contains-all`` (and ``i…``), ``one-of``: against a list (or one comma-separated text)."""

    value: tuple[str | int | float | bool, ...] | str = Field(
        description="A list, or one text separated by commas; templates."
    )


class RegexAssertion(AssertionPart):
    """``regex``: Python syntax, searched anywhere in the output."""

    value: str = Field(description="The pattern; a template.")

    @field_validator("value")
    @classmethod
    def _compiles(cls, value: str) -> str:
        return value if "{{" in value else checked_regex(value)


class JsonAssertion(AssertionPart):
    """``is-json`` (the whole output) and ``contains-json`` (any part of it); ``value`` is a JSON Schema, optional."""

    value: dict[str, Any] | None = Field(default=None, description="A JSON Schema that the JSON must satisfy.")


class NumberAssertion(AssertionPart):
    """``is-number``: the output is a number; with ``value``, one within ``tolerance`` of it."""

    value: Float | str | None = Field(default=None, description="The number, or a template that renders to one.")
    tolerance: Float = Field(default=0.0, ge=0, description="Absolute distance allowed.")


class LevenshteinAssertion(AssertionPart):
    """``levenshtein``: at most ``threshold`` edits away from ``value``."""

    value: str = Field(description="The text to compare with; a template.")
    threshold: Int = Field(default=5, ge=0, description="Edits allowed (insert, delete, replace a character).")


class LengthAssertion(AssertionPart):
    """``length``: between ``min`` and ``max``, counted in characters, words or lines."""

    min: Int | None = Field(default=None, ge=0, description="At least so many.")
    max: Int | None = Field(default=None, ge=0, description="At most so many.")
    unit: Literal["characters", "words", "lines"] = Field(default="characters", description="What is counted.")

    @model_validator(mode="after")
    def _bounded(self) -> LengthAssertion:
        if self.min is None and self.max is None:
            raise ValueError("a length assertion needs 'min' or 'max'")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class LatencyAssertion(AssertionPart):
    """``latency``: the last attempt took at most ``threshold`` ms."""

    threshold: Float = Field(ge=0, description="Milliseconds.")


class CostAssertion(AssertionPart):
    """``cost``: the call cost at most ``threshold`` USD; an unknown cost fails."""

    threshold: Float = Field(ge=0, description="USD.")


class PythonAssertion(AssertionPart):
    """``python``: ``module:function``, or a one-line expression over ``output``, ``expected``, ``vars``, ``context``.

    A bool passes or fails; a number is a score in 0..1 that must reach ``threshold``.
    """

    value: str = Field(description="`module:function`, or the expression.")
    threshold: Float = Field(default=0.5, ge=0, le=1, description="The score that passes, when a number comes back.")


class RubricAssertion(AssertionPart):
    """``llm-rubric``: a judge model grades the output against ``value``; its score must reach ``threshold``."""

    value: str = Field(description="What a good answer is, in words; a template.")
    judge: TargetConfig = Field(description="The judge model, written like `target`.")
    threshold: Float = Field(default=0.5, ge=0, le=1, description="The score that passes.")


class PluginAssertion(AssertionPart):
    """An assertion class of your own: ``type: my_module:MyAssertion``.

    Its constructor gets this entry, and ``options`` as keyword arguments.
    """

    type: str = Field(
        pattern=r"^(not-)?[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$", description="`module:Class`, negated by `not-`."
    )
    value: Any = Field(default=None, description="Whatever the class makes of it; texts are templates.")
    threshold: Float | None = Field(default=None, description="Whatever the class makes of it.")
    options: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments of the constructor.")


FAMILY_OF: dict[str, str] = {
    **dict.fromkeys(get_args(TextType), "text"),
    **dict.fromkeys(get_args(ListType), "list"),
    "regex": "regex",
    "is-json": "json",
    "contains-json": "json",
    "is-number": "number",
    "levenshtein": "levenshtein",
    "length": "length",
    "latency": "latency",
    "cost": "cost",
    "python": "python",
    "llm-rubric": "rubric",
}
"""Every built-in assertion name and the family (below) whose keys it takes."""


def _tag(value: Any) -> str | None:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    if not isinstance(kind, str):
        return None
    name = kind.removeprefix("not-")
    return "plugin" if ":" in name else FAMILY_OF.get(name)


AssertionConfig = Annotated[
    Annotated[TextAssertion, Tag("text")]
    | Annotated[ListAssertion, Tag("list")]
    | Annotated[RegexAssertion, Tag("regex")]
    | Annotated[JsonAssertion, Tag("json")]
    | Annotated[NumberAssertion, Tag("number")]
    | Annotated[LevenshteinAssertion, Tag("levenshtein")]
    | Annotated[LengthAssertion, Tag("length")]
    | Annotated[LatencyAssertion, Tag("latency")]
    | Annotated[CostAssertion, Tag("cost")]
    | Annotated[PythonAssertion, Tag("python")]
    | Annotated[RubricAssertion, Tag("rubric")]
    | Annotated[PluginAssertion, Tag("plugin")],
    Discriminator(_tag),
]


def template_texts(assertion: AssertionPart) -> list[str]:
    """Every text in an assertion's ``value`` that is rendered as a template: all but the code of ``python``."""
    if isinstance(assertion, PythonAssertion):
        return []
    return [text for text in _texts_in(getattr(assertion, "value", None)) if _MARKS.search(text)]


_MARKS = re.compile(r"\{[{%#]")


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts_in(item)
