"""Every engine of sharpen's own against the contract."""

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
