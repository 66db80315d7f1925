"""Fixtures of the whole suite: real servers on this machine, and the guard that keeps every test on it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # helpers of the tests: `servers`

from servers import network_guard
from servers.faulty import FaultyServer
from servers.postgres import NoServer, PostgresServer

network_guard.install()
_TELLING = ("SHARPEN_LOG_FORMAT", "SHARPEN_LOG_LEVEL", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SDK_DISABLED")


@pytest.fixture(autouse=True)
def _no_secrets_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have a key, a proxy or a model of their own set."""
    for name in ("OPENAI_API_KEY", "SHARPEN_LOCAL_MODEL", "SHARPEN_STORE", "SHARPEN_OFFLINE", *_TELLING):
        monkeypatch.setenv(name, "")  # so that what a test sets on the way (--offline does) is undone after it
        monkeypatch.delenv(name)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def openai_server() -> Iterator[FaultyServer]:
    """An OpenAI-compatible server that answers "ok" until the test scripts it otherwise."""
    with FaultyServer() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL of our own, where there can be one."""
    server = PostgresServer()
    try:
        server.start()
    except NoServer as reason:
        pytest.skip(str(reason))
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a new and empty store on PostgreSQL."""
    url = postgres_server.database()
    yield url
    postgres_server.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with nothing in it, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/per%20cent % é/store.db"  # a path that a configuration file would stumble over
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.empty_database()
    yield url
    server.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new and empty store, on each kind of database in turn."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture(scope="session")
def llama_server() -> str:
    """``base_url`` of the real llama.cpp HTTP server with the small model of ``make setup``. Use ``local_model``."""
    from sharpen.targets.local_model import ServerSettings, default_threads, serve
    from sharpen.targets.weights import locate_weights

    return serve(ServerSettings(locate_weights(None), slots=2, threads=default_threads(), context=1024)) + "/v1"
