"""JSON, JUnit XML and Markdown, and how reports become files."""

from __future__ import annotations

import json
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from factories import (
    make_case,
    make_decision,
    make_outcome,
    make_report,
    make_run,
    make_task,
    nothing_to_do,
    triage_cases,
    unfinished_run,
)
from sharpen.errors import UserError
from sharpen.executor.models import RunExecutionResult, TaskStatus
from sharpen.optimizer.models import Decision, TestExecutionReport
from sharpen.reporting import writer
from sharpen.reporting.json_document import dumps, optimization_document, run_document
from sharpen.reporting.junit import optimization_junit, run_junit
from sharpen.reporting.markdown import optimization_markdown, run_markdown
from sharpen.reporting.writer import MARK, OptimizationOutput, RunOutput, check_output_paths, write_output

EVIL = "a | b\n`c` <script>x</script> \x1b[31m\x00 @team http://evil.example [l](javascript:x) ]]>"


def test_a_run_document_reads_back_as_the_same_models() -> None:
    run = make_run()
    document = json.loads(dumps(run_document(run, make_report(run), make_decision())))
    assert set(document) == {"run", "report", "decision", "patterns", "flakiness", "time"}
    assert RunExecutionResult.model_validate(document["run"]) == run
    assert TestExecutionReport.model_validate(document["report"]) == make_report(run)
    assert Decision.model_validate(document["decision"]) == make_decision()
    assert run_document(run, None, None)["decision"] is None


def test_an_optimization_document_holds_the_names_scripts_rely_on() -> None:
    outcome = make_outcome(30)
    document = json.loads(dumps(optimization_document(outcome)))
    assert type(outcome).model_validate(document) == outcome
    for key in ("baseline", "decision", "candidates", "result", "verification", "version", "calls", "stop_reason"):
        assert key in document
    assert document["baseline"]["total_tests"] == 30
    assert [candidate["calls"] for candidate in document["candidates"]] == [45, 90, 90, 0]
    assert document["candidates"][1]["dev"]["success_rate"] == 0.844
    idle = optimization_document(nothing_to_do())
    assert (idle["result"], idle["version"], idle["verification"]) == (None, None, None)


def test_documents_are_valid_json_whatever_metadata_brought() -> None:
    metadata = {"nan": float("nan"), "inf": [float("-inf")], "path": Path("x"), "keys": {3: {1}}, "bad": "\ud800"}
    run = make_run(metadata=metadata)
    text = dumps(run_document(run, None, None))
    found = json.loads(text, parse_constant=lambda name: pytest.fail(name))["run"]["metadata"]
    assert found == {"nan": None, "inf": [None], "path": "x", "keys": {"3": [1]}, "bad": "?"}
    text.encode()


def _parse(text: str) -> ET.Element:
    """What the common schema asks: names, counts that add up, one outcome at most for each case, in known order."""
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n')
    root = ET.fromstring(text.encode())
    assert root.tag == "testsuites"
    for suite in root:
        assert suite.tag == "testsuite"
        cases = suite.findall("testcase")
        assert int(suite.attrib["tests"]) == len(cases)
        for tag, key in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert int(suite.attrib[key]) == sum(case.find(tag) is not None for case in cases)
            assert int(root.attrib[key]) == sum(int(s.attrib[key]) for s in root)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
        for case in cases:
            assert case.attrib["name"]
            assert case.attrib["classname"]
            assert float(case.attrib["time"]) >= 0
            tags = [child.tag for child in case]
            assert sum(tag in ("failure", "error", "skipped") for tag in tags) <= 1
            assert tags == sorted(tags, key=lambda tag: tag == "system-out")
    return root


def test_junit_maps_every_status() -> None:
    tasks = [make_task(status.value, status) for status in TaskStatus]
    (suite,) = _parse(run_junit(make_run(tasks), [make_case("failed", expected="shipping")]))
    found = {case.attrib["name"]: [child.tag for child in case if child.tag != "system-out"] for case in suite[1:]}
    assert found == {
        "pending": ["skipped"], "running": ["skipped"], "cancelled": ["skipped"], "succeeded": [],
        "failed": ["failure"], "timeout": ["error"], "error": ["error"],
    }  # fmt: skip
    failure = suite.find(".//failure")
    assert failure is not None
    assert failure.attrib == {
        "message": "equals: expected 'shipping', got 'billing' expected: shipping",
        "type": "equals",
    }
    assert [e.attrib["type"] for e in suite.iter("error")] == ["timeout", "server"]


def test_junit_survives_hostile_output_and_repeats() -> None:
    tasks = [make_task("case-1", TaskStatus.FAILED, repeat=n, output=EVIL + "\ufffe" * 3) for n in range(2)]
    (suite,) = _parse(run_junit(make_run(tasks, workflow_id=EVIL), [make_case()]))
    names = [case.attrib["name"] for case in suite.findall("testcase")]
    assert names == ["case-1 #1", "case-1 #2"]
    out = suite.find(".//system-out")
    assert out is not None
    assert out.text is not None
    assert "<script>x</script>" in out.text
    assert "\x1b" not in out.text
    (long,) = _parse(run_junit(make_run([make_task(output="x" * 50_000)])))
    assert "40,000 of 50,000 characters left out" in (long.findtext(".//system-out") or "")


def test_junit_of_an_optimization_reports_the_prompt_to_use_now() -> None:
    (won,) = _parse(optimization_junit(make_outcome(40), triage_cases(40)))
    assert won.attrib["name"] == "support-triage 2.0.0"
    assert int(won.attrib["tests"]) == 16
    (kept,) = _parse(optimization_junit(make_outcome(40, candidate_rate=0.2), triage_cases(40)))
    assert (kept.attrib["name"], kept.attrib["tests"]) == ("support-triage", "40")


def test_markdown_is_the_size_of_a_comment() -> None:
    outcome = make_outcome()
    text = run_markdown(outcome.baseline_run, outcome.baseline, outcome.decision, triage_cases())
    assert text.startswith("### ❌ support-triage: 53.3% passed\n")
    assert "| Success rate | 53.3% |" in text
    assert "#### Failing cases (70)" in text
    assert "… and 60 more" in text
    better = optimization_markdown(outcome, triage_cases())
    assert better.startswith("### ✅ support-triage: New version 2.0.0: +40.0 points\n")
    assert "| Measure | Baseline | Candidate | Difference |\n| --- | ---: | ---: | ---: |\n" in better
    assert "-Please kindly have a look" in better
    assert "#### Broken by the candidate (4)" in better
    assert len(better) < 6_000
    assert "Nothing to optimize" in optimization_markdown(nothing_to_do())
    assert "3 did not run" in run_markdown(unfinished_run(), None, None)


def test_markdown_tables_survive_hostile_output() -> None:
    run = make_run([make_task(EVIL, TaskStatus.FAILED, output=EVIL)], run_id=EVIL, workflow_id=EVIL)
    text = run_markdown(run, make_report(run), make_decision(), [make_case(EVIL)])
    row = next(line for line in text.splitlines() if line.startswith("| a &#124; b"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 4
    text = re.sub("`[^`\n]*`", "", text)  # nothing is markup in a code span
    for forbidden in ("<script", "http://", "@team", "\x1b", "\x00"):
        assert forbidden not in text
    assert not re.search(r"(?<!\\)\]\(", text)


def test_a_diff_with_fences_stays_inside_its_fence() -> None:
    outcome = make_outcome(30)
    result = outcome.result
    assert result is not None
    prompt = result.optimized_prompt
    content = "\n".join(f"line {n}" for n in range(300))
    message = prompt.messages[0].model_copy(update={"content": content})
    result = result.model_copy(update={"optimized_prompt": prompt.model_copy(update={"messages": (message,)})})
    text = optimization_markdown(outcome.model_copy(update={"result": result}))
    assert "\n```diff\n" in text
    assert "more lines" in text
    short = message.model_copy(update={"content": "````"})
    result = result.model_copy(update={"optimized_prompt": prompt.model_copy(update={"messages": (short,)})})
    assert "\n`````diff\n" in optimization_markdown(outcome.model_copy(update={"result": result}))


@pytest.mark.parametrize("name", ["r.html", "r.json", "r.junit.xml", "r.md", "deep/er/R.HTML"])
def test_the_suffix_chooses_the_format(tmp_path: Path, name: str) -> None:
    outcome = make_outcome(30)
    first = write_output(tmp_path / name, RunOutput(outcome.baseline_run, outcome.baseline, outcome.decision))
    one = first.read_text(encoding="utf-8")
    two = write_output(tmp_path / name, OptimizationOutput(outcome, triage_cases(30))).read_text(encoding="utf-8")
    assert one != two
    start = {"html": "<!doctype html>", "json": "{", "xml": "<?xml", "md": f"{MARK}\n###"}[
        name.lower().rsplit(".", 1)[1]
    ]
    assert one.startswith(start)
    assert two.startswith(start)
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_mistakes_are_named_before_anything_is_paid(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown output format .*'.*x\.pdf'; expected .*\.html, \.json, \.junit\.xml"):
        check_output_paths([tmp_path / "a.html", tmp_path / "x.pdf"])
    with pytest.raises(UserError, match=r"x\.xml"):
        check_output_paths([tmp_path / "x.xml"])
    (tmp_path / "d.html").mkdir()
    with pytest.raises(UserError, match="is a directory"):
        check_output_paths([str(tmp_path / "d.html")])
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file; expected a directory"):
        check_output_paths([tmp_path / "file" / "r.html"])
    check_output_paths([tmp_path / "new" / "dirs" / "r.html"])
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_directory_that_forbids_writing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer.os, "access", lambda *_: False)  # the suite may run as root, who may do everything
    with pytest.raises(UserError, match=f"no permission to write in {str(tmp_path)!r}"):
        check_output_paths([tmp_path / "r.md"])


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_output(tmp_path / "r.json", RunOutput(make_run(run_id="old"), None, None))
    old = path.read_text(encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UserError, match=r"cannot write .*r\.json'.*No space left on device"):
        write_output(path, RunOutput(make_run(), None, None))
    assert path.read_text(encoding="utf-8") == old
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.json"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("prompt.md", "Classify the message.\n{{ message }}\n"),
        ("notes.md", f"# Notes\n\n\nThe reports begin with\n{MARK}\n"),
        ("page.html", "<!doctype html>\n<html lang=en><title>sharpen report</title>"),
        ("cases.json", '{"run": {"vars": {}}}'),
        ("rows.json", "[]"),
        ("other.junit.xml", '<?xml version="1.0"?>\n<testsuites name="sharpen"/>'),
        ("bytes.md", "\ud83d"),
    ],
)
def test_a_file_that_is_no_report_is_never_replaced(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode("utf-16-le", "surrogatepass") if name == "bytes.md" else text.encode())
    before = path.read_bytes()
    wanted = re.escape(f"cannot write {str(path)!r}: it exists and is no sharpen report; choose another name")
    with pytest.raises(UserError, match=wanted):
        check_output_paths([path])
    with pytest.raises(UserError, match=wanted):
        write_output(path, RunOutput(make_run(), None, None))
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["r.html", "r.json", "r.junit.xml", "r.md"])
def test_an_empty_file_is_nobodys_work(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    check_output_paths([tmp_path / name])
    assert write_output(tmp_path / name, RunOutput(make_run(), None, None)).stat().st_size


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "r.md").write_text(MARK)
    (tmp_path / "r.md").chmod(0o200)
    with pytest.raises(UserError, match="is no sharpen report"):
        check_output_paths([tmp_path / "r.md"])
