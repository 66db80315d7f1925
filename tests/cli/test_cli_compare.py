"""``compare``: what else differs is said first, versions have runs, coins are no repairs, and pages hold it all."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from cli_kit import Cli, right_model, routing_cases, wrong_model

_MODULES = itertools.count()
ONE_ANSWER = ("--set", "target={kind: scripted, default: {output: billing}}")


def flaky(cli: Cli, coins: str) -> dict[str, Any]:
    """A Python target that is right, but for the cases in ``coins`` only at every second call."""
    module = f"flaky_model_{next(_MODULES)}"
    cli.write(
        f"{module}.py",
        "from collections import Counter\n\nCALLS = Counter()\n\n"
        "def answer(request):\n"
        "    queue = next(q for q, w in {'billing': 'invoice', 'shipping': 'parcel', 'technical': 'crash'}.items()\n"
        "                 if w in request.messages[-1].content)\n"
        "    CALLS[request.case_id] += 1\n"
        f"    coin = request.case_id in {coins.split()!r} and CALLS[request.case_id] % 2\n"
        "    return 'no idea' if coin else queue\n",
    )
    return {"kind": "python", "function": f"{module}:answer"}


def run(cli: Cli, *options: str) -> str:
    return str(cli("run", "plan.yaml", "--json", *options).json["run"]["run_id"])


def test_other_parameters_and_cases_are_said_first_and_loudly(cli: Cli) -> None:
    cases = routing_cases(12)
    cli.plan(target=right_model(), dataset=cases)
    first = run(cli)
    changed = [*cases[1:], {"id": "new", "vars": {"message": "My invoice."}, "expected": "billing"}]
    changed[0] = {**changed[0], "vars": {"message": "Another parcel."}}
    cli.plan(target=wrong_model(), dataset=changed, assertions=[{"type": "contains", "value": "{{ expected }}"}])
    second = run(cli)
    found = cli("compare", first, second, "--json").json
    data = found["data"]
    assert (data["paired"], data["changed_ids"]) == (10, ["case-01"])
    assert (data["only_first_ids"], data["only_second_ids"]) == (["case-00"], ["new"])
    assert [item["aspect"] for item in found["differences"]][:3] == ["data set"] * 3
    assert {"model", "grading"} < {item["aspect"] for item in found["differences"]}
    assert "case-01" not in found["broken"]
    assert len(found["broken"]) == 10
    shown = cli("compare", first, second)
    assert shown.out.startswith(
        "! Not only the prompt: these runs are not alike\n    data set: 1 case only in the first"
    )
    assert all(len(line) <= 80 for line in shown.out.splitlines())


def test_a_regression_may_fail_a_build(cli: Cli) -> None:
    cli.plan(target=right_model(), cases=12)
    good = run(cli)
    bad = run(cli, *ONE_ANSWER)
    slightly = run(cli, "--set", "dataset.limit=3", *ONE_ANSWER)
    assert cli("compare", good, bad).code == 0
    worse = cli("compare", good, bad, "--fail-on", "regression", "--json")
    assert worse.code == 1
    assert worse.json["metrics"][0]["verdict"] == "worse"
    assert cli("compare", good, bad, "--fail-on", "success", "-q").code == 1
    assert cli("compare", bad, good, "--fail-on", "broken").code == 0
    assert cli("compare", good, slightly, "--fail-on", "success").code == 0  # two cases prove nothing
    assert cli("compare", good, slightly, "--fail-on", "broken").code == 1
    assert cli("compare", good, bad, "--fail-on", "rain").code == 2


def test_repeats_show_coins_in_the_report_of_a_run_and_in_comparisons(cli: Cli) -> None:
    plan = {"target": flaky(cli, "case-01 case-04"), "execution": {"repeats": 3, "cache": False}}
    cli.plan(cases=8, **plan)
    first = run(cli)
    reported = cli("run", "plan.yaml", "-o", "r.html", "-o", "r.md", "-o", "r.json")
    assert "2 of 8 cases are coins over 3 repeats; 6 always passed, 0 never did." in reported.out
    assert "2 of 8 cases are coins" in Path("r.html").read_text("utf-8")
    assert "pass^k" in Path("r.md").read_text("utf-8")
    second = json.loads(Path("r.json").read_text("utf-8"))["run"]["run_id"]
    shown = cli("runs", "show", second, "--json").json["flakiness"]
    assert (shown["basis"], shown["coins"], shown["run_ids"]) == ("repeats", 2, [second])
    assert {item["case_id"] for item in shown["per_case"] if item["state"] == "coin"} == {"case-01", "case-04"}
    assert [item["k"] for item in shown["pass_at"]] == [1, 2, 3]
    found = cli("compare", first, second, "--json").json
    assert (found["flaky"], found["fixed"], found["broken"]) == (["case-01", "case-04"], [], [])
    assert found["metrics"][0]["test"] == "sign-flip test on cases (exact)"
    assert "what differs is chance, or was changed where sharpen does not see it" in found["notes"][0]
    assert "Flakiness of the second run" in cli("compare", first, second).out


def test_a_case_that_one_side_asked_only_once_may_be_a_coin_however_often_the_other_did(cli: Cli) -> None:
    cli.plan(cases=8, target=right_model(), execution={"cache": False})
    often = run(cli, "--set", "execution.repeats=4")
    once = run(cli, *ONE_ANSWER)
    for pair in ((often, once), (once, often)):
        notes = cli("compare", *pair, "--json").json["notes"]
        assert sum("called fixed or broken were asked only once in one of the runs" in note for note in notes) == 1
    again = run(cli, "--set", "execution.repeats=4", *ONE_ANSWER)
    assert not any("asked only once" in note for note in cli("compare", often, again, "--json").json["notes"])


def test_a_run_that_is_compared_with_itself_is_told_so(cli: Cli) -> None:
    cli.plan(cases=8, target=right_model(), execution={"cache": False})
    only = run(cli)
    assert f"name {only}" in cli("compare", only, only[:-2], "--json").json["notes"][0]


def test_runs_of_the_same_prompt_show_coins_where_each_case_was_asked_once(cli: Cli) -> None:
    cli.plan(cases=8, target=flaky(cli, "case-01 case-04"), execution={"cache": False})
    runs = [run(cli) for _ in range(3)]
    found = cli("compare", runs[0], runs[1], "--json").json
    assert (found["flaky"], found["fixed"]) == (["case-01", "case-04"], [])
    assert found["changes"][0]["elsewhere"] == {"passes": 1, "runs": 3, "errors": 0}
    shown = cli("runs", "show", runs[2])
    assert "2 of 8 cases are coins over 3 answers in 3 runs" in shown.out
    assert "By the runs with the same prompt, model and cases: " in shown.out
    assert cli("runs", "show", runs[2], "--json").json["flakiness"]["basis"] == "runs"
    assert "coins" not in cli("run", "plan.yaml").out  # the report of a run tells of its own repeats alone
    other = run(cli, "--set", 'prompt={user: "Sort this, please. {{ message }}"}')
    mixed = cli("compare", runs[0], other, "--json").json
    assert mixed["flaky"] == ["case-01", "case-04"]
    assert any("also known from other runs" in note for note in mixed["notes"])


def test_answers_from_the_cache_prove_no_steadiness(cli: Cli) -> None:
    cli.plan(cases=8, target=right_model())
    first, second = run(cli), run(cli)
    assert cli("runs", "show", second, "--json").json["flakiness"] is None
    found = cli("compare", first, second, "--json").json
    assert found["second"]["cached"] == 8
    assert any(note.startswith("8 answers of the second run came from the cache") for note in found["notes"])
    assert found["metrics"][1]["cases"] == 0


def test_one_answer_each_is_said_to_be_little(cli: Cli) -> None:
    cli.plan(cases=8, target=wrong_model())
    first = run(cli)
    found = cli("compare", first, run(cli, *ONE_ANSWER), "--json").json
    assert any("asked only once in one of the runs" in note for note in found["notes"])


def test_groups_count_once_and_a_data_set_that_is_gone_is_said(cli: Cli) -> None:
    cases = [case | {"group": f"g{number // 4}"} for number, case in enumerate(routing_cases(24))]
    cli.write("cases.jsonl", cases)
    cli.plan(target=right_model(), dataset="cases.jsonl")
    first = run(cli)
    second = run(cli, *ONE_ANSWER)
    found = cli("compare", first, second, "--json").json
    assert (found["metrics"][0]["cases"], found["metrics"][0]["units"]) == (24, 6)
    assert found["metrics"][0]["test"] == "sign-flip test on groups (exact)"
    assert any("24 cases in 6 groups" in note for note in found["notes"])
    cli.write("cases.jsonl", routing_cases(3))
    later = cli("compare", first, second, "--json").json
    assert later["metrics"][0]["units"] == 24
    assert any("groups of its cases are not known" in note for note in later["notes"])


def test_versions_are_compared_by_their_newest_runs_that_are_alike(cli: Cli) -> None:
    cli.plan(cases=60)
    assert cli("optimize", "plan.yaml", "--quiet").code == 0
    by_proof = cli("compare", "routing@1.0.0", "routing@latest", "--json").json
    assert (by_proof["first"]["version"], by_proof["first"]["purpose"]) == ("1.0.0", "baseline")
    assert by_proof["second"]["purpose"] == "holdout"
    cli("run", "plan.yaml", "--quiet")
    Path("new.md").write_text(cli("versions", "show", "--format", "prompt").out, "utf-8")
    second = run(cli, "--set", "prompt=new.md")
    found = cli("compare", "routing@1.0.0", "@latest", "--json").json
    assert found["second"]["run_id"] == second
    assert found["second"]["label"] == "@latest"
    assert found["data"]["paired"] == 60
    assert found["prompt_diff"].startswith(f"--- {found['first']['run_id']}\n+++ {second}\n")
    mixed = cli("compare", found["first"]["run_id"], "routing@latest", "--json").json
    assert mixed["second"]["run_id"] == second
    assert cli("compare", "routing@9.9.9", second).code == 2
    assert "9.9.9" in cli("compare", "routing@9.9.9", second).err


def test_after_a_rollback_comparison_and_history_call_a_run_the_version_of_its_time(cli: Cli) -> None:
    cli.plan(cases=4, target=right_model())
    first = run(cli)
    (cli.directory / "old.md").write_text("Sort: {{ message }}", "utf-8")
    (cli.directory / "new.md").write_text("Sort this: {{ message }}", "utf-8")
    runs = {}
    for number, file in (("1.0.0", "old.md"), ("1.0.1", "new.md")):
        assert cli("versions", "create", file, "-w", "routing").code == 0
        runs[number] = run(cli, "--set", f"prompt={file}")
    assert cli("versions", "rollback", "routing", "1.0.0").code == 0
    runs["1.0.2"] = run(cli, "--set", "prompt=old.md")
    told = {one["run_id"]: one["version"] for one in cli("history", "routing", "--json").json["history"]["runs"]}
    assert told == {first: None} | {run_id: number for number, run_id in runs.items()}
    for number, run_id in runs.items():
        compared = cli("compare", first, run_id, "--json").json
        assert (compared["first"]["version"], compared["second"]["version"]) == (None, number)
    assert cli("compare", first, "routing@1.0.0", "--json").json["second"]["version"] == "1.0.0"
    assert cli("compare", first, "routing@latest", "--json").json["second"]["version"] == "1.0.2"


def test_a_version_that_was_never_run_says_so(cli: Cli) -> None:
    from sharpen import wiring
    from sharpen.optimizer.models import Prompt

    cli.plan(cases=4, target=right_model())
    only = run(cli)
    with wiring.open_store(None) as store:
        never = Prompt(id="p", messages=({"role": "user", "content": "Never run: {{ message }}"},))
        wiring.version_manager(store).create("routing", never)
    found = cli("compare", "routing@1.0.0", only)
    assert found.code == 2
    assert found.err.startswith(
        "error: 'routing@1.0.0' was never run: the store holds no run with the prompt of version"
    )


def test_a_comparison_is_a_page_a_comment_and_a_document(cli: Cli) -> None:
    cli.plan(cases=18, target=right_model(), description="<b>", execution={"repeats": 2})
    first = run(cli)
    second = run(cli, *ONE_ANSWER, "--set", 'prompt={user: "<i>{{ message }}"}')
    done = cli("compare", first, second, "-o", "c.html", "-o", "c.md", "-o", "c.json")
    assert done.code == 0
    page = Path("c.html").read_text("utf-8")
    assert "Not only the prompt" in page
    assert "&lt;i&gt;{{ message }}" in page
    assert "<i>{{" not in page
    comment = Path("c.md").read_text("utf-8")
    assert comment.startswith("<!-- sharpen report -->\n### ")
    assert "orse success" in comment.splitlines()[1]
    assert "**Broken (12)**: case-01, " in comment
    document = json.loads(Path("c.json").read_text("utf-8"))
    assert document["broken"] == [item["case_id"] for item in document["changes"] if item["kind"] == "broken"]
    assert cli("compare", first, second, "-o", "c.html", "-o", "c.md", "-o", "c.json", "-q").code == 0  # written again


@pytest.mark.parametrize("command", [("compare", "nothing", "nothing"), ("history", "nothing")])
def test_what_cannot_be_written_is_refused_before_anything_is_looked_up(cli: Cli, command: tuple[str, ...]) -> None:
    refused = cli(*command, "-o", "c.junit.xml")
    assert refused.code == 2
    assert "is no list of tests; expected .html, .json or .md" in refused.err
    assert "expected a name that ends in .html, .json, .md\n" in cli(*command, "-o", "c.pdf").err


def test_a_version_without_its_workflow_is_asked_for_it(cli: Cli) -> None:
    cli.plan(cases=3, target=right_model())
    only = run(cli)
    assert "'routing@1.0.0' is no run: the store holds no version yet" in cli("compare", only, "routing@1.0.0").err
    cli.write("prompt.md", "Which queue? {{ message }}")
    for workflow in ("routing", "other"):
        assert cli("versions", "create", "prompt.md", "--workflow", workflow).code == 0
    asked = cli("compare", only, "@1.0.0").err
    assert asked == "error: '@1.0.0': whose? the store holds versions of other, routing; expected WORKFLOW@1.0.0\n"


@pytest.mark.parametrize("names", [("nothing", "nothing"), ("@latest", "@latest"), ("other@1.0.0", "other@1.0.0")])
def test_what_is_not_there_is_named(cli: Cli, names: tuple[str, str]) -> None:
    cli.plan(cases=3, target=right_model())
    run(cli)
    found = cli("compare", *names)
    assert found.code == 2
    assert found.err.startswith("error: ")
    assert "Traceback" not in found.err
