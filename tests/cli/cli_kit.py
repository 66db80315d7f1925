"""What the tests of the command line share: a way to call it, and projects to call it on."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from sharpen.cli.main import main

_MODULES = itertools.count()
QUEUES = {"billing": "invoice", "shipping": "parcel", "technical": "crash"}


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document and nothing else."""
        return json.loads(self.out)


@dataclass
class Cli:
    """Runs commands through ``main``, error boundary included."""

    directory: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: object) -> Outcome:
        self.capsys.readouterr()
        self.monkeypatch.setattr("sys.argv", ["sharpen", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        captured = self.capsys.readouterr()
        return Outcome(int(end.value.code or 0), captured.out, captured.err)

    def write(self, name: str, content: object) -> Path:
        """A file of this text, or of this data as YAML (JSON Lines where the name says so)."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".jsonl") and isinstance(content, list):
            content = "".join(json.dumps(row) + "\n" for row in content)
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False), "utf-8")
        return path

    def plan(self, *, name: str = "plan.yaml", cases: int = 30, **keys: Any) -> Path:
        """A plan of ``cases`` whose scripted model knows the queue, and says it alone only when the prompt asks so."""
        return self.write(name, routing_plan(cases) | keys)


def routing_cases(count: int) -> list[dict[str, Any]]:
    names = list(QUEUES)
    return [
        {
            "id": f"case-{number:02}",
            "vars": {"message": f"My {QUEUES[names[number % 3]]} number {number} is wrong."},
            "expected": names[number % 3],
        }
        for number in range(count)
    ]


def chatty_model() -> dict[str, Any]:
    """Says ``I think it is billing.``, but ``billing`` where the prompt states the output format."""
    rules = [{"regex": f"(?s)(?=.*nswer with)(?=.*{word})", "output": queue} for queue, word in QUEUES.items()]
    rules += [{"contains": word, "output": f"I think it is {queue}."} for queue, word in QUEUES.items()]
    return {"kind": "scripted", "rules": rules}


def right_model() -> dict[str, Any]:
    return {"kind": "scripted", "rules": [{"contains": word, "output": queue} for queue, word in QUEUES.items()]}


def wrong_model() -> dict[str, Any]:
    return {"kind": "scripted", "default": {"output": "no idea"}}


def routing_plan(cases: int = 30) -> dict[str, Any]:
    return {
        "workflow_id": "routing",
        "prompt": {"user": "Which queue does this message belong to?\n\n{{ message }}"},
        "target": chatty_model(),
        "dataset": routing_cases(cases),
        "assertions": [{"type": "equals", "value": "{{ expected }}"}],
        "rules": {"min_success_rate": 0.9},
        "optimize": {"strategies": ["format_focus"], "budget": {"max_calls": 200}},
    }


def counted(plan: dict[str, Any], log: Path) -> dict[str, Any]:
    """``plan`` with a Python target that answers like the chatty model and writes a line to ``log`` for each call."""
    module = f"counting_model_{next(_MODULES)}"  # a module's name is remembered by this process
    (log.parent / f"{module}.py").write_text(
        f"QUEUES = {QUEUES!r}\n\n"
        "def answer(request):\n"
        f"    with open({str(log)!r}, 'a') as file:\n"
        "        print(request.case_id, file=file)\n"
        "    queue = next(q for q, word in QUEUES.items() if word in request.messages[-1].content)\n"
        "    asked = any('nswer with' in message.content for message in request.messages)\n"
        "    return queue if asked else f'I think it is {queue}.'\n",
        "utf-8",
    )
    return plan | {"target": {"kind": "python", "function": f"{module}:answer"}}


def calls_in(log: Path) -> int:
    return len(log.read_text("utf-8").splitlines()) if log.exists() else 0
