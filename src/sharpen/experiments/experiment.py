"""``Experiment``: an online experiment as frozen data, and which variant a unit gets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from sharpen.errors import PlanError, UserError
from sharpen.executor.models import AwareDatetime, Record
from sharpen.experiments.assignment import choose, enrolled

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_NAME = re.compile(NAME)
_SEVERAL = 2


def _named(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, str) and not _NAME.fullmatch(value):
        raise ValueError(
            f"{info.field_name} {value!r} is no valid name; expected a letter or digit, then at most 63 letters, "
            "digits, '.', '_' or '-'"
        )
    return value


Name = Annotated[str, BeforeValidator(_named)]


class Metric(Record):
    """What is measured of each unit: a number from ``low`` to ``high`` (left out: success, 0 or 1).

    What is above ``high`` counts as ``high``: latency needs a cap, which makes every statement exact.
    """

    name: Name = "success"
    goal: Literal["higher", "lower"] = "higher"
    low: float = 0.0
    high: float = 1.0

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"metric {self.name!r}: low {self.low!r} is not below high {self.high!r}")
        return self


class Guardrail(Metric):
    """A metric that no variant may worsen by more than its margin: ``margin`` in the metric's unit, or ``relative``
    to the control's (0.2: a fifth worse). ``alpha``: accepted probability of stopping a harmless variant.
    """

    name: Name
    goal: Literal["higher", "lower"] = "lower"
    margin: float | None = Field(default=None, ge=0)
    relative: float | None = Field(default=None, ge=0)
    alpha: float = Field(default=0.05, gt=0, lt=1)

    @model_validator(mode="after")
    def _one_margin(self) -> Self:
        if (self.margin is None) == (self.relative is None):
            raise ValueError(f"guardrail {self.name!r} needs either 'margin' or 'relative'")
        return self

    @property
    def label(self) -> str:
        """As people read it: ``errors +0.02``, ``latency_ms +20%``."""
        sign = "+" if self.goal == "lower" else "-"
        size = f"{self.margin:g}" if self.margin is not None else f"{self.relative or 0:.0%}"
        return f"{self.name} {sign}{size}"


class Experiment(Record):
    """An online experiment: ``Experiment(name="tone", variants=["A", "B"]).assign("user-17")``.

    ``variants``: names, the first is the control; or names and what they stand for (a version of ``workflow_id``, which
    ``promote`` needs). ``weights``: shares of the units, any unit of measure; left out, all equal. ``ramp``: the share
    of all units that takes part; it may be raised later, and moves nobody. ``salt``: left out, the name; equal salts
    give the same units the same variant. ``effect``: the smallest difference of the metric that is of interest, in its
    unit. ``window``: how long after exposure an outcome counts; ``ends_at``: when outcomes cease to count.
    ``promote``: the alias that a win moves to the winner's version.
    """

    name: Name
    variants: dict[Name, str]
    weights: dict[str, float] = Field(default_factory=dict)
    ramp: float = Field(default=1.0, ge=0, le=1)
    salt: Name | None = None
    metric: Metric = Metric()
    guardrails: tuple[Guardrail, ...] = ()
    effect: float = Field(default=0.05, gt=0)
    alpha: float = Field(default=0.05, gt=0, lt=1)
    power: float = Field(default=0.8, gt=0, lt=1)
    window: timedelta | None = None
    ends_at: AwareDatetime | None = None
    workflow_id: str | None = None
    promote: str | None = None

    @classmethod
    def of(cls, data: Mapping[str, Any], where: str = "") -> Self:
        """From data of a file. Raises ``PlanError`` that names each key that is wrong."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            from sharpen.config.explain import problems_of

            raise PlanError(problems_of(error, cls, data, lambda _: where)) from error

    @field_validator("variants", mode="before")
    @classmethod
    def _from_names(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            names = [name for name in value if isinstance(name, str)]
            if len(names) < len(value):
                raise ValueError(f"variants {list(value)!r} are no names; expected texts such as 'A'")
            if len(set(names)) < len(names):
                raise ValueError(f"variants {list(value)!r} have a name twice")
            return {name: name for name in value}
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.variants) < _SEVERAL:
            raise ValueError(f"variants {list(self.variants)!r}: an experiment needs at least two")
        if self.weights:
            if set(self.weights) != set(self.variants):
                raise ValueError(f"weights name {sorted(self.weights)}, variants are {sorted(self.variants)}")
            if not all(0 < weight < float("inf") for weight in self.weights.values()):
                raise ValueError(f"weights {self.weights!r}: each must be above 0; leave a variant out instead of 0")
            if not sum(self.weights.values()) < float("inf"):
                raise ValueError(f"weights {self.weights!r} add up to more than a number holds; expected smaller ones")
        if self.effect >= self.metric.high - self.metric.low:
            span = self.metric.high - self.metric.low
            raise ValueError(f"effect {self.effect!r} is not below {span:g}, the whole range of {self.metric.name!r}")
        names = [self.metric.name, *(guardrail.name for guardrail in self.guardrails)]
        if len(set(names)) < len(names):
            raise ValueError(f"metrics {names!r} have a name twice")
        if self.window is not None and self.window <= timedelta():
            raise ValueError(f"window {self.window} is not above 0; expected one such as P7D, a week")
        if self.promote is not None and self.workflow_id is None:
            raise ValueError(f"promote {self.promote!r} needs 'workflow_id': whose alias it is")
        return self

    @property
    def control(self) -> str:
        """The variant that the others are compared with: the first."""
        return next(iter(self.variants))

    @property
    def shares(self) -> dict[str, float]:
        """The expected share of each variant; they add up to 1."""
        weights = self.weights or dict.fromkeys(self.variants, 1.0)
        total = sum(weights.values())
        return {name: weights[name] / total for name in self.variants}

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metric that decides, and the guardrails."""
        return self.metric, *self.guardrails

    def assign(self, unit_id: str) -> str | None:
        """The unit's variant; None when it does not take part (yet). Always the same, on any machine.

        Raises ``UserError`` for a unit that is no text, or an empty one.
        """
        if not isinstance(unit_id, str) or not unit_id:
            raise UserError(f"unit {unit_id!r} is no unit id; expected a text such as 'user-17'")
        salt = self.salt or self.name
        if not enrolled(salt, unit_id, self.ramp):
            return None
        weights = self.weights or dict.fromkeys(self.variants, 1.0)
        return tuple(self.variants)[choose(salt, unit_id, [weights[name] for name in self.variants])]

    def ramped(self, ramp: float) -> Self:
        """The same experiment with another ramp. Raises ``UserError`` outside of 0..1."""
        if not 0 <= ramp <= 1:
            raise UserError(f"ramp {ramp!r} is no share; expected a number from 0 to 1")
        return self.model_copy(update={"ramp": ramp})

    def check_succeeds(self, earlier: Experiment) -> None:
        """Raises ``UserError`` unless it is ``earlier`` with a ramp that is the same or larger.

        Anything else would move units, or change what is measured while it is measured.
        """
        changed = [
            field
            for field in type(self).model_fields
            if field != "ramp" and getattr(self, field) != getattr(earlier, field)
        ]
        if changed:
            raise UserError(
                f"experiment {self.name!r} has begun with other {', '.join(changed)}; only 'ramp' may change. "
                f"A change is a new phase: define it under another name, such as '{self.name}-2'"
            )
        if self.ramp < earlier.ramp:
            raise UserError(
                f"experiment {self.name!r}: ramp {self.ramp:g} is below {earlier.ramp:g}, which would put units out "
                "that take part; expected the same or more (`sharpen ab stop` ends it)"
            )
