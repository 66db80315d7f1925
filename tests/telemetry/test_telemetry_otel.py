"""OpenTelemetry: spans as a tree of run, tasks and attempts, names and metrics by the GenAI conventions, no content."""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

import pytest
from telemetry_kit import plan_for

from factories import STARTED
from servers.faulty import FaultyServer, chat, status

pytest.importorskip("opentelemetry.sdk", reason="needs sharpen[otel]")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as conventions
from opentelemetry.trace import SpanKind, StatusCode

from sharpen.errors import ErrorKind, MissingExtraError, OfflineError
from sharpen.executor.executor_service import ExecutorService
from sharpen.executor.models import RunExecutionResult
from sharpen.executor.ports import RunStart
from sharpen.targets.base import Failure, Message, TargetRequest, TargetResponse
from sharpen.telemetry import genai, otel_setup
from sharpen.telemetry.spans import OpenTelemetryTracer

CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@dataclass
class Recorded:
    spans: tuple[ReadableSpan, ...]
    metrics: dict[str, Any]
    result: RunExecutionResult

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]


async def record(server: FaultyServer, content: bool | None = None, **plan: Any) -> Recorded:
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracing = TracerProvider(shutdown_on_exit=False)
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    measuring = MeterProvider([reader], shutdown_on_exit=False)
    tracer = OpenTelemetryTracer(tracing, measuring, content)
    service = ExecutorService(observer=tracer, tracer=tracer, seed=1)
    result = await service.execute_test_plan_async(plan_for(server, **plan))
    tracer.close()
    data = reader.get_metrics_data()
    found = {m.name: m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics} if data else {}
    measuring.shutdown()
    return Recorded(exporter.get_finished_spans(), found, result)


async def test_attempts_are_children_of_tasks_and_tasks_of_the_run(openai_server: FaultyServer) -> None:
    openai_server.script(status(503, "busy"), chat("ok"), chat("no"), chat("xyz"))
    found = await record(openai_server, answers=3)
    (run,) = found.named("sharpen.run")
    tasks, attempts = found.named("sharpen.task"), found.named("chat m")
    assert (len(tasks), len(attempts), len(found.spans)) == (3, 4, 8)
    assert {task.parent.span_id for task in tasks} == {run.context.span_id}
    by_task = {task.context.span_id: task.attributes["sharpen.task.attempts"] for task in tasks}
    assert [by_task[attempt.parent.span_id] for attempt in attempts] == [2, 2, 1, 1]
    assert run.parent is None
    assert run.attributes["sharpen.run.id"] == found.result.run_id
    assert run.attributes["sharpen.run.retries"] == 1
    assert [task.attributes["sharpen.task.status"] for task in tasks] == ["succeeded", "succeeded", "failed"]
    assert tasks[2].attributes["error.type"] == "assertion"
    assert tasks[2].status.status_code is StatusCode.UNSET  # the call itself was no error


async def test_an_attempt_follows_the_conventions(openai_server: FaultyServer) -> None:
    openai_server.script(status(503, "busy"), chat("ok", usage=(7, 3), model="m-1"))
    failed, answered = (await record(openai_server, answers=1)).named("chat m")
    assert answered.kind is SpanKind.CLIENT
    assert dict(answered.attributes) == {
        conventions.GEN_AI_OPERATION_NAME: "chat",
        conventions.GEN_AI_PROVIDER_NAME: "openai",
        conventions.GEN_AI_REQUEST_MODEL: "m",
        conventions.GEN_AI_REQUEST_TEMPERATURE: 0,
        conventions.GEN_AI_REQUEST_MAX_TOKENS: 8,
        conventions.GEN_AI_REQUEST_STOP_SEQUENCES: ("x",),
        conventions.GEN_AI_RESPONSE_MODEL: "m-1",
        conventions.GEN_AI_RESPONSE_FINISH_REASONS: ("stop",),
        conventions.GEN_AI_USAGE_INPUT_TOKENS: 7,
        conventions.GEN_AI_USAGE_OUTPUT_TOKENS: 3,
        "server.address": "127.0.0.1",
        "server.port": openai_server.port,
        "sharpen.attempt": 2,
        "sharpen.cost_usd": pytest.approx(13e-6),
    }
    assert failed.attributes["error.type"] == "server"
    assert failed.attributes["http.response.status_code"] == 503
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.status.description is None
    assert not failed.events


async def test_metrics_have_the_conventions_names_units_and_buckets(openai_server: FaultyServer) -> None:
    openai_server.script(status(503, "busy"), chat("ok", usage=(7, 3)))
    metrics = (await record(openai_server)).metrics
    assert set(metrics) == {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"}
    duration, tokens = metrics["gen_ai.client.operation.duration"], metrics["gen_ai.client.token.usage"]
    assert (duration.unit, tokens.unit) == ("s", "{token}")
    points = {point.attributes.get("error.type"): point for point in duration.data.data_points}
    assert {kind: point.count for kind, point in points.items()} == {None: 2, "server": 1}
    assert tuple(points[None].explicit_bounds) == genai.DURATION_BUCKETS
    used = {point.attributes["gen_ai.token.type"]: point for point in tokens.data.data_points}
    assert {kind: point.sum for kind, point in used.items()} == {"input": 14, "output": 6}
    assert tuple(used["input"].explicit_bounds) == genai.TOKEN_BUCKETS
    assert used["input"].attributes["gen_ai.response.model"] == "m-1"


@pytest.mark.parametrize(("value", "wanted"), [("", False), ("false", False), ("true", True), ("SPAN_ONLY", True)])
async def test_content_is_recorded_only_when_asked_for(
    openai_server: FaultyServer, monkeypatch: pytest.MonkeyPatch, value: str, wanted: bool
) -> None:
    monkeypatch.setenv(CONTENT, value)
    openai_server.script(status(500, "secret-refusal secret-1"), chat("secret-answer ok"))
    found = await record(openai_server, answers=1, prompt="secret-prompt {{ x }}")
    everything = "".join(span.to_json() for span in found.spans)
    assert "secret-refusal" not in everything
    assert ("secret-prompt" in everything, "secret-answer" in everything) == (wanted, wanted)
    if wanted:
        attributes = found.named("chat m")[1].attributes
        assert json.loads(attributes[conventions.GEN_AI_INPUT_MESSAGES])[1] == {
            "role": "user",
            "parts": [{"type": "text", "content": "secret-prompt 0"}],
        }
        assert json.loads(attributes[conventions.GEN_AI_OUTPUT_MESSAGES]) == [
            {
                "role": "assistant",
                "parts": [{"type": "text", "content": "secret-answer ok"}],
                "finish_reason": "stop",
            }
        ]


def test_runs_of_one_search_are_one_trace_and_what_broke_off_is_ended() -> None:
    exporter = InMemorySpanExporter()
    tracing = TracerProvider(shutdown_on_exit=False)
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = OpenTelemetryTracer(tracing)
    for run_id in ("a", "b"):
        tracer.run_started(RunStart(run_id, "w", STARTED, 1, "candidate", parent_run_id="search"))
    assert not exporter.get_finished_spans()
    tracer.close()
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert set(spans) == {"sharpen.run", "sharpen.optimization"}
    assert len(exporter.get_finished_spans()) == 3
    assert len({span.context.trace_id for span in exporter.get_finished_spans()}) == 1
    assert spans["sharpen.run"].status.status_code is StatusCode.ERROR


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://eu.openai.azure.com/v1", "azure.ai.openai"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://notapi.groq.com.evil.example/v1", "openai"),
        ("http://127.0.0.1:8000/v1", "openai"),
    ],
)
def test_the_provider_is_known_by_its_server(url: str, provider: str) -> None:
    found = genai.of_target({"kind": "openai", "base_url": url, "model": "m", "api": "completions"})
    assert found["gen_ai.provider.name"] == provider
    assert found["gen_ai.operation.name"] == "text_completion"
    assert found["server.port"] == (8000 if "8000" in url else 443)


def test_what_is_no_server_has_no_address() -> None:
    found = genai.of_target({"kind": "python", "function": "m:f"})
    assert found == {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "sharpen.python"}
    assert genai.span_name(found) == "chat"
    assert genai.of_params({"params": None}) == {}
    assert genai.of_params({"params": {"n": 2, "stop": ["a", "b"], "seed": True}}) == {
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.stop_sequences": ["a", "b"],
    }


def test_a_cancelled_attempt_says_so_and_a_failed_one_tells_what_it_used() -> None:
    assert genai.of_outcome(None, None) == {"error.type": "cancelled"}
    assert genai.of_outcome(TargetResponse("x"), None) == {}
    failure = Failure(ErrorKind.CONTENT_FILTER, "no")
    assert genai.of_outcome(None, failure) == {"error.type": "content_filter"}
    content = genai.input_content(TargetRequest((Message("user", "ä\n"),)))["gen_ai.input.messages"]
    assert json.loads(content)[0]["parts"][0]["content"] == "ä\n"


def test_it_is_on_when_asked_for_and_never_else(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    assert not otel_setup.is_wanted(None, {})
    assert otel_setup.is_wanted(None, endpoint)
    assert otel_setup.is_wanted(True, {})
    assert not otel_setup.is_wanted(False, endpoint)
    assert not otel_setup.is_wanted(None, endpoint | {"OTEL_SDK_DISABLED": "true"})
    monkeypatch.setattr(otel_setup, "_NEEDED", ("sharpen_has_no_such_module.at_all",))
    assert not otel_setup.is_wanted(None, endpoint)
    with pytest.raises(MissingExtraError, match=r"--otel needs .* 'sharpen\[otel\]'"):
        otel_setup.is_wanted(True, {})
    with otel_setup.opentelemetry(None, {}) as tracer:
        assert tracer is None


def test_a_collector_that_is_not_there_is_told_once_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    told: list[str] = []
    began = time.monotonic()
    with otel_setup.opentelemetry(None, on_trouble=told.append) as tracer:
        assert tracer is not None
        tracer.run_started(RunStart("a", "w", STARTED, 1))
    assert told == ["telemetry could not be sent, or not all of it; is a collector listening at http://127.0.0.1:9?"]
    assert time.monotonic() - began < 10
    assert capsys.readouterr().err == ""


def test_a_collector_that_takes_what_it_is_sent_and_never_answers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = threading.Event()

    class Stuck(SimpleSpanProcessor):
        def shutdown(self) -> None:
            given_up.wait(10)

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Stuck(InMemorySpanExporter()))
    monkeypatch.setattr(otel_setup, "_tracing", lambda: provider)
    monkeypatch.setattr(otel_setup, "_measuring", lambda: MeterProvider(shutdown_on_exit=False))
    monkeypatch.setattr(otel_setup, "SHUTDOWN_S", 0.05)
    told: list[str] = []
    try:
        with otel_setup.opentelemetry(True, {}, on_trouble=told.append):
            pass
    finally:
        given_up.set()
    assert told == ["telemetry could not be sent, or not all of it; is a collector listening at http://localhost:4318?"]


def test_local_only_mode_refuses_a_collector_elsewhere() -> None:
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://user:pass@collector.example:4318", "SHARPEN_OFFLINE": "1"}
    with (
        pytest.raises(OfflineError, match="OTEL_EXPORTER_OTLP_ENDPOINT") as refused,
        otel_setup.opentelemetry(None, away),
    ):
        pass
    assert "pass@" not in str(refused.value)


def test_nothing_of_it_is_imported_when_it_is_off() -> None:
    import subprocess

    code = "import sys, sharpen.cli.watching; print([m for m in sys.modules if m.startswith('opentelemetry')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_it_is_sent_to_a_collector(openai_server: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real exporters against a real server: both signals arrive before the context ends."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", openai_server.base_url.removesuffix("/v1"))
    with otel_setup.opentelemetry(None) as tracer:
        assert tracer is not None
        tracer.run_started(RunStart("a", "w", STARTED, 1))
        tracer._duration.record(0.5)
    paths = {received.path for received in openai_server.requests}
    assert paths == {"/v1/traces", "/v1/metrics"}
    assert b"sharpen" in openai_server.requests[0].body or openai_server.requests[0].headers.get("content-encoding")
