"""Structured logs: the events of a run, one JSON object a line, and nothing in them that was sent or answered."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from telemetry_kit import plan_for

from factories import STARTED, make_run, make_statistics, make_task
from servers.faulty import FaultyServer, chat, status
from sharpen.events import Event, emit
from sharpen.executor.executor_service import ExecutorService
from sharpen.executor.limits import LimiterState
from sharpen.executor.models import RunStatus
from sharpen.executor.ports import RunStart
from sharpen.telemetry.log_observer import LogObserver
from sharpen.telemetry.log_options import LogFormat, LogLevel
from sharpen.telemetry.log_output import logging_to_stderr


@contextmanager
def logged(level: LogLevel = LogLevel.DEBUG, form: LogFormat = LogFormat.JSON) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    with logging_to_stderr(form, level, lambda: stream):
        yield stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def named(stream: io.StringIO) -> list[str]:
    return [line["event"] for line in lines(stream)]


class Limits:
    def __init__(self) -> None:
        self.now = LimiterState(in_flight=1, waiting=0, concurrency=8, max_concurrency=8)

    def __call__(self) -> LimiterState:
        return self.now


def start(limits: Limits | None = None) -> RunStart:
    return RunStart("r1", "triage", STARTED, 2, target={"kind": "openai", "model": "m-1"}, limits=limits)


def test_a_run_is_told_from_its_start_to_its_end() -> None:
    with logged() as stream:
        watcher = LogObserver()
        watcher.run_started(start(Limits()))
        task = make_task("c1", attempts=2)
        watcher.attempt_failed("c1", "server", 0.5)
        watcher.task_finished(task, make_statistics([task]))
        watcher.run_finished(make_run([task], run_id="r1"))
    told = lines(stream)
    assert [line["event"] for line in told] == ["run_started", "attempt_failed", "task_finished", "run_finished"]
    assert {line["run_id"] for line in told} == {"r1"}
    assert [line["level"] for line in told] == ["info", "warning", "debug", "info"]
    assert (told[1]["kind"], told[1]["wait_s"], told[1]["retried"]) == ("server", 0.5, True)
    assert (told[2]["status"], told[2]["attempts"], told[2]["cost_usd"]) == ("succeeded", 2, 0.0001)
    assert (told[3]["succeeded"], told[3]["retries"], told[3]["duration_s"]) == (1, 1, 12.5)
    for line in told:
        moment = datetime.fromisoformat(line["timestamp"])
        assert moment.tzinfo == UTC
        assert line["timestamp"].endswith("Z")


def test_pauses_breakers_and_limits_are_told_once_when_they_change() -> None:
    limits, clock = Limits(), iter(range(1000))
    with logged() as stream:
        watcher = LogObserver(lambda: float(next(clock)))
        watcher.run_started(start(limits))
        limits.now = replace(limits.now, paused_for_s=60.0)
        watcher.attempt_failed("c1", "rate_limit", 1.0)
        watcher.attempt_failed("c2", "rate_limit", 1.0)  # still the same pause
        limits.now = replace(limits.now, paused_for_s=0.0, circuit="open", concurrency=4)
        watcher.attempt_failed("c3", "server", None)
        limits.now = replace(limits.now, circuit="half-open")
        task = make_task("c1")
        watcher.task_finished(task, make_statistics([task]))
        limits.now = replace(limits.now, circuit="closed", concurrency=8)
        watcher.task_finished(task, make_statistics([task]))
        watcher.task_finished(task, make_statistics([task]))
    changes = [line["event"] for line in lines(stream) if line["logger"] == "sharpen.limits"]
    assert changes == [
        "calls_paused", "circuit_opened", "concurrency_limited", "circuit_half_opened", "circuit_closed",
        "concurrency_restored",
    ]  # fmt: skip


async def test_a_real_run_says_which_attempt_failed_how_and_holds_no_content(openai_server: FaultyServer) -> None:
    secret = "the-secret-text"
    openai_server.script(status(503, f"busy with {secret}"), chat(f"ok, {secret}"))
    watcher = LogObserver()
    with logged() as stream:
        plan = plan_for(openai_server, prompt=f"{secret} {{{{ x }}}}", answers=1)
        result = await ExecutorService(observer=watcher, tracer=watcher, seed=1).execute_test_plan_async(plan)
    assert result.statistics.succeeded_tasks == 1
    failed = next(line for line in lines(stream) if line["event"] == "attempt_failed")
    assert failed["run_id"] == result.run_id
    assert (failed["http_status"], failed["kind"], failed["attempt"]) == (503, "server", 1)
    assert failed["wait_s"] >= 0
    assert secret not in stream.getvalue()


@pytest.mark.parametrize(
    ("level", "expected"),
    [(LogLevel.WARNING, ["attempt_failed", "run_finished"]), (LogLevel.ERROR, [])],
)
def test_levels(level: LogLevel, expected: list[str]) -> None:
    with logged(level) as stream:
        watcher = LogObserver()
        watcher.run_started(start())
        watcher.attempt_failed("c1", "server", None)
        watcher.run_finished(make_run(run_id="r1", status=RunStatus.ABORTED))
    assert named(stream) == expected


def test_text_is_one_readable_line() -> None:
    with logged(form=LogFormat.TEXT) as stream:
        emit(logging.getLogger("sharpen.run"), logging.INFO, "thing_done", run_id="r 1", wait_s=0.123456, none=None)
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert line.split(" ", 1)[1] == 'INFO    thing_done run_id="r 1" wait_s=0.1235\n'


def test_one_line_whatever_the_fields_hold() -> None:
    with logged() as stream:
        logger = logging.getLogger("sharpen.run")
        emit(logger, logging.INFO, "odd", case_id="a\nb\x1b[31m\u2028", number=float("nan"), thing=object())
        logger.info("a plain message\nof two lines")
    assert stream.getvalue().count("\n") == 2
    first, second = lines(stream)
    assert first["case_id"] == "a\nb\x1b[31m\u2028"
    assert first["number"] is None
    assert second["message"] == "a plain message\nof two lines"
    assert "\n" not in str(Event("x", {"case_id": "a\nb"}))


def test_silent_unless_asked_and_afterwards_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger("sharpen")
    before = (root.level, root.propagate, list(root.handlers))
    with logging_to_stderr(None, None) as on:
        assert not on
        logging.getLogger("sharpen.run").error("nobody listens")
    with logging_to_stderr(None, LogLevel.INFO) as on:
        assert on
        emit(logging.getLogger("sharpen.run"), logging.INFO, "heard")
    assert (root.level, root.propagate, list(root.handlers)) == before
    captured = capsys.readouterr()
    assert "nobody" not in captured.err
    assert captured.err.rstrip().endswith("INFO    heard")
    assert captured.out == ""


def test_a_closed_stream_ends_no_run() -> None:
    stream = io.StringIO()
    with logging_to_stderr(LogFormat.JSON, None, lambda: stream):
        stream.close()
        emit(logging.getLogger("sharpen.run"), logging.INFO, "unheard")
        emit(logging.getLogger("sharpen.run"), logging.INFO, "unheard")
