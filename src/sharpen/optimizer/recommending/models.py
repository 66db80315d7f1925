"""What is recommended and why, as it is shown, stored and printed. Data only."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sharpen.executor.models import Record


class Features(Record):
    """What the recommender knows of a search before it begins: the prompt, what fails, the model.

    Scores on 0..100. ``rules``: ids of the lint rules that found something. ``failure_rate`` (0..1; None: the prompt
    was not measured) and ``kinds`` (kind of failure → share of the failures) are of train and dev, never of held-out
    cases. ``model`` may be empty, for targets that have none.
    """

    clarity: float = Field(ge=0, le=100)
    efficiency: float = Field(ge=0, le=100)
    rules: tuple[str, ...] = ()
    words: int = Field(default=0, ge=0)
    demonstrations: int = Field(default=0, ge=0)
    failure_rate: float | None = Field(default=None, ge=0, le=1)
    kinds: dict[str, float] = Field(default_factory=dict)
    model: str = ""
    target: str = ""


class SimilarSearch(Record):
    """An earlier search and how much it counts here: ``similarity`` 0..1; ``gain`` of the strategy, -1..1."""

    search_id: str
    workflow_id: str
    similarity: float = Field(ge=0, le=1)
    gain: float = Field(ge=-1, le=1)


class Expectation(Record):
    """What a strategy is expected to gain in pass rate over the prompt as it is (-1..1), with an 80 % interval.

    ``searches`` have tried it; by their similarity they count as much as ``worth`` searches just like this one.
    ``known`` is False without any: the numbers are then what is assumed of every strategy. ``won`` and ``proved``:
    in how many of them a candidate of it won, or was accepted by the proof.
    """

    strategy: str
    gain: float
    low: float
    high: float
    known: bool
    searches: int = Field(default=0, ge=0)
    worth: float = Field(default=0.0, ge=0)
    won: int = Field(default=0, ge=0)
    proved: int = Field(default=0, ge=0)
    similar: tuple[SimilarSearch, ...] = ()


class Replay(Record):
    """The recommender against the rules' own order, on every earlier search as if its workflow had never been seen.

    Gains are of dev pass rate, -1..1, means over workflows. ``advantage``: what came first by the recommendation
    gained minus what came first by the rules, with its interval at ``level``; ``advantage_of_two``: the better of the
    first two (None: no search tried three strategies). ``changed``: searches in which another strategy came first.
    ``covered``: share of the observed gains that lay within their 80 % interval.
    """

    searches: int = Field(ge=0)
    workflows: int = Field(ge=0)
    changed: int = Field(default=0, ge=0)
    recommended: float = 0.0
    rules: float = 0.0
    best: float = 0.0
    advantage: float = 0.0
    low: float = 0.0
    high: float = 0.0
    level: float = Field(gt=0, lt=1)
    advantage_of_two: float | None = None
    covered: float | None = None


class Recommendation(Record):
    """In which order ``auto`` tries the strategies, and what that rests on.

    ``rules``: the order that the rules give; ``order``: the one to use, the same unless ``trusted``. ``searches`` of
    ``workflows`` are the evidence. ``basis`` says whether failures of a run were known or the prompt's text alone.
    """

    features: Features
    rules: tuple[str, ...]
    order: tuple[str, ...]
    trusted: bool = False
    reason: str = ""
    searches: int = Field(default=0, ge=0)
    workflows: int = Field(default=0, ge=0)
    expectations: tuple[Expectation, ...] = ()
    replay: Replay | None = None
    basis: Literal["measured", "static"] = "measured"
