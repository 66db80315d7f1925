"""Searches that the baseline shows to be paid for nothing."""

from __future__ import annotations

import json

from cli_kit import Cli


def plan(failing: set[int], **changes: object) -> dict[str, object]:
    rules = [{"case_id": f"c{n:02}", "output": "no"} for n in sorted(failing)]
    return {
        "workflow_id": "w",
        "prompt": {"user": "Which one? {{ n }}"},
        "target": {"kind": "scripted", "rules": rules, "default": {"output": "yes"}},
        "dataset": [{"id": f"c{n:02}", "vars": {"n": n}, "expected": "yes"} for n in range(60)],
        "assertions": [{"type": "equals", "value": "{{ expected }}"}],
        "rules": {"min_success_rate": 0.99},
        "execution": {"cache": False},
        "optimize": {"strategies": ["format_focus"]},
    } | changes


def optimize(cli: Cli, given: dict[str, object]) -> dict[str, object]:
    (cli.directory / "plan.json").write_text(json.dumps(given), "utf-8")
    found: dict[str, object] = cli("optimize", "plan.json", "--json").json
    return found


def test_too_few_held_out_cases_are_left_to_win(cli: Cli) -> None:
    found = optimize(cli, plan({1, 2, 3}))
    assert (found["calls"], found["candidates"], found["result"]) == (60, [], None)
    (note,) = found["notes"]  # type: ignore[misc]
    assert "not passed already, and 6 have to change to prove a gain" in note
    assert "fresh cases are due" in note
    assert "fresh cases are due" in cli("optimize", "plan.json").out.replace("\n  ", " ")


def test_what_saves_tokens_may_be_proved_where_all_pass(cli: Cli) -> None:
    weighted = plan({1, 2, 3}, optimize={"strategies": ["efficiency_focus"]})
    assert not any("have to change" in note for note in optimize(cli, weighted)["notes"])  # type: ignore[attr-defined]


def test_what_would_save_tokens_but_is_not_tried_proves_nothing(cli: Cli) -> None:
    wordy = "Please, if you would be so kind, just answer basically yes or no, actually. Which one? {{ n }}"
    found = optimize(cli, plan({1, 2, 3}, prompt={"user": wordy}))
    assert found["decision"]["strategy"] == "efficiency_focus"  # type: ignore[call-overload, index]
    assert (found["calls"], found["candidates"]) == (60, [])


def test_enough_are_left(cli: Cli) -> None:
    assert optimize(cli, plan(set(range(30))))["candidates"]


def test_a_target_that_never_answers_is_no_matter_of_the_prompt(cli: Cli) -> None:
    function = "def answer(request):\n    raise RuntimeError(f'out of order: {request.case_id}')\n"
    (cli.directory / "broken.py").write_text(function, "utf-8")
    found = optimize(cli, plan(set(), target={"kind": "python", "function": "broken:answer"}))
    assert found["calls"] == 60
    assert found["notes"] == ["no call was answered (server), and no other prompt changes that"]
