"""Which engine a plan may name, and what is told when it cannot be had."""

import json
import sys
from importlib.util import find_spec

import pytest
import search_kit as kit

from sharpen.cli.main import _guarded as main
from sharpen.errors import MissingExtraError, PlanError
from sharpen.optimizer.engines import registry
from sharpen.optimizer.engines.registry import engine_for
from sharpen.wiring.plans import estimates, load_plan

PLAN = """\
workflow_id: w
prompt: {user: "Say {{ x }}"}
target: {kind: scripted, default: {output: a}}
dataset: [%s]
assertions: [{type: equals, value: a}]
optimize: {engine: %s}
"""
REWRITER = "--set=optimize.rewriter={kind: scripted, default: {output: b}}"


@pytest.fixture
def plan(tmp_path):
    def write(engine):
        cases = ", ".join(f"{{vars: {{x: {number}}}}}" for number in range(60))
        path = tmp_path / "plan.yaml"
        path.write_text(PLAN % (cases, engine))
        return path

    return write


@pytest.fixture
def without_gepa(monkeypatch):
    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == "gepa" else find_spec(name))


def test_a_wrong_name_says_which_would_be_right(plan):
    with pytest.raises(PlanError, match=r"plan.yaml:6: optimize.engine: unknown engine 'gpea'; did you mean 'gepa'\?"):
        load_plan(plan("gpea"))
    with pytest.raises(PlanError, match=r"optimize.engine: cannot import 'nowhere'"):
        load_plan(plan("nowhere:Engine"))
    with pytest.raises(PlanError, match=r"optimize.engine: 'json:dumps' is .*expected a subclass of .*SearchEngine"):
        load_plan(plan("json:dumps"))


def test_an_engine_that_rewrites_needs_a_rewriter(plan):
    pytest.importorskip("gepa")
    with pytest.raises(PlanError, match=r"optimize.engine: engine 'gepa' needs a model that rewrites: add optimize.re"):
        load_plan(plan("gepa"))
    assert load_plan(plan("gepa"), [REWRITER.removeprefix("--set=")]).manifest.optimize.engine == "gepa"


def test_a_class_of_the_users_own_is_found_beside_the_plan(plan, tmp_path):
    (tmp_path / "my_engine_beside.py").write_text(
        "from sharpen.optimizer.engines.base import Found, SearchEngine\n"
        "class Mine(SearchEngine):\n"
        "    name = 'mine'\n"
        "    async def search(self, context):\n"
        "        return Found()\n"
    )
    load_plan(plan("my_engine_beside:Mine"))
    assert engine_for("my_engine_beside:Mine", has_rewriter=False, base_dir=tmp_path).name == "mine"


def test_a_missing_package_is_named_with_its_extra_and_hinders_optimize_alone(plan, without_gepa, tmp_path, capsys):
    path = plan("gepa")
    with pytest.raises(
        MissingExtraError, match=r"engine 'gepa' needs an optional package: pip install 'sharpen\[gepa\]'"
    ):
        engine_for("gepa", has_rewriter=True)
    loaded = load_plan(path, [REWRITER.removeprefix("--set=")])
    assert any("sharpen[gepa]" in str(warning) for warning in estimates(loaded)[1])
    store = f"--store=sqlite:///{tmp_path}/s.db"
    assert main(["run", str(path), REWRITER, store, "--quiet"]) in (0, 1)
    capsys.readouterr()
    assert main(["optimize", str(path), REWRITER, store]) == 2
    error = capsys.readouterr().err
    assert "pip install 'sharpen[gepa]'" in error
    assert "Traceback" not in error


def test_a_check_loads_no_package_of_an_engine(plan, monkeypatch):
    pytest.importorskip("gepa")
    for name in [name for name in sys.modules if name.partition(".")[0] == "gepa"]:
        monkeypatch.delitem(sys.modules, name)
    load_plan(plan("gepa"), [REWRITER.removeprefix("--set=")], thorough=True)
    assert "gepa" not in sys.modules


def test_a_check_warns_of_keys_that_an_engine_does_nothing_with(plan):
    pytest.importorskip("gepa")
    own = [REWRITER.removeprefix("--set="), "optimize.strategies=[rewrite]"]
    told = [str(warning) for warning in estimates(load_plan(plan("gepa"), own))[1]]
    assert [line.partition("optimize.")[2] for line in told] == [
        "strategies: engine 'gepa' does nothing with it; 'race' does"
    ]
    assert not estimates(load_plan(plan("gepa"), own[:1]))[1]
    assert not estimates(load_plan(plan("race"), own))[1]


def test_check_tells_the_engine(plan, capsys):
    pytest.importorskip("gepa")
    assert main(["check", str(plan("gepa")), REWRITER]) == 0
    assert "(engine gepa)" in capsys.readouterr().out
    assert main(["check", str(plan("gepa")), REWRITER, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["optimize"]["engine"] == "gepa"
    assert main(["check", str(plan("race"))]) == 0
    assert "engine" not in capsys.readouterr().out


@pytest.mark.parametrize("engine", ["gepa", "mipro"])
def test_another_engine_goes_on_where_it_was_cut_off(engine, tmp_path):
    """Every process makes a few calls and dies; nothing is paid twice, and it ends as it would have."""
    for package in {"gepa": ["gepa"], "mipro": ["dspy", "optuna"]}[engine]:
        pytest.importorskip(package, reason=f"needs an extra for {engine}", exc_type=ImportError)
    keys = {
        "optimize": {"engine": engine, "rewriter": {"kind": "python", "function": "search_kit:reflect"}},
        "execution": {"concurrency": 1, "max_retries": 0, "cache": False},
    }
    whole = kit.search(kit.plan(tmp_path / "whole", **keys))
    asked, expected = kit.Model.asked, kit.story(whole)
    assert whole.engine == engine
    assert whole.verification is not None
    assert whole.verification.accepted
    assert len(asked) == whole.calls
    assert whole.calls == whole.baseline.total_tests + sum(each.calls for each in whole.candidates) + sum(
        each.startswith("rewriter") for each in asked
    )
    path = kit.plan(tmp_path / "cut", **keys)
    before, deaths, outcome = kit.cut_off(path, 3), 1, None
    while outcome is None:
        try:
            outcome = kit.go_on(path, dies_at=5 + deaths % 3)
        except kit.Died:
            deaths += 1
        before = before + kit.Model.asked
    assert kit.story(outcome) == expected
    assert deaths >= 3
    assert kit.repeated(before, [], asked).total() <= 2 * deaths


def test_the_terminal_and_the_page_name_the_engine(tmp_path, capsys):
    pytest.importorskip("gepa")
    path = kit.plan(
        tmp_path / "p",
        optimize={"engine": "gepa", "rewriter": {"kind": "python", "function": "search_kit:reflect"}},
    )
    kit.Model.reset()
    page = tmp_path / "report.html"
    main(["optimize", str(path), f"--store=sqlite:///{tmp_path}/s.db", "--output", str(page)])
    assert "Engine: gepa" in capsys.readouterr().out
    assert "found by the engine <b>gepa</b>" in page.read_text()
    kit.Model.reset()
    main(["optimize", str(path), f"--store=sqlite:///{tmp_path}/t.db", "--set=optimize.engine=race"])
    assert "Engine:" not in capsys.readouterr().out
