"""What went wrong, through the commands: of a run all of it, of a search nothing that is held out."""

from __future__ import annotations

from pathlib import Path

from cli_kit import Cli


def test_run_decide_and_show_tell_it(cli: Cli) -> None:
    cli.plan()
    done = cli("run", "plan.yaml", "-o", "report.html")
    assert "What went wrong (30 of 30 cases)" in done.out
    assert 'id="patterns"' in Path("report.html").read_text("utf-8")
    assert "What went wrong (30 of 30 cases)" in cli("decide", "plan.yaml").out
    run = cli("run", "plan.yaml", "--json").json
    assert run["patterns"]["failures"] == sum(group["size"] for group in run["patterns"]["groups"]) == 30
    assert cli("decide", run["run"]["run_id"], "--json").json["patterns"] == run["patterns"]
    assert cli("runs", "show", run["run"]["run_id"], "--json").json["patterns"] == run["patterns"]


def test_what_is_held_out_stays_out_wherever_a_search_is_told_of(cli: Cli) -> None:
    cli.plan()
    found = cli("optimize", "plan.yaml", "--json").json
    patterns, learned = found["patterns"], {*found["split"]["train"], *found["split"]["dev"]}
    assert patterns["cases"] == len(learned) < 30
    assert {e["case_id"] for group in patterns["groups"] for e in group["examples"]} <= learned
    assert cli("decide", "plan.yaml", "--json").json["patterns"] == patterns  # by the search's own baseline
    baseline = found["baseline_run"]["run_id"]
    assert cli("runs", "show", baseline, "--json").json["patterns"] == patterns
    held_out = found["holdout_run"]["run_id"]
    assert cli("runs", "show", held_out, "--json").json["patterns"] is None
    assert "the train and dev cases, without those held out" in cli("runs", "show", found["run_id"]).out
