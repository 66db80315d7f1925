import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sharpen.assertions.base import AssertionResult
from sharpen.config.models import Case
from sharpen.config.targets import ScriptedRule
from sharpen.errors import ErrorKind, StoreError, UnknownNameError
from sharpen.executor.models import TaskError, TaskResult, TaskStatus
from sharpen.storage.export import export_run
from sharpen.storage.store import Store
from sharpen.testing.storage_suite import make_result, make_run, record
from sharpen.testing.version_suite import make_prompt, make_version

RESULTS = (
    make_result("b", output="two\nlines, “ü”", execution_time=0.25, prompt_tokens=7, completion_tokens=2, cost=None),
    make_result(
        "a",
        status=TaskStatus.FAILED,
        output="",
        assertion_results=(
            AssertionResult(type="equals", passed=False, score=0, reason="not billing"),
            AssertionResult(type="regex", passed=True, score=1),
        ),
    ),
    make_result("c", status=TaskStatus.ERROR, error=TaskError(kind=ErrorKind.SERVER, message="HTTP 500")),
)
CASES = (Case(id="a", vars={"text": "x", "n": 1}, expected={"k": [1]}), Case(id="b", vars={"flag": True}, expected="y"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        record(store, make_run("run-1", RESULTS), cases=CASES)
        yield store


def test_jsonl_holds_each_result_whole_with_its_inputs(store: Store) -> None:
    lines = [json.loads(line) for line in export_run(store, "run")]
    assert [(line.pop("vars"), line.pop("expected")) for line in lines] == [
        ({"flag": True}, "y"),
        ({"text": "x", "n": 1}, {"k": [1]}),
        ({}, None),
    ]
    assert tuple(map(TaskResult.model_validate, lines)) == RESULTS


def test_recorded_lines_are_rules_that_the_scripted_target_accepts(store: Store) -> None:
    lines = [json.loads(line) for line in export_run(store, "run-1", "recorded")]
    assert lines[0] == {
        "case_id": "b", "output": "two\nlines, “ü”", "prompt_tokens": 7, "completion_tokens": 2, "latency_ms": 250.0,
    }  # fmt: skip
    assert [ScriptedRule.model_validate(line).case_id for line in lines] == ["b", "a"]  # c has no answer to replay


def test_csv_is_read_back_by_any_reader(store: Store) -> None:
    rows = list(csv.DictReader(io.StringIO("\n".join(export_run(store, "run-1", "csv")))))
    assert [row["case_id"] for row in rows] == ["b", "a", "c"]
    assert rows[0]["output"] == "two\nlines, “ü”"
    assert (rows[0]["vars.flag"], rows[0]["vars.text"], rows[0]["expected"], rows[0]["cost"]) == ("true", "", "y", "")
    assert (rows[1]["vars.n"], rows[1]["expected"], rows[1]["failed_assertions"]) == (
        "1",
        '{"k": [1]}',
        "equals: not billing",
    )
    assert (rows[2]["status"], rows[2]["error_kind"], rows[2]["error_message"]) == ("error", "server", "HTTP 500")


def test_mistakes_are_heard_at_the_call(store: Store) -> None:
    with pytest.raises(UnknownNameError, match="unknown export format 'jsnl'; did you mean 'jsonl'"):
        export_run(store, "run-1", "jsnl")
    with pytest.raises(UnknownNameError, match="unknown run 'nope'"):
        export_run(store, "nope")


def test_a_reader_that_stops_early_frees_the_store(store: Store) -> None:
    lines = export_run(store, "run-1")
    next(lines)
    lines.close()  # type: ignore[attr-defined] # a generator
    assert store.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined] # of a queue pool


def test_altered_prompts_are_noticed(store: Store) -> None:
    version = make_version()
    store.versions.add(version)
    assert store.prompts.save(version.prompt) == version.content_hash
    assert store.prompts.get("0" * 64) is None
    with store.database.write() as connection:
        connection.exec_driver_sql("""UPDATE prompts SET messages = '[{"role":"user","content":"evil"}]'""")
    with pytest.raises(StoreError, match=f"prompt {version.content_hash[:12]}… of store .* was altered"):
        store.prompts.get(version.content_hash)
    from sharpen.versions.version_manager import VersionManager

    with pytest.raises(StoreError, match=r"version 1\.0\.0 of 'triage' was altered"):
        VersionManager(store.versions).get("triage", "1.0.0")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE runs SET statistics = 'x'",
        "UPDATE runs SET status = 'x'",
        "UPDATE results SET score = 7 WHERE case_id='a'",
    ],
)
def test_a_record_that_was_spoiled_is_no_traceback(store: Store, damage: str) -> None:
    with store.database.write() as connection:
        connection.exec_driver_sql(damage)
    with pytest.raises(StoreError, match="holds a record that cannot be understood: "):
        store.runs.load_result("run-1")


def test_a_version_with_a_wrong_hash_is_not_taken(store: Store) -> None:
    wrong = make_version().model_copy(update={"prompt": make_prompt("other")})
    with pytest.raises(StoreError, match=r"version 1\.0\.0 of 'triage' has not the hash of its contents"):
        store.versions.add(wrong)


def test_ids_and_texts_that_databases_dislike(store: Store) -> None:
    odd = "a\x00b \ud800 \x01json:x ✓"
    run = make_run(odd, [make_result(odd, output="\x01json:plain")], workflow_id=odd)
    record(store, run)
    assert store.runs.load_result(odd) == run
    assert store.runs.get(odd).case_ids == (odd,)
    assert [found.run_id for found in store.runs.list(odd)] == [odd]


def test_results_of_a_run_that_was_resumed_with_fewer_cases(store: Store) -> None:
    record(store, make_run("run-1", RESULTS[:2]))
    loaded = store.runs.load_result("run-1")
    assert loaded.task_results == RESULTS
    assert loaded.statistics.total_tasks == 3


def test_json_holds_all_that_is_known_of_a_run(store: Store) -> None:
    document = json.loads("\n".join(export_run(store, "run", "json")))
    assert document["run"]["run_id"] == "run-1"
    assert [case["id"] for case in document["cases"]] == ["b", "a"]
    assert [TaskResult.model_validate(result) for result in document["results"]] == list(RESULTS)
    assert document["decision"] is None
