"""What machines are told of a run: structured logs, and spans and metrics of OpenTelemetry."""
