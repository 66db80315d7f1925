"""What OpenTelemetry's semantic conventions for generative AI say of a call. Pure, and without OpenTelemetry.

Conventions: https://github.com/open-telemetry/semantic-conventions-genai (spans, metrics), in development as of 2026.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sharpen.targets.base import Failure, TargetRequest, TargetResponse

Attributes = dict[str, Any]

DURATION = "gen_ai.client.operation.duration"
DURATION_BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
"""Seconds; the boundaries that the conventions ask for."""
TOKENS = "gen_ai.client.token.usage"
TOKEN_BUCKETS = tuple(4**n for n in range(14))
"""1, 4, 16 … 67,108,864 tokens, as the conventions ask for."""

_PROVIDERS = {
    "api.openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "models.inference.ai.azure.com": "azure.ai.inference",
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "amazonaws.com": "aws.bedrock",
    "api.mistral.ai": "mistral_ai",
    "api.groq.com": "groq",
    "api.deepseek.com": "deepseek",
    "api.perplexity.ai": "perplexity",
    "api.x.ai": "x_ai",
    "api.cohere.com": "cohere",
}
_PARAMS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
    "n": "gen_ai.request.choice.count",
}


def of_target(identity: Mapping[str, Any]) -> Attributes:
    """Operation, provider, model and server of all calls of a target (``Target.identity()``)."""
    operation = "text_completion" if identity.get("api") == "completions" else "chat"
    found: Attributes = {"gen_ai.operation.name": operation, "gen_ai.provider.name": _provider(identity)}
    if model := identity.get("model"):
        found["gen_ai.request.model"] = str(model)
    server = urlsplit(str(identity.get("base_url") or ""))
    if server.hostname:
        found["server.address"] = server.hostname
        found["server.port"] = server.port or (80 if server.scheme == "http" else 443)
    return found


def of_params(identity: Mapping[str, Any]) -> Attributes:
    """The sampling parameters that the conventions name; others may be anything, and are left out."""
    params = identity.get("params")
    if not isinstance(params, Mapping):
        return {}
    found: Attributes = {
        name: params[key]
        for key, name in _PARAMS.items()
        if isinstance(params.get(key), int | float) and not isinstance(params.get(key), bool)
    }
    if found.get("gen_ai.request.choice.count") == 1:  # only worth saying when it is another number
        del found["gen_ai.request.choice.count"]
    stop = params.get("stop")
    if isinstance(stop, str | list) and stop:
        found["gen_ai.request.stop_sequences"] = [stop] if isinstance(stop, str) else [str(text) for text in stop]
    return found


def span_name(target: Attributes) -> str:
    """``chat gpt-4o``; the operation alone where no model is named."""
    return " ".join(filter(None, (target["gen_ai.operation.name"], target.get("gen_ai.request.model"))))


def of_outcome(response: TargetResponse | None, failure: Failure | None) -> Attributes:
    """What came of a call: model and tokens, why it ended, or what kind of error it was. No message, no content."""
    found: Attributes = {}
    usage = response.usage if response else failure.usage if failure else None
    if usage is not None and usage.total_tokens:
        found["gen_ai.usage.input_tokens"] = usage.prompt_tokens
        found["gen_ai.usage.output_tokens"] = usage.completion_tokens
    if response is not None:
        if response.model:
            found["gen_ai.response.model"] = response.model
        if response.finish_reason:
            found["gen_ai.response.finish_reasons"] = [response.finish_reason]
    elif failure is not None:
        found["error.type"] = str(failure.kind)
        if failure.http_status is not None:
            found["http.response.status_code"] = failure.http_status
    else:
        found["error.type"] = "cancelled"
    return found


def content_wanted(environ: Mapping[str, str]) -> bool:
    """Whether messages are to be recorded on spans: off unless the conventions' variable asks for it."""
    asked = environ.get("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "")
    return asked.strip().lower() in ("true", "span_only", "span_and_event")


def input_content(request: TargetRequest) -> Attributes:
    """The messages that were sent, as the conventions' JSON."""
    messages = [{"role": m.role, "parts": [{"type": "text", "content": m.content}]} for m in request.messages]
    return {"gen_ai.input.messages": json.dumps(messages, ensure_ascii=False)}


def output_content(response: TargetResponse) -> Attributes:
    """The answer, as the conventions' JSON."""
    message = {"role": "assistant", "parts": [{"type": "text", "content": response.output}]}
    if response.finish_reason:
        message["finish_reason"] = response.finish_reason
    return {"gen_ai.output.messages": json.dumps([message], ensure_ascii=False)}


def _provider(identity: Mapping[str, Any]) -> str:
    """By the server's name. Whoever else speaks OpenAI's API counts as ``openai``; what is no server says so."""
    host = urlsplit(str(identity.get("base_url") or "")).hostname or ""
    for ending, provider in _PROVIDERS.items():
        if host == ending or host.endswith(f".{ending}"):
            return provider
    kind = str(identity.get("kind") or "unknown")
    return "openai" if kind == "openai" else f"sharpen.{kind}"
