"""``sharpen store``: the store as a whole, from the command line."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from cli_kit import Cli, routing_plan

from servers.postgres import PostgresServer
from sharpen.storage.engine import connect
from sharpen.storage.migrate import config
from sharpen.storage.revision import REVISION

STORE = ".sharpen/sharpen.db"


@pytest.fixture
def project(cli: Cli) -> Cli:
    cli.write("plan.yaml", routing_plan(6))
    cli("run", "plan.yaml")
    return cli


def make_older(cli: Cli, revision: str = "0003") -> None:
    database = connect(f"sqlite:///{cli.directory / STORE}")
    with database.write() as connection:
        command.downgrade(config(connection), revision)
    database.close()


def test_any_command_upgrades_an_older_file_and_says_so_in_one_line(project: Cli) -> None:
    make_older(project)
    shown = project("runs", "list", "--json")
    backup = project.directory.resolve() / ".sharpen" / "sharpen.db.0003.bak"
    assert shown.err == f"note: the store was upgraded from schema 0003 to {REVISION}; as it was before: {backup}\n"
    assert len(shown.json) == 1
    assert backup.is_file()
    assert project("runs", "list").err == ""


def test_upgrade_when_it_is_asked_for(project: Cli) -> None:
    make_older(project)
    done = project("store", "upgrade", "--json").json
    assert (done["before"], done["after"]) == ("0003", REVISION)
    assert Path(done["backup"]).is_file()
    again = project("store", "upgrade")
    assert again.out == f"sqlite:///{project.directory / STORE} is at schema {REVISION}\n"
    with sqlite3.connect(project.directory / STORE) as file:
        file.execute("DELETE FROM history")
    file.close()
    assert project("store", "upgrade").out.endswith("runs that were missing in the history: 1\n")


def test_there_must_be_a_store(cli: Cli) -> None:
    for name in ("check", "upgrade"):
        refused = cli("store", name, "--store", "sqlite:///none.db")
        assert (refused.code, refused.out) == (2, "")
        assert "there is no store 'sqlite:///none.db'" in refused.err
    assert not (cli.directory / "none.db").exists()


def test_copy_to_a_server_and_home(project: Cli, postgres_server: PostgresServer) -> None:
    server = postgres_server.empty_database().replace("+psycopg", "")
    copied = project("store", "copy", f"sqlite:///{STORE}", server)
    assert copied.code == 0
    assert copied.out.endswith("all of them the same\n")
    assert all(len(line) <= 80 for line in copied.out.splitlines()[:-1]), copied.out
    assert project("runs", "list", "--json", "--store", server).json == project("runs", "list", "--json").json
    assert project("store", "check", "--full", "--store", server).code == 0
    home = project("store", "copy", server, "sqlite:///home.db", "--json")
    assert {table["name"]: table["rows"] for table in home.json["tables"]}["results"] == 6
    project("run", "plan.yaml", "--store", server)  # its keys go on behind those that were copied
    assert len(project("runs", "list", "--json", "--store", server).json["runs"]) == 2
    postgres_server.drop(server)


def test_copy_refuses_what_would_be_lost(project: Cli) -> None:
    project("run", "plan.yaml", "--store", "sqlite:///other.db")
    refused = project("store", "copy", f"sqlite:///{STORE}", "sqlite:///other.db")
    assert refused.code == 2
    assert "is not empty (its table '" in refused.err
    path = project("store", "copy", STORE, "sqlite:///new.db")
    assert (path.code, path.err) == (2, f"error: {STORE!r} is no store URL; did you mean 'sqlite:///{STORE}'?\n")


def test_an_older_server_asks_for_the_upgrade(project: Cli, postgres_url: str) -> None:
    database = connect(postgres_url)
    with database.write() as connection:
        command.downgrade(config(connection), "0003")
    database.close()
    refused = project("runs", "list", "--store", postgres_url)
    assert refused.code == 2
    assert "was made by an older sharpen" in refused.err
    assert "sharpen store upgrade --store URL" in refused.err
    assert project("store", "upgrade", "--store", postgres_url).out.endswith(f"{REVISION}, was 0003\n")
    assert project("runs", "list", "--store", postgres_url).code == 0


def test_check_tells_what_is_wrong(project: Cli) -> None:
    whole = project("store", "check")
    assert whole.code == 0
    assert "nothing is wrong; --full looks at every row" in whole.out
    with sqlite3.connect(project.directory / STORE) as file:
        file.execute("UPDATE results SET total_tokens = total_tokens + 1 WHERE rowid = 1")
    file.close()
    broken = project("store", "check", "--full")
    assert broken.code == 1
    assert "1 wrong  statistics of runs are those of their results (1)" in broken.out
    assert broken.out.endswith(": something is wrong\n")
    found = project("store", "check", "--json")
    assert (found.code, [check["wrong"] for check in found.json["checks"] if check["wrong"]]) == (1, [1])
    assert project("store", "check", "--quiet").code == 1


def test_prune(project: Cli) -> None:
    assert project("store", "prune").code == 2
    nothing = project("store", "prune", "--older-than", "90d")
    assert nothing.out.startswith("dropped nothing from before ")
    would = project("store", "prune", "--older-than", "0s", "--dry-run")
    assert would.out.startswith("would drop 6 results from before ")
    assert project("store", "prune", "--older-than", "0s", "--keep", "1").out.endswith("kept 1 run among the newest\n")
    done = project("store", "prune", "--older-than", "0s", "--vacuum", "--json").json
    assert (done["results"], done["thinned"]) == (6, 1)
    (run,) = project("runs", "list", "--json").json["runs"]
    assert run["statistics"]["total_tasks"] == 6
    shown = project("runs", "show", run["run_id"], "--json")
    assert shown.json["report"]["total_tests"] == 6
    assert shown.err.startswith("note: its results were dropped by `sharpen store prune` on 20")
    gone = project("compare", run["run_id"], run["run_id"])
    assert gone.code == 2
    assert f"the results of '{run['run_id']}' were dropped by `sharpen store prune`" in gone.err
    assert project("store", "prune", "--older-than", "0s", "--forget").out.startswith("dropped 1 run")
    assert project("runs", "list", "--json").json["runs"] == []
    endless = project("store", "prune", "--older-than", "900000w")
    assert endless.code == 2
    assert "longer ago than any calendar knows" in endless.err


def test_passwords_stay_hidden(cli: Cli) -> None:
    url = "postgresql://me:hunter2@127.0.0.1:1/db"
    for arguments in (("upgrade", "--store", url), ("check", "--store", url), ("copy", url, "sqlite:///x.db")):
        refused = cli("store", *arguments)
        assert refused.code == 2
        assert "hunter2" not in refused.out + refused.err
        assert "postgresql://me:***@127.0.0.1:1/db: the database does not answer" in refused.err
