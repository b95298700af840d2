"""Which database a server takes, and which it refuses."""

import json
import sqlite3

import pytest
from tests.e2e.server_process import STOP_S, outrider

ANOTHER_KEY = {"OUTRIDER_SECRET_KEY": "5ec2e7" * 10 + "beef"}


def refusal(*arguments, environ=None):
    """What a server says that does not start."""
    process = outrider(*arguments, environ=environ)
    _, stderr = process.communicate(timeout=STOP_S)
    assert process.returncode == 2, stderr
    return stderr


def test_a_database_file_may_be_anywhere(start_server, tmp_path):
    server = start_server("serve", "--database", f"sqlite:{tmp_path}/else/where.db")
    server.terminate()
    assert (tmp_path / "else" / "where.db").exists()
    assert not server.database.exists()
    opened = json.loads(server.wait_for_log("database_opened"))
    assert opened["database"] == f"sqlite:{tmp_path}/else/where.db"
    assert opened["server"] == f"SQLite {sqlite3.sqlite_version}"


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    stderr = refusal("serve", "--port", "0", "--data", str(tmp_path / "file" / "data"))
    assert stderr.startswith(f"error: the folder '{tmp_path}/file/data' cannot be made: ")


@pytest.mark.parametrize(("first", "second"), [("dev", "serve"), ("serve", "dev")])
def test_development_and_production_never_share_a_database(start_server, tmp_path, first, second):
    database = ("--database", f"sqlite:{tmp_path}/shared.db")
    start_server(first, *database).terminate()
    stderr = refusal(second, "--port", "0", *database)
    assert f"was made by `outrider {first}`" in stderr
    assert "hint: " in stderr


def test_a_command_for_production_refuses_a_database_of_development(start_server, tmp_path):
    database = ("--database", f"sqlite:{tmp_path}/shared.db")
    start_server("dev", *database).terminate()
    assert "was made by `outrider dev`" in refusal("tenant", "add", "acme", *database)


def test_a_server_with_another_secret_key_does_not_start(start_server):
    server = start_server("serve")
    server.terminate()
    arguments = ("serve", "--port", "0", "--data", str(server.data))
    stderr = refusal(*arguments, environ=ANOTHER_KEY)
    assert "the secret key of this node" in stderr
    assert "secret.key" in stderr
    assert ANOTHER_KEY["OUTRIDER_SECRET_KEY"] not in stderr
    assert server.start().terminate() == 0


def test_a_lost_key_gives_way_to_another(start_server):
    server = start_server("serve")
    server.terminate()
    (server.data / "secret.key").unlink()
    assert "the secret key of this node" in refusal("serve", "--port", "0", "--data", str(server.data))
    forgotten = outrider("db", "forget-key", "--yes", "--data", str(server.data))
    forgotten.communicate(timeout=STOP_S)
    assert forgotten.returncode == 0
    assert server.start().terminate() == 0
