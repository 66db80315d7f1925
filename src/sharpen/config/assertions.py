"""What a plan may say about a good answer: one model for each family of assertions.

The names are promptfoo's. ``not-`` before any name negates it. Pure data: the code that checks stands in
``sharpen.assertions``. Every ``value`` may be a template over the case's variables and ``expected``.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from sharpen.config.base import PlanPart
from sharpen.config.targets import TargetConfig

Transform = Literal[
    "strip", "lower", "upper", "first-line", "last-line", "first-word", "last-word", "strip-punctuation",
    "strip-quotes", "strip-markdown", "collapse-whitespace", "extract-json", "extract-number",
]  # fmt: skip


class AssertionPart(PlanPart):
    """Keys of every assertion. A case passes when all its assertions of weight > 0 pass."""

    type: str
    weight: float = Field(default=1.0, ge=0, description="Share in the case's score; 0: recorded only, never fails.")
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
    """``equals``, ``iequals``, ``contains``, ``icontains``, ``starts-with``, ``ends-with``: against one text."""

    value: str | int | float | bool


class ListAssertion(AssertionPart):
    """``contains-any``, ``contains-all`` (and ``i…``), ``one-of``: against a list (or one comma-separated text)."""

    value: tuple[str | int | float | bool, ...] | str


class RegexAssertion(AssertionPart):
    """``regex``: Python syntax, searched anywhere in the output."""

    value: str

    @field_validator("value")
    @classmethod
    def _compiles(cls, value: str) -> str:
        if "{{" not in value:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"no regular expression: {error}") from None
        return value


class JsonAssertion(AssertionPart):
    """``is-json`` (the whole output) and ``contains-json`` (any part of it); ``value`` is a JSON Schema, optional."""

    value: dict[str, Any] | None = None


class NumberAssertion(AssertionPart):
    """``is-number``: the output is a number; with ``value``, one within ``tolerance`` of it."""

    value: float | str | None = None
    tolerance: float = Field(default=0.0, ge=0, description="Absolute distance allowed.")


class LevenshteinAssertion(AssertionPart):
    """``levenshtein``: at most ``threshold`` edits away from ``value``."""

    value: str
    threshold: int = Field(default=5, ge=0)


class LengthAssertion(AssertionPart):
    """``length``: between ``min`` and ``max``, counted in characters, words or lines."""

    min: int | None = Field(default=None, ge=0)
    max: int | None = Field(default=None, ge=0)
    unit: Literal["characters", "words", "lines"] = "characters"

    @model_validator(mode="after")
    def _bounded(self) -> LengthAssertion:
        if self.min is None and self.max is None:
            raise ValueError("a length assertion needs 'min' or 'max'")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class LatencyAssertion(AssertionPart):
    """``latency``: the last attempt took at most ``threshold`` ms."""

    threshold: float = Field(ge=0)


class CostAssertion(AssertionPart):
    """``cost``: the call cost at most ``threshold`` USD; an unknown cost fails."""

    threshold: float = Field(ge=0)


class PythonAssertion(AssertionPart):
    """``python``: ``module:function``, or a one-line expression over ``output``, ``expected`` and ``vars``.

    A bool passes or fails; a number is a score in 0..1 that must reach ``threshold``.
    """

    value: str
    threshold: float = Field(default=0.5, ge=0, le=1)


class RubricAssertion(AssertionPart):
    """``llm-rubric``: a judge model grades the output against ``value``; its score must reach ``threshold``."""

    value: str
    judge: TargetConfig
    threshold: float = Field(default=0.5, ge=0, le=1)


class PluginAssertion(AssertionPart):
    """An assertion class of your own: ``type: my_module:MyAssertion``; ``options`` go to its constructor."""

    value: Any = None
    threshold: float | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    type: Annotated[str, Field(pattern=r"^(not-)?[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")]


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
