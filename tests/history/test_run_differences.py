"""What else differs between two runs comes first, the loud things before the others."""

from __future__ import annotations

from dataclasses import replace

from sharpen.executor.models import RunStatus
from sharpen.history.models import DataSetMatch
from sharpen.history.run_differences import RunFacts, differences

TARGET = {"kind": "openai", "model": "a", "params": {"temperature": 0, "stop": ["\n"]}}
FACTS = RunFacts(
    RunStatus.COMPLETED, "hash-1", TARGET, [{"type": "equals", "value": "x"}], {"concurrency": 8, "repeats": 1}, 10, 10
)
SAME = DataSetMatch(paired=10)


def told(second: RunFacts, data: DataSetMatch = SAME) -> list[tuple[str, str, bool]]:
    return [(item.aspect, item.text, item.loud) for item in differences(FACTS, second, data)]


def test_equal_runs_differ_in_nothing() -> None:
    assert told(FACTS) == []


def test_another_prompt_is_what_one_compares() -> None:
    assert told(replace(FACTS, prompt_hash=None)) == [("prompt", "another prompt (hash-1 → unknown)", False)]


def test_another_model_and_its_parameters_are_told_key_by_key() -> None:
    target = {"kind": "openai", "model": "b", "params": {"temperature": 0.7, "top_p": 1}}
    assert told(replace(FACTS, target=target)) == [
        ("model", "model: a → b", True),
        ("parameters", "params.temperature: 0 → 0.7", True),
        ("parameters", 'params.stop: ["\\n"] → not set', True),
        ("parameters", "params.top_p: not set → 1", True),
    ]


def test_other_grading_other_cases_and_a_cut_run_are_loud_conditions_are_not() -> None:
    other = replace(
        FACTS,
        status=RunStatus.BUDGET_EXHAUSTED,
        assertions=[{"type": "contains"}, "odd"],
        execution={"concurrency": 64, "repeats": 1},
        finished=4,
    )
    data = DataSetMatch(
        paired=3, only_first=7, only_first_ids=tuple("abcdefg"), changed=1, changed_ids=("x",), only_second=0
    )
    assert told(other, data) == [
        ("data set", "7 cases only in the first run: a, b, c, d, e and 2 more", True),
        ("data set", "1 case of the same id but other content, which makes them other cases: left out: x", True),
        ("grading", "other assertions: equals → contains, odd", True),
        ("completeness", "the second run ended budget exhausted: 4 of 10 tests have a result", True),
        ("conditions", "execution.concurrency: 8 → 64", False),
    ]
    running = told(replace(FACTS, status=RunStatus.RUNNING))
    assert running[0][1] == "the second run is still running, or was killed: 10 of 10 tests have a result"


def test_long_values_are_cut() -> None:
    (found,) = told(replace(FACTS, target={**TARGET, "model": "m" * 100}))
    assert found[1] == f"model: a → {'m' * 59}…"
