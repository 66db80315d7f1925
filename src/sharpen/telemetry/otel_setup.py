"""Whether OpenTelemetry is asked for, and where its spans and metrics go. Nothing of it is imported when it is not."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from sharpen.about import __version__
from sharpen.errors import MissingExtraError

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
def opentelemetry(option: bool | None, environ: Mapping[str, str] = os.environ) -> Iterator[OpenTelemetryTracer | None]:
    """A tracer while the context lasts, None when it is not wanted; at the end all that is recorded is sent.

    Global providers that a program (or ``opentelemetry-instrument``) has set up are used and left alone. Without any,
    OTLP over HTTP to where ``OTEL_EXPORTER_OTLP_ENDPOINT`` says, else to http://localhost:4318.
    """
    if not is_wanted(option, environ):
        yield None
        return
    from opentelemetry import metrics, trace

    from sharpen.telemetry.spans import OpenTelemetryTracer

    tracing = None if _is_set_up(trace.get_tracer_provider()) else _tracing()
    measuring = None if _is_set_up(metrics.get_meter_provider()) else _measuring()
    tracer = OpenTelemetryTracer(tracing, measuring)
    try:
        yield tracer
    finally:
        tracer.close()
        for provider in (tracing, measuring):
            if provider is not None:
                provider.shutdown()


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
