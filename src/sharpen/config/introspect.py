"""Which keys a place in a plan knows, read off the models: for messages and for the plan reference."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo


def is_part(annotation: Any) -> bool:
    """A class whose fields are keys of a plan: a model, or the dataclass of the thresholds."""
    return isinstance(annotation, type) and (issubclass(annotation, BaseModel) or dataclasses.is_dataclass(annotation))


def fields_of(part: type) -> dict[str, FieldInfo]:
    """Key → type, default, bounds and description, for a model and for a dataclass alike."""
    if issubclass(part, BaseModel):
        return dict(part.model_fields)
    hints = get_type_hints(part, include_extras=True)
    return {
        field.name: FieldInfo.from_annotated_attribute(hints[field.name], field.default)
        for field in dataclasses.fields(part)  # type: ignore[arg-type] # is_part tells
    }


def parts_in(annotation: Any) -> dict[str | None, type]:
    """Tag → class for every part that may stand where ``annotation`` does; the tag is None outside a tagged union."""
    if is_part(annotation):
        return {None: annotation}
    found: dict[str | None, type] = {}
    arguments = get_args(annotation)
    tags = [argument.tag for argument in arguments if isinstance(argument, Tag)]
    for argument in arguments:
        inner = parts_in(argument)
        if tags and None in inner:
            inner[tags[0]] = inner.pop(None)
        found.update(inner)
    return found


def part_at(root: type, location: Iterable[str | int]) -> type | None:
    """The part that a location of a pydantic error (tags included) points into; None outside of every part."""
    current: type | None = root
    choices: dict[str | None, type] = {}
    for segment in location:
        if isinstance(segment, int):
            continue
        if segment in choices:
            current = choices[segment]
            choices = {}
        elif current is not None:
            field = fields_of(current).get(segment)
            choices = parts_in(field.annotation) if field else {}
            current = choices.pop(None, None)
    return current
