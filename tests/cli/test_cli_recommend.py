"""``sharpen recommend``, and the order of ``optimize`` that it explains."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from cli_kit import Cli

from sharpen import wiring
from sharpen.config.settings import store_url
from sharpen.optimizer.models import CandidateReport, OptimizationOutcome
from sharpen.storage.store import Store
from sharpen.wiring.recommending import NEWEST, Recommender, history
from sharpen.wiring.stored_plans import search_record

AUTO = {"optimize": {"strategies": ["auto"], "budget": {"max_calls": 200}}}


@pytest.fixture
def plan(cli: Cli) -> Path:
    return cli.plan(**AUTO)


def store_of(plan: Path) -> Store:
    return Store.open(store_url(plan.parent))


def as_if(outcome: OptimizationOutcome, number: int, best: str, names: Sequence[str]) -> OptimizationOutcome:
    """What a search of another workflow might have found: every strategy little, ``best`` much."""
    rng = random.Random(number)  # some of them are the same, and count once
    first = next(candidate for candidate in outcome.candidates if candidate.dev)
    assert first.dev is not None
    made = []
    for place, name in enumerate(names, 1):
        fixed = 9 + rng.randint(0, 2) if name == best else rng.randint(0, 2)
        dev = first.dev.model_copy(update={"cases": 15, "success_rate": fixed / 15})
        changes = {"id": f"c{place}", "strategy": name, "dev": dev, "fixed": float(fixed), "broken": 0.0}
        made.append(CandidateReport.model_validate({**first.model_dump(), **changes, "status": "dropped"}))
    return outcome.model_copy(
        update={
            "run_id": f"earlier-{number:03}",
            "workflow_id": f"workflow-{number:03}",
            "started_at": outcome.started_at - timedelta(minutes=number),
            "candidates": tuple(made),
            "verification": None,
        }
    )


def learn(plan: Path, count: int, best: str = "structure_focus") -> None:
    """Searches that really were, as if there had been more of them."""
    with store_of(plan) as store:
        (newest,) = store.optimizations.list(limit=1)
        outcome = store.optimizations.get(newest.run_id)
        assert outcome.recommendation is not None
        names = [name for name in outcome.recommendation.rules if name in ("format_focus", "demonstrations", best)]
        for number in range(count):
            store.optimizations.save(as_if(outcome, number, best, names))


def test_nothing_known(cli: Cli, plan: Path) -> None:
    shown = cli("recommend", plan)
    assert shown.code == 0
    assert "Ordered by the rules" in shown.out
    assert "it has not been run yet" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80
    assert cli("recommend", plan, "--quiet").out == ""


def test_what_one_search_tells(cli: Cli, plan: Path) -> None:
    assert cli("optimize", plan, "--quiet").code == 0
    found = cli("recommend", plan, "--json").json
    assert found["workflow_id"] == "routing"
    assert found["used"] is True
    told = found["recommendation"]
    assert (told["searches"], told["trusted"], told["basis"]) == (1, False, "measured")
    assert told["features"]["failure_rate"] == 1.0
    assert told["features"]["target"] == "scripted"
    known = {each["strategy"]: each for each in told["expectations"] if each["known"]}
    assert known["format_focus"]["gain"] > 0.5
    assert known["format_focus"]["proved"] == 1
    assert known["format_focus"]["similar"][0]["workflow_id"] == "routing"
    assert "knows too little: 1 earlier search;" in told["reason"]


def test_enough_searches_order_the_next_one(cli: Cli, plan: Path) -> None:
    assert cli("optimize", plan, "--quiet").code == 0
    learn(plan, 14)
    told = cli("recommend", plan, "--json").json["recommendation"]
    assert told["trusted"], told["reason"]
    assert told["order"][0] == "structure_focus" != told["rules"][0]
    shown = cli("recommend", plan)
    assert "Ordered by earlier searches" in shown.out
    assert "earlier-0" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80
    other = cli.plan(name="other.yaml", **AUTO, workflow_id="other")
    ran = cli("optimize", other)
    assert f"- Strategies ordered by {told['searches']} earlier searches" in " ".join(ran.out.split())
    with store_of(other) as store:
        outcome = store.optimizations.get(store.optimizations.list("other")[0].run_id)
    assert outcome.recommendation is not None
    assert outcome.recommendation.order == tuple(told["order"])
    assert outcome.candidates[0].strategy == "structure_focus"


@pytest.mark.parametrize(
    ("setting", "why"),
    [("optimize.strategies=[format_focus]", "names its strategies: format_focus"), ("optimize.learn=false", "learn")],
)
def test_a_plan_that_does_not_ask(cli: Cli, plan: Path, setting: str, why: str) -> None:
    assert cli("optimize", plan, "--quiet").code == 0
    learn(plan, 14)
    shown = cli("recommend", plan, "--set", setting)
    assert why in " ".join(shown.out.split())
    other = cli.plan(name="other.yaml", **AUTO, workflow_id="other")
    assert "ordered by" not in cli("optimize", other, "--set", setting).out
    with store_of(other) as store:
        outcome = store.optimizations.get(store.optimizations.list("other")[0].run_id)
        assert len(history(store)) == 16  # later searches learn from this one all the same
    assert outcome.recommendation is not None
    assert outcome.recommendation.order == outcome.recommendation.rules
    assert why in outcome.recommendation.reason


def test_a_search_that_goes_on_keeps_its_order(cli: Cli, plan: Path) -> None:
    assert cli("optimize", plan, "--quiet").code == 0
    loaded = wiring.load_plan(plan)
    with store_of(plan) as store:
        outcome = store.optimizations.get(store.optimizations.list()[0].run_id)
        assert outcome.recommendation is not None
        store.searches.begin(search_record("cut-off", loaded, outcome.started_at))
        rules = outcome.recommendation.rules
        first = Recommender(store, loaded.manifest, "cut-off")(rules, outcome.analysis, outcome.patterns)
    learn(plan, 14)
    with store_of(plan) as store:
        again = Recommender(store, loaded.manifest, "cut-off")(rules, outcome.analysis, outcome.patterns)
        store.searches.begin(search_record("new", loaded, outcome.started_at))
        new = Recommender(store, loaded.manifest, "new")(rules, outcome.analysis, outcome.patterns)
    assert again == first
    assert new.order != first.order


def test_the_newest_searches_count(cli: Cli, plan: Path) -> None:
    assert cli("optimize", plan, "--quiet").code == 0
    with store_of(plan) as store:
        outcome = store.optimizations.get(store.optimizations.list()[0].run_id)
        slim = outcome.model_copy(update={"baseline_run": outcome.baseline_run.model_copy(update={"task_results": ()})})
        for number in range(NEWEST + 5):
            store.optimizations.save(as_if(slim, number, "format_focus", ["format_focus", "demonstrations"]))
        found = {search.search_id for search in history(store)}
    assert len(found) == NEWEST
    assert outcome.run_id in found
    assert f"earlier-{NEWEST + 4:03}" not in found


def test_a_broken_plan(cli: Cli) -> None:
    bad = cli.write("bad.yaml", {"workflow_id": "w"})
    shown = cli("recommend", bad)
    assert shown.code == 2
    assert "Traceback" not in shown.err
    assert cli("recommend", "missing.yaml").code == 2
