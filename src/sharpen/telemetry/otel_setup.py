"""Whether OpenTelemetry is asked for, and where its spans and metrics go. Nothing of it is imported when it is not."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sharpen.about import __version__
from sharpen.config.redact import mask
from sharpen.errors import MissingExtraError, OfflineError, Problem
from sharpen.targets.local_only import OFFLINE_VARIABLE, is_loopback, local_only

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    from sharpen.telemetry.spans import OpenTelemetryTracer

EXTRA = "otel"
_ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
DEFAULT_ENDPOINT = "http://localhost:4318"
SHUTDOWN_S = 5.0
"""How long the end of a command waits until what was recorded is sent, in seconds."""
_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def is_wanted(option: bool | None, environ: Mapping[str, str] = os.environ) -> bool:
    """By the option; when it says nothing, by OpenTelemetry's own variables, if the extra is installed.

    Raises ``MissingExtraError`` when the option asks for what is not installed.
    """
    if option is None:
        asked = any(environ.get(name) for name in _ENDPOINTS)
        disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        return asked and not disabled and _installed()
    if option and not _installed():
        raise MissingExtraError("--otel", EXTRA)
    return option


@contextmanager
def opentelemetry(
    option: bool | None,
    environ: Mapping[str, str] = os.environ,
    on_trouble: Callable[[str], None] = lambda _: None,
) -> Iterator[OpenTelemetryTracer | None]:
    """A tracer while the context lasts, None when it is not wanted; at the end all that is recorded is sent.

    Global providers that a program (or ``opentelemetry-instrument``) has set up are used and left alone. Without any,
    OTLP over HTTP to where ``OTEL_EXPORTER_OTLP_ENDPOINT`` says, else to http://localhost:4318. A collector
    that cannot be reached stops nothing: ``on_trouble`` is told once, at the end. Raises ``OfflineError`` for a
    collector elsewhere in local-only mode.
    """
    if not is_wanted(option, environ):
        yield None
        return
    _refuse_elsewhere(environ)
    from opentelemetry import metrics, trace

    from sharpen.telemetry.spans import OpenTelemetryTracer

    tracing = None if _is_set_up(trace.get_tracer_provider()) else _tracing()
    measuring = None if _is_set_up(metrics.get_meter_provider()) else _measuring()
    tracer = OpenTelemetryTracer(tracing, measuring)
    with _quietly() as complaints:
        try:
            yield tracer
        finally:
            tracer.close()
            sent = _shut_down([provider.shutdown for provider in (tracing, measuring) if provider is not None])
    if complaints or not sent:
        where = next((environ[name] for name in _ENDPOINTS if environ.get(name)), DEFAULT_ENDPOINT)
        on_trouble(f"telemetry could not be sent, or not all of it; is a collector listening at {mask(where)}?")


class _Complaints(logging.Handler):
    """Counts what OpenTelemetry would say in many lines, again and again."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.number = 0

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - it quotes addresses and headers
        self.number += 1

    def __bool__(self) -> bool:
        return self.number > 0


@contextmanager
def _quietly() -> Iterator[_Complaints]:
    """Keep the exporters' complaints off the terminal, where they would tear the progress display."""
    logger, complaints = logging.getLogger("opentelemetry"), _Complaints()
    before, logger.propagate = logger.propagate, False
    logger.addHandler(complaints)
    try:
        yield complaints
    finally:
        logger.removeHandler(complaints)
        logger.propagate = before


def _refuse_elsewhere(environ: Mapping[str, str]) -> None:
    """Local-only mode holds for telemetry, too: what it sends may hold content."""
    if not local_only(environ):
        return
    for name in _ENDPOINTS:
        host = urlsplit(environ.get(name, "")).hostname
        if environ.get(name) and not (host and is_loopback(host)):
            raise OfflineError(
                Problem(
                    f"local-only mode is on (--offline, {OFFLINE_VARIABLE}), and {name} is {mask(environ[name])!r}",
                    expected="a collector on this machine, such as http://localhost:4318, or --no-otel",
                )
            )


def _installed() -> bool:
    try:
        return all(find_spec(name) is not None for name in _NEEDED)
    except ModuleNotFoundError:  # a parent package is missing
        return False


def _is_set_up(provider: object) -> bool:
    """The API's own providers are proxies that record nothing."""
    return not type(provider).__module__.startswith(("opentelemetry.trace", "opentelemetry.metrics"))


def _tracing() -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _shut_down(shutdowns: Iterable[Callable[[], None]]) -> bool:
    """Send what is left, side by side; whether that came to its end in time.

    A provider would wait half a minute for a collector that is not there.
    """
    until = time.monotonic() + SHUTDOWN_S
    threads = [threading.Thread(target=shutdown, daemon=True) for shutdown in shutdowns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


def _measuring() -> MeterProvider:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    return MeterProvider([reader], resource=_resource(), shutdown_on_exit=False)


def _resource() -> Resource:
    """``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` outrank what is said here."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    own = Resource.create({"service.name": "sharpen", "service.version": __version__})
    return own.merge(OTELResourceDetector().detect())
