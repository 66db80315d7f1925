"""DSPy programs under test, their language model on a real server of ours. Needs the extra ``sharpen[dspy]``."""

from __future__ import annotations

import asyncio
import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

dspy = pytest.importorskip("dspy", reason="needs the extra sharpen[dspy]", exc_type=ImportError)

from servers.faulty import FaultyServer, answering, chat, hang, status  # noqa: E402 - after the skip
from sharpen.config.targets import DspyTarget  # noqa: E402
from sharpen.errors import ErrorKind, PlanError, UserError  # noqa: E402
from sharpen.targets.base import Message, TargetError, TargetRequest, Usage  # noqa: E402
from sharpen.targets.dspy_loading import instructions_of, load_program, with_instructions  # noqa: E402
from sharpen.targets.dspy_program import DspyProgram  # noqa: E402
from sharpen.targets.registry import build_target  # noqa: E402
from sharpen.testing.target_suite import TargetContract  # noqa: E402

MODULE = """
import dspy

class Classify(dspy.Signature):
    \"\"\"Say what the customer feels.\"\"\"
    review: str = dspy.InputField()
    label: str = dspy.OutputField()

lm = dspy.LM("openai/m-1", api_base={base_url!r}, api_key="sk-very-secret-key-123456", max_tokens=50)
plain = dspy.Predict(Classify)
plain.lm = lm
thinking = dspy.ChainOfThought(Classify)
thinking.set_lm(lm)

class Two(dspy.Module):
    def __init__(self):
        super().__init__()
        self.first = dspy.Predict("review -> summary")
        self.second = dspy.Predict("summary -> label, score: int")
        self.set_lm(lm)
    def forward(self, review, hint=""):
        return self.second(summary=self.first(review=review).summary)

class Later(dspy.Module):
    def __init__(self):
        super().__init__()
        self.step = dspy.Predict(Classify)
        self.set_lm(lm)
    async def aforward(self, review):
        return await self.step.acall(review=review)

class Says(dspy.Module):
    def __init__(self):
        super().__init__()
        self.step = dspy.Predict(Classify)
        self.set_lm(lm)
    def forward(self, review):
        self.step(review=review)
        return "just text"

def broken(): raise KeyError("no such prompt")
def without_model(): return dspy.Predict(Classify)
number = 7
"""


def answer(**fields: Any) -> str:
    """As DSPy's chat adapter reads it."""
    return "".join(f"[[ ## {name} ## ]]\n{value}\n\n" for name, value in fields.items()) + "[[ ## completed ## ]]"


@pytest.fixture
def build(openai_server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DspyProgram]:
    """Targets on a module that is written anew for each test."""
    name = f"program_{tmp_path.name.replace('-', '_').replace('[', '_').replace(']', '_')}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(MODULE.format(base_url=openai_server.base_url)))
    monkeypatch.syspath_prepend(str(tmp_path))
    openai_server.script(chat(answer(label="positive")))

    def make(program: str = "plain", **more: Any) -> DspyProgram:
        config = DspyTarget(program=f"{name}:{program}", **more)
        target = build_target(config, tmp_path)
        assert isinstance(target, DspyProgram)
        return target

    return make


def ask(target: DspyProgram, instructions: str = "Positive or negative?", **variables: Any) -> Any:
    request = TargetRequest((Message("system", instructions),), variables or {"review": "so good"}, "c1")

    async def story() -> Any:
        async with target:
            return await target.invoke(request)

    return asyncio.run(story())


def failure(target: DspyProgram, **variables: Any) -> Any:
    with pytest.raises(TargetError) as caught:
        ask(target, **variables)
    return target.classify(caught.value)


def test_the_prompt_is_the_instruction_and_the_variables_are_the_inputs(build, openai_server):
    response = ask(build(), "Answer in one word.", review="so good", other="not an input")
    assert (response.output, response.usage, response.model) == ("positive", Usage(7, 3), "openai/m-1")
    sent = openai_server.requests[0].prompt
    assert "Answer in one word." in sent
    assert "so good" in sent
    assert "Say what the customer feels." not in sent
    assert "not an input" not in sent


def test_the_program_itself_stays_as_it_was(build):
    target = build()
    ask(target, "Answer in one word.")
    assert instructions_of(target._program) == "Say what the customer feels."


def test_two_instructions_side_by_side_do_not_mix(build, openai_server):
    openai_server.script(answering(lambda prompt: answer(label="A" if "first rule" in prompt else "B")))
    target = build()

    async def story():
        requests = [
            TargetRequest((Message("system", rule),), {"review": f"r{number}"})
            for number, rule in enumerate(["first rule", "second rule"] * 8)
        ]
        async with target:
            return await asyncio.gather(*map(target.invoke, requests))

    assert [response.output for response in asyncio.run(story())] == ["A", "B"] * 8


def test_the_cache_of_dspy_answers_no_repeat(build, openai_server):
    target = build()
    ask(target)
    ask(target)
    assert len(openai_server.requests) == 2


def test_of_a_chain_of_thought_the_answer_counts_and_of_several_fields_all(build, openai_server):
    openai_server.script(chat(answer(reasoning="hm", label="negative")))
    assert ask(build("thinking")).output == "negative"
    assert ask(build("thinking", output="reasoning")).output == "hm"
    openai_server.script(chat(answer(summary="short")), chat(answer(label="a", score=3)))
    response = ask(build("Two", predictor="second"))
    assert json.loads(response.output) == {"label": "a", "score": 3}
    assert response.usage == Usage(14, 6)


def test_a_program_may_be_async_or_return_a_text(build):
    assert ask(build("Later")).output == "positive"
    assert ask(build("Says")).output == "just text"


def test_which_predictor_is_meant_must_be_clear(build):
    with pytest.raises(PlanError, match=r"target.predictor: the program has 2 predictors; expected one of: first, sec"):
        build("Two")
    with pytest.raises(PlanError, match=r"no predictor 'fist'; did you mean 'first'\?"):
        build("Two", predictor="fist")


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("number", r"is a int; expected a dspy.Module"),
        ("broken", r"broken\(\) raised KeyError"),
        ("without_model", r"has no language model; expected dspy.configure"),
        ("absent", r"has no 'absent'"),
    ],
)
def test_what_is_no_program_is_told_before_any_call(build, program, message):
    with pytest.raises(PlanError, match=message):
        build(program)


def test_a_case_that_lacks_an_input_fails_by_itself(build, openai_server):
    found = failure(build(), text="so good")
    assert (found.kind, found.retryable) == (ErrorKind.BAD_REQUEST, False)
    assert "needs 'review'" in found.message
    assert "its variables: text" in found.message
    assert not openai_server.requests


def test_a_prediction_without_the_field_is_malformed(build):
    found = failure(build(output="lable"))
    assert found.kind is ErrorKind.MALFORMED_COMPLETION
    assert "no field 'lable'; it has: label" in found.message
    assert found.usage == Usage(7, 3)


def test_an_answer_that_cannot_be_read_is_malformed_and_still_costs(build, openai_server):
    openai_server.script(chat("no fields at all"))
    found = failure(build())
    assert (found.kind, found.retryable) == (ErrorKind.MALFORMED_COMPLETION, False)
    assert found.usage.total_tokens >= 10


@pytest.mark.parametrize(
    ("reply", "kind", "retryable"),
    [
        (status(401, "wrong key sk-very-secret-key-123456"), ErrorKind.AUTHENTICATION, False),
        (status(429, "slow down"), ErrorKind.RATE_LIMIT, True),
        (status(503, "busy"), ErrorKind.SERVER, True),
        (status(400, "no such thing"), ErrorKind.BAD_REQUEST, False),
    ],
)
def test_failures_are_classified_and_tried_once(build, openai_server, reply, kind, retryable):
    openai_server.script(reply)
    found = failure(build())
    assert (found.kind, found.retryable) == (kind, retryable), found
    assert "sk-very-secret" not in found.message
    assert len(openai_server.requests) == 1


def test_a_server_that_is_not_there(build):
    target = build()
    target._program.lm.kwargs["api_base"] = "http://127.0.0.1:9/v1"  # the discard port: nobody listens
    found = failure(target)
    assert (found.kind, found.retryable) == (ErrorKind.CONNECTION, True)


def test_a_call_that_hangs_is_left_behind_at_its_deadline(build, openai_server):
    openai_server.script(hang(), chat(answer(label="positive")))
    target = build()

    async def story():
        async with target:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(target.invoke(TargetRequest((Message("user", "x"),), {"review": "a"})), 0.5)
            return await target.invoke(TargetRequest((Message("user", "x"),), {"review": "b"}))

    assert asyncio.run(story()).output == "positive"


def test_the_price_of_the_plan_counts_every_call(build):
    response = ask(build(price={"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0}))
    assert response.cost == pytest.approx(13e-6)
    assert ask(build()).cost is None


def test_identity_changes_with_program_state_and_model_and_holds_no_key(build):
    plain = build().identity()
    assert plain != build("thinking").identity()
    assert "sk-very-secret" not in json.dumps(plain)
    assert plain == build().identity()
    assert build().address().startswith("http://127.0.0.1")


def test_an_improved_program_is_saved_and_loaded_again(build, tmp_path):
    target = build()
    improved = with_instructions(target._program, "Better instruction.")
    improved.save(str(tmp_path / "improved.json"))
    loaded = load_program(target._config.program, tmp_path, tmp_path / "improved.json")
    assert instructions_of(loaded) == "Better instruction."
    assert instructions_of(target._program) == "Say what the customer feels."
    assert build(saved=tmp_path / "improved.json").identity() != target.identity()
    with pytest.raises(PlanError, match=r"target.saved: .*cannot be loaded"):
        build(saved=tmp_path / "nothing.json")
    with pytest.raises(UserError, match="the instruction is empty"):
        with_instructions(target._program, "  ")


class TestContract(TargetContract):
    @pytest.fixture(autouse=True)
    def _made(self, build):
        self._build = build

    def make_target(self):
        return self._build()

    def request_for(self, number):
        return TargetRequest((Message("system", "Say yes."),), {"review": f"number {number}"}, f"case-{number}")

    def secrets(self):
        return ("sk-very-secret-key-123456",)
