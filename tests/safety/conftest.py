"""Processes that start at once, for all the tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ledger_server import LedgerServer
from safety_kit import project, right
from spawner import Spawner, spawning


@pytest.fixture(scope="session")
def spawner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spawner]:
    """Forks commands from a process that has imported what ``run`` needs."""
    with spawning() as made, LedgerServer(right) as server:
        made.warm_up(project(tmp_path_factory.mktemp("warm"), server), "run", "plan.json", "--json")
        yield made


@pytest.fixture
def server() -> Iterator[LedgerServer]:
    """A server that answers rightly, after 20 ms."""
    with LedgerServer(right) as made:
        yield made
