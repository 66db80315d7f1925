"""Every engine of sharpen's own against the contract."""

import re

import pytest

from sharpen.optimizer.engines.registry import build_engine
from sharpen.testing.engine_suite import EngineContract


class TestRace(EngineContract):
    @pytest.fixture
    def engine(self):
        return build_engine("race")


class TestGepa(EngineContract):
    @pytest.fixture
    def engine(self):
        pytest.importorskip("gepa", reason="needs the extra sharpen[gepa]")
        return build_engine("gepa")

    def reply(self, question, number):
        return f"Here it is:\n```\n{super().reply(question, number)}\n```"


class TestMipro(EngineContract):
    @pytest.fixture
    def engine(self):
        pytest.importorskip("dspy", reason="needs the extra sharpen[dspy]", exc_type=ImportError)
        pytest.importorskip("optuna", reason="needs the extra sharpen[dspy]")
        return build_engine("mipro")

    def reply(self, question, number):
        """In the form of DSPy's chat adapter: every output field that is asked for."""
        wanted = re.findall(r"\[\[ ## (\w+) ## \]\]", question.rpartition("Respond with")[2])
        text = super().reply(question, number)
        return "".join(f"[[ ## {name} ## ]]\n{text}\n\n" for name in dict.fromkeys(wanted) if name != "completed")
