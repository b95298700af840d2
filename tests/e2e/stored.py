"""What a killed server has left in its file."""

from __future__ import annotations

import shutil
import sqlite3

from tests.e2e.server_process import ServerProcess


def stored_in(server: ServerProcess) -> tuple[set[str], set[str]]:
    """The ids of the messages stored and of those in flight.

    They are read off a copy: opening the files would change what the next start finds.
    """
    copy = server.data / "copy"
    copy.mkdir()
    for file in server.data.glob(server.database.name + "*"):
        shutil.copy(file, copy)
    with sqlite3.connect(copy / server.database.name) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        leases = dict(database.execute("SELECT id, lease FROM messages"))
    database.close()
    shutil.rmtree(copy)
    return set(leases), {message_id for message_id, lease in leases.items() if lease is not None}
