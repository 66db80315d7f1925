"""A DSPy program, optimized by the whole loop on a real server, and what was found put back into it."""

import json

import pytest

dspy = pytest.importorskip("dspy", reason="needs the extra sharpen[dspy]", exc_type=ImportError)

from servers.faulty import answering  # noqa: E402 - after the skip
from sharpen.cli.main import _guarded as main  # noqa: E402
from sharpen.storage.store import Store  # noqa: E402
from sharpen.targets.dspy_loading import instructions_of, load_program, with_instructions  # noqa: E402
from sharpen.wiring import load_plan, optimize_plan  # noqa: E402

PROGRAM = """
import dspy

class Route(dspy.Signature):
    \"\"\"Read the message.\"\"\"
    message: str = dspy.InputField()
    queue: str = dspy.OutputField()

router = dspy.ChainOfThought(Route)
router.set_lm(dspy.LM("openai/m-1", api_base={base_url!r}, api_key="none"))
"""


def reply(prompt):
    """Knows the queue, and says it alone only when the instruction asks for a word."""
    queue = "billing" if "invoice" in prompt.rpartition("[[ ## message ## ]]")[2] else "shipping"
    said = queue if "one word" in prompt else f"I think it is {queue}."
    return f"[[ ## reasoning ## ]]\nhm\n\n[[ ## queue ## ]]\n{said}\n\n[[ ## completed ## ]]"


@pytest.mark.parametrize("engine", ["race", "gepa"])
def test_any_engine_improves_a_program(engine, tmp_path, openai_server, capsys):
    pytest.importorskip("gepa")
    openai_server.script(answering(reply))
    module = f"routing_program_{engine}"
    (tmp_path / f"{module}.py").write_text(PROGRAM.format(base_url=openai_server.base_url))
    better = "Read the message and name the queue in one word."
    plan = {
        "workflow_id": "routing",
        "prompt": {"system": "Read the message."},
        "target": {"kind": "dspy", "program": f"{module}:router"},
        "dataset": [
            {
                "vars": {"message": f"The {('invoice', 'parcel')[n % 2]} {n}."},
                "expected": ("billing", "shipping")[n % 2],
            }
            for n in range(40)
        ],
        "assertions": [{"type": "equals", "value": "{{ expected }}"}],
        "optimize": {
            "engine": engine,
            **({"strategies": ["clarity_focus"], "candidates": [{"system": better}]} if engine == "race" else {}),
            "rewriter": {"kind": "scripted", "default": {"output": f"```\n{better}\n```"}},
        },
    }
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan), "utf-8")
    assert main(["check", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert not told["warnings"]
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        outcome = optimize_plan(load_plan(path), store)
    assert outcome.version == "2.0.0"
    assert outcome.baseline.total_tokens > 40 * 100  # as the server counted them
    assert len(openai_server.requests) == outcome.calls - _reflections(outcome)
    found = outcome.result.optimized_prompt.text
    assert found == better
    program = load_program(f"{module}:router", tmp_path)
    with_instructions(program, found).save(str(tmp_path / "better.json"))
    again = load_program(f"{module}:router", tmp_path, tmp_path / "better.json")
    assert instructions_of(again) == better
    assert instructions_of(program) == "Read the message."


def _reflections(outcome):
    return outcome.calls - outcome.baseline.total_tests - sum(each.calls for each in outcome.candidates)
