"""The contract of a store: runs, results, cases, prompts, decisions, answers and versions behind one URL.

Inherit ``StoreContract`` and ``StoredVersionsContract``, give a ``store_url`` fixture that names a fresh, empty store,
and pytest (which this module needs) does the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from sharpen.assertions.base import AssertionResult
from sharpen.config.models import Case
from sharpen.config.prompts import PromptTemplate
from sharpen.errors import ErrorKind, StoreError, UnknownNameError, UserError
from sharpen.executor.models import JudgeUsage, RunExecutionResult, RunStatus, TaskError, TaskResult, TaskStatus
from sharpen.executor.ports import CachedResponse, RunStart
from sharpen.executor.statistics import summarize
from sharpen.optimizer.models import (
    Decision,
    OptimizationOutcome,
    PromptAnalysis,
    TestExecutionReport,
    Trigger,
)
from sharpen.storage.sink import StoreSink
from sharpen.storage.store import Store
from sharpen.targets.base import TargetResponse, Usage
from sharpen.testing.version_suite import VersionRepositoryContract, make_version
from sharpen.versions.ports import VersionRepository


def make_result(case_id: str, repeat: int = 0, status: TaskStatus = TaskStatus.SUCCEEDED, **fields: Any) -> TaskResult:
    """A task result, named as the executor names it."""
    task_id = f"{case_id}#{repeat + 1}" if repeat else case_id
    return TaskResult(task_id=task_id, case_id=case_id, repeat=repeat, status=status, **fields)


def make_run(
    run_id: str, results: Sequence[TaskResult], workflow_id: str = "triage", **fields: Any
) -> RunExecutionResult:
    """A finished run of those results."""
    defaults: dict[str, Any] = {"started_at": _STARTED, "finished_at": _STARTED + timedelta(seconds=1.5)}
    statistics = summarize(results)
    return RunExecutionResult(
        run_id=run_id, workflow_id=workflow_id, statistics=statistics, task_results=tuple(results), **defaults | fields
    )


def start_of(run: RunExecutionResult, **fields: Any) -> RunStart:
    """How that run began."""
    case_ids = tuple(dict.fromkeys(result.case_id for result in run.task_results))
    return RunStart(run.run_id, run.workflow_id, run.started_at, len(run.task_results), case_ids=case_ids, **fields)


def record(store: Store, run: RunExecutionResult, *, cases: Sequence[Case] = (), **start: Any) -> None:
    """Send a run through the store's sink as the executor does: results side by side, last case first."""

    async def send() -> None:
        sink = store.sink(cases)
        await sink.start_run(start_of(run, **start))
        await asyncio.gather(*(sink.save_result(run.run_id, result) for result in reversed(run.task_results)))
        await sink.finish_run(run)

    asyncio.run(send())


_STARTED = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=5, minutes=30)))
_RESULTS = (
    make_result(
        "b", 0, output="Ünïcode ✓ \x00 \ud800 \u2028", score=1 / 3, execution_time=0.1 + 0.2, attempts=2, cost=None
    ),
    make_result(
        "b",
        1,
        TaskStatus.FAILED,
        output="",
        assertion_results=(
            AssertionResult(type="not-equals", passed=False, score=0.25, weight=2.5, reason="“x”\n≠ y"),
            AssertionResult(type="python", passed=False, score=0, error=ErrorKind.ASSERTION_CRASH),
        ),
        judge=JudgeUsage(calls=2, tokens=30, cost=None),
        finish_reason="stop",
        saved_cost=0.1 + 0.2,
        cached=True,
    ),
    make_result(
        "a",
        0,
        TaskStatus.ERROR,
        error=TaskError(kind=ErrorKind.SERVER, message="HTTP 503", http_status=503, retryable=True),
        total_tokens=2**40,
    ),
    make_result("a", 1, TaskStatus.CANCELLED, saved_cost=None, cached=True, error=TaskError(kind=ErrorKind.CANCELLED)),
)


class StoreContract:
    """What a ``Store`` must do on every kind of database."""

    @pytest.fixture
    def store_url(self) -> str:
        """Override: the URL of an empty database."""
        # not implemented on purpose: whoever inherits the suite overrides it
        raise NotImplementedError("override 'store_url': return the URL of an empty database")

    @pytest.fixture
    def store(self, store_url: str) -> Iterator[Store]:
        with Store.open(store_url) as store:
            yield store

    def test_a_run_comes_back_exactly_and_in_case_order(self, store: Store) -> None:
        run = make_run("r1", _RESULTS, metadata={"seed": 7, "x": [1.5, None]}, stop_reason="why")
        record(store, run)
        assert store.runs.load_result("r1") == run
        assert store.results.list("r1") == run.task_results
        assert store.results.count("r1") == 4

    def test_everything_is_there_after_reopening(self, store: Store, store_url: str) -> None:
        run = make_run("r1", _RESULTS)
        record(store, run)
        version = make_version()
        store.versions.add(version)
        store.close()
        with Store.open(store_url) as again:
            assert again.runs.load_result("r1") == run
            assert again.versions.get("triage", "1.0.0") == version

    def test_what_a_resume_needs_is_kept(self, store: Store) -> None:
        prompt = [{"role": "user", "content": "Sort {{ message }}."}]
        manifest = {"workflow_id": "triage", "execution": {"timeout_s": 0.1}}
        run = make_run("r1", _RESULTS, status=RunStatus.CANCELLED, stop_reason="Ctrl-C")
        record(
            store, run, purpose="holdout", parent_run_id="o1", prompt=prompt, manifest=manifest, target={"kind": "x"}
        )
        kept = store.runs.get("r1")
        assert (kept.manifest, list(kept.prompt), kept.target) == (manifest, prompt, {"kind": "x"})
        assert (kept.purpose, kept.parent_run_id, kept.case_ids) == ("holdout", "o1", ("b", "a"))
        assert (kept.status, kept.stop_reason, kept.total_tasks) == (RunStatus.CANCELLED, "Ctrl-C", 4)
        assert (kept.started_at, kept.finished_at, kept.statistics) == (run.started_at, run.finished_at, run.statistics)
        template = PromptTemplate.model_validate(prompt)
        assert kept.prompt_hash == template.content_hash
        assert store.prompts.get(template.content_hash) == template
        assert store.prompts.list()[template.content_hash] == template

    def test_runs_are_listed_newest_first_and_filtered(self, store: Store) -> None:
        for hour, (run_id, workflow) in enumerate([("r1", "triage"), ("r2", "other"), ("r3", "triage")]):
            moment = _STARTED.astimezone(UTC) + timedelta(hours=hour)
            run = make_run(run_id, _RESULTS, workflow, started_at=moment, finished_at=moment)
            prompt = [{"role": "user", "content": "Sort {{ message }}." if hour == 1 else "Say {{ message }}."}]
            purpose, parent = ("run", "o1") if hour else ("baseline", None)
            record(store, run, purpose=purpose, parent_run_id=parent, prompt=prompt)
        assert [run.run_id for run in store.runs.list()] == ["r3", "r2", "r1"]
        assert [run.run_id for run in store.runs.list("triage")] == ["r3", "r1"]
        assert [run.run_id for run in store.runs.list(limit=1)] == ["r3"]
        assert [run.run_id for run in store.runs.list(purpose="baseline")] == ["r1"]
        assert [run.run_id for run in store.runs.list(parent_run_id="o1", limit=None)] == ["r3", "r2"]
        assert store.runs.list("nothing") == ()
        said = PromptTemplate.model_validate(prompt).content_hash
        assert [run.run_id for run in store.runs.list(prompt_hash=said)] == ["r3", "r1"]
        assert [run.run_id for run in store.runs.list("triage", 1, prompt_hash=said)] == ["r3"]
        both = store.runs.list(purpose=("run", "baseline"), prompt_hash=said)
        assert [run.run_id for run in both] == ["r3", "r1"]
        assert store.runs.list("other", prompt_hash=said) == ()

    def test_a_run_is_found_by_a_unique_beginning(self, store: Store) -> None:
        for run_id in ("20260102-abc", "20260102-abd", "2026"):
            record(store, make_run(run_id, _RESULTS))
        record(store, make_run("other", _RESULTS))
        assert store.runs.get("ot").run_id == "other"
        assert store.runs.get("2026").run_id == "2026"  # a whole id wins over a beginning
        with pytest.raises(UserError, match="'20260102-ab' is ambiguous: '20260102-abc' and '20260102-abd' begin so"):
            store.runs.get("20260102-ab")
        with pytest.raises(UnknownNameError, match=r"unknown run '20260102-abx'; did you mean '20260102-ab[cd]'"):
            store.runs.get("20260102-abx")
        for wild in ("", "%", "_026", "zzz"):
            with pytest.raises(UnknownNameError, match="unknown run "):
                store.runs.get(wild)

    def test_an_unfinished_run_shows_what_was_saved(self, store: Store) -> None:
        run = make_run("r1", _RESULTS)

        async def begin() -> None:
            sink = store.sink()
            await sink.start_run(start_of(run))
            await sink.save_result("r1", run.task_results[2])
            await sink.sync()

        asyncio.run(begin())
        kept = store.runs.get("r1")
        assert (kept.status, kept.finished_at, kept.statistics) == (RunStatus.RUNNING, None, None)
        loaded = store.runs.load_result("r1")
        assert loaded.status is RunStatus.RUNNING
        assert loaded.task_results == (run.task_results[2],)
        assert loaded.statistics == summarize([run.task_results[2]], 4)  # the missing ones are not forgotten
        assert loaded.stop_reason == "1 of 4 results were saved"

    def test_a_resumed_run_keeps_what_was_finished_and_replaces_the_rest(self, store: Store) -> None:
        first = make_run("r1", _RESULTS, status=RunStatus.CANCELLED, stop_reason="Ctrl-C")
        record(store, first)
        finished = store.results.finished("r1")
        assert finished == {(r.case_id, r.repeat): r for r in _RESULTS[:3]}
        second = make_run("r1", (*_RESULTS[:3], make_result("a", 1, output="now")))

        async def resume() -> None:
            sink = store.sink()
            await sink.start_run(start_of(second))
            assert store.runs.get("r1").status is RunStatus.RUNNING
            await sink.save_result("r1", second.task_results[3])
            await sink.finish_run(second)

        asyncio.run(resume())
        assert store.runs.load_result("r1") == second
        assert len(store.runs.list()) == 1

    @pytest.mark.parametrize(
        ("status", "kind", "finished"),
        [
            (TaskStatus.SUCCEEDED, None, True),
            (TaskStatus.FAILED, ErrorKind.ASSERTION, True),
            (TaskStatus.TIMEOUT, ErrorKind.TIMEOUT, True),
            (TaskStatus.ERROR, ErrorKind.SERVER, True),
            (TaskStatus.ERROR, ErrorKind.CONTENT_FILTER, True),
            (TaskStatus.ERROR, ErrorKind.CONNECTION, False),
            (TaskStatus.ERROR, ErrorKind.AUTHENTICATION, False),
            (TaskStatus.ERROR, ErrorKind.RATE_LIMIT, False),
            (TaskStatus.CANCELLED, ErrorKind.CANCELLED, False),
            (TaskStatus.CANCELLED, ErrorKind.BUDGET, False),
        ],
    )
    def test_what_a_resume_need_not_repeat(
        self, store: Store, status: TaskStatus, kind: ErrorKind | None, finished: bool
    ) -> None:
        error = None if kind is None else TaskError(kind=kind)
        record(store, make_run("r1", [make_result("a", 0, status, error=error)]))
        assert bool(store.results.finished("r1")) is finished

    def test_a_result_needs_a_run_and_a_run_its_workflow(self, store: Store) -> None:
        run = make_run("r1", _RESULTS)
        record(store, run)
        with pytest.raises(StoreError, match="run 'r2' was not started here"):
            asyncio.run(store.sink().save_result("r2", _RESULTS[0]))
        with pytest.raises(StoreError, match="run 'r1' exists already, as a run of workflow 'triage'"):
            asyncio.run(store.sink().start_run(start_of(make_run("r1", _RESULTS, "other"))))

    def test_a_value_beyond_64_bits_fails_alone(self, store: Store) -> None:
        good = [make_result(f"c{i}") for i in range(20)]
        bad = make_result("bad", total_tokens=2**70)

        async def save() -> list[BaseException | None]:
            sink = store.sink()
            await sink.start_run(start_of(make_run("r1", [*good, bad])))
            saves = [sink.save_result("r1", result) for result in [*good[:10], bad, *good[10:]]]
            answers = await asyncio.gather(*saves, return_exceptions=True)
            return [*answers, *await asyncio.gather(sink.sync(), return_exceptions=True)]

        failed = [answer for answer in asyncio.run(save()) if answer is not None]
        assert len(failed) == 1  # told by what could not save it, or by what could not confirm it
        assert isinstance(failed[0], StoreError)
        assert store.results.list("r1") == tuple(good)

    def test_inputs_are_kept_by_content_and_shown_by_run(self, store: Store) -> None:
        old = Case(
            id="a", vars={"message": "x", "on": date(2026, 1, 2), "n": 0.1, "t": {(1, 2): ["\ud800"]}}, expected=["x"]
        )
        new, other = Case(id="a", vars={"message": "y"}), Case(id="b", vars={}, expected=False)
        record(store, make_run("r1", _RESULTS), cases=[old, other, Case(id="not in the run")])
        record(store, make_run("r2", _RESULTS))
        assert store.cases.of_run("r2") == {}
        store.cases.attach("r2", [other, new])
        first, second = store.cases.of_run("r1"), store.cases.of_run("r2")
        assert list(first) == list(second) == ["b", "a"]
        assert first["a"].vars == {"message": "x", "on": "2026-01-02", "n": 0.1, "t": {"(1, 2)": ["\ud800"]}}
        assert (first["a"].expected, second["a"].expected, second["b"].expected) == (["x"], None, False)
        assert second["a"].vars == {"message": "y"}

    def test_a_decision_is_kept_for_a_run(self, store: Store) -> None:
        trigger = Trigger(metric="success_rate", observed=0.1 + 0.2, threshold=0.8, comparison="<", reason="low")
        decision = Decision(should_optimize=True, triggers=(trigger,), strategy="clarity_focus", skipped=("cost",))
        record(store, make_run("r1", _RESULTS))
        assert store.decisions.get("r1") is None
        store.decisions.save("r1", decision.model_copy(update={"strategy": "other"}))
        store.decisions.save("r1", decision)
        assert store.decisions.get("r1") == decision
        assert store.decisions.list() == store.decisions.list("triage") == (("r1", decision),)
        assert store.decisions.list("other") == ()
        with pytest.raises(UnknownNameError, match="'r2'"):
            store.decisions.save("r2", decision)

    @pytest.mark.parametrize("recorded", [True, False])
    def test_an_optimization_comes_back_whole(self, store: Store, recorded: bool) -> None:
        outcome = make_outcome()
        if recorded:
            record(store, outcome.baseline_run, parent_run_id="o1")
        store.optimizations.save(outcome)
        store.optimizations.save(outcome)
        assert store.optimizations.get("o1") == store.optimizations.get("o") == outcome
        assert [found.run_id for found in store.optimizations.list("triage")] == ["o1"]
        assert store.optimizations.list("other") == ()
        with pytest.raises(UnknownNameError, match="unknown optimization 'p'; known: o1"):
            store.optimizations.get("p")

    def test_answers_are_remembered(self, store: Store, store_url: str) -> None:
        full = CachedResponse(TargetResponse("ö\x00\ud800", Usage(3, 4), None, "stop", "model"), 0.1 + 0.2)
        plain = CachedResponse(TargetResponse(""), 0.0)

        async def talk() -> None:
            assert await store.responses.get("k1") is None
            await asyncio.gather(store.responses.put("k1", plain), store.responses.put("k2", plain))
            await store.responses.put("k1", full)
            answers = await asyncio.gather(*(store.responses.get(key) for key in ("k1", "k2", "k3", "k1")))
            assert answers == [full, plain, None, full]

        asyncio.run(talk())
        store.flush()
        assert store.responses.count() == 2
        store.close()
        with Store.open(store_url) as again:
            assert asyncio.run(again.responses.get("k1")) == full

    def test_runs_side_by_side_through_one_sink(self, store: Store) -> None:
        runs = [make_run(f"r{i}", [make_result(f"c{j}", output=f"{i}.{j}") for j in range(50)]) for i in range(4)]

        async def one(sink: StoreSink, run: RunExecutionResult) -> None:
            await sink.start_run(start_of(run))
            await asyncio.gather(*(sink.save_result(run.run_id, result) for result in run.task_results))
            await sink.finish_run(run)

        async def everything() -> None:
            sink = store.sink()
            await asyncio.gather(*(one(sink, run) for run in runs))

        asyncio.run(everything())
        for run in runs:
            assert store.runs.load_result(run.run_id) == run

    def test_a_closed_store_says_so(self, store: Store) -> None:
        store.close()
        store.close()
        with pytest.raises(StoreError, match="the store is closed"):
            asyncio.run(store.sink().start_run(start_of(make_run("r1", _RESULTS))))


class StoredVersionsContract(VersionRepositoryContract):
    """The version repository of a ``Store``."""

    @pytest.fixture
    def store_url(self) -> str:
        """Override: the URL of an empty database."""
        # not implemented on purpose: whoever inherits the suite overrides it
        raise NotImplementedError("override 'store_url': return the URL of an empty database")

    @pytest.fixture
    def repository(self, store_url: str) -> Iterator[VersionRepository]:
        with Store.open(store_url) as store:
            yield store.versions


def make_outcome() -> OptimizationOutcome:
    """An optimization that found nothing worth it; its baseline run has results."""
    run = make_run("r1", _RESULTS)
    return OptimizationOutcome(
        run_id="o1",
        workflow_id="triage",
        started_at=run.started_at,
        finished_at=run.finished_at,
        baseline_run=run,
        baseline=TestExecutionReport.from_executor_result(run),
        analysis=PromptAnalysis(prompt_id="p", overall_score=90, clarity_score=90, efficiency_score=90),
        decision=Decision(should_optimize=False, strategy="clarity_focus"),
        split={"train": ("a",), "dev": ("b",), "holdout": ()},
        cost=None,
    )
