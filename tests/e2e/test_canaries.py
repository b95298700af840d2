"""Every secret that the server is given is put in, and looked for everywhere that it may not come out.

What redaction hides is part of a message: it is stored, for it must be delivered, and shown to nobody.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
import urllib.error
from pathlib import Path

import pytest
from tests.e2e.calls import call, publish
from tests.e2e.canaries import traces_of
from tests.e2e.server_process import run_outrider

OF_MESSAGES = {"messages", "bodies"}
"""The tables that hold what is to be delivered."""

METRICS_TOKEN = "c4nary-of-prometheus"
ANSWERS = (
    "/v2/profiles", "/v2/logs?count=1000", "/v2/events?count=1000", "/v2/dlq", "/v2/queues", "/v2/flowControl",
    "/v2/url-groups", "/v2/schedules", "/v2/usage", "/v2/activity", "/v2/status",
    "/v2/audit", "/openapi.json", "/docs", "/", "/readyz",
)  # fmt: skip


def rows_of(database):
    """Every row of every table of a database file, and of its schema, as text, by table."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.text_factory = bytes
        names = [name.decode() for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for name in [*names, "sqlite_schema"]:
            rows = connection.execute(f'SELECT * FROM "{name}"').fetchall()
            values = (value for row in rows for value in row)
            yield name, b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in values)


def told_of_process(pid):
    """What any user of the machine may read of it and of its workers: title and command line. Nothing but on Linux."""
    folder = Path(f"/proc/{pid}")
    if not folder.exists():
        return []
    workers = (folder / "task" / str(pid) / "children").read_text().split()
    told = [(folder / name).read_bytes() for name in ("cmdline", "comm", "status")]
    return told + [content for worker in workers for content in told_of_process(worker)]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_no_secret_comes_out_where_it_may_not(start_server, ledger, place, workers):
    secret_key = secrets.token_hex(32)
    environ = {"OUTRIDER_SECRET_KEY": secret_key, "OUTRIDER_METRICS_TOKEN": METRICS_TOKEN}
    server = start_server("serve", "--log-level", "debug", "--workers", workers, environ=environ)
    token = server.variables["QSTASH_TOKEN"]
    keys = [server.variables[f"QSTASH_{which}_SIGNING_KEY"] for which in ("CURRENT", "NEXT")]
    keys += json.loads(call(server, "POST", "/v2/keys/rotate"))["standardWebhooksSecrets"]
    profile, redacted_header, redacted_body = "c4nary-of-a-profile", "c4nary-of-a-header", "c4nary-of-a-body"
    host = ledger.origin.removeprefix("http://")
    answers = [call(server, "PUT", f"/v2/profiles/{host}", json.dumps({"headers": {"X-Key": profile}}).encode())]

    said = {
        "Upstash_Forward_X_Card": redacted_header,
        "Upstash_Redact_Fields": "body, header[X-Card]",
        "Upstash_Retries": "0",
        "Upstash_Callback": ledger.url(place + "/callback"),
        "Upstash_Failure_Callback": ledger.url(place + "/failed"),
    }
    failing = ledger.answer(place + "/failing", status=500)
    sent = [publish(server, url, redacted_body.encode(), **said) for url in (ledger.url(place), failing)]
    for message_id in sent:
        (received,) = ledger.wait_for(message_id=message_id)
        assert (received.values("X-Key"), received.values("X-Card")) == ([profile], [redacted_header])
        assert received.body == redacted_body.encode()
    ledger.wait_for(place + "/failed")
    ledger.wait_for(place + "/callback")
    # By the query, and with what is refused, a token comes the way of more code.
    call(server, "GET", f"/v2/logs?qstash_token={token}")
    for path in (f"/v2/nothing?qstash_token={token}", f"/v2/logs?qstash_token={token}&count=x"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            call(server, "GET", path)
        with refused.value as answer:
            answers.append(answer.read())
    answers += [call(server, "GET", path) for path in (*ANSWERS, *(f"/v2/messages/{one}" for one in sent))]
    answers.append(call(server, "GET", "/metrics", headers=[("Authorization", f"Bearer {METRICS_TOKEN}")]))
    processes = told_of_process(server.pid)
    flags = ("--data", str(server.data))
    commands = (("audit",), ("token", "list"), ("tenant", "list"))
    printed = [run_outrider(*command, *flags).encode() for command in commands]
    printed.append(run_outrider("config", "show", environ=environ).encode())
    assert server.terminate() == 0

    # The first start prints token and keys, this once.
    announced = [line for line in server.output.splitlines() if line.startswith("QSTASH_")]
    output = "\n".join(line for line in server.output.splitlines() if line not in announced)
    tables = list(rows_of(server.database))
    assert {"signing_keys", "profiles", "audit", "tokens", *OF_MESSAGES} <= {name for name, _ in tables}
    assert any(traces_of(redacted_body, content) for name, content in tables if name in OF_MESSAGES)
    everywhere = {
        "log": [server.log.encode(), output.encode()],
        "answers": answers,
        "command line": printed,
        "processes": processes,
        "tables": [content for _, content in tables],
        "files": [file.read_bytes() for file in server.data.iterdir()],
    }
    hidden = [secret_key, METRICS_TOKEN, token, *keys, profile]
    found = {
        place: canary for place, contents in everywhere.items() for content in contents for canary in hidden
        if traces_of(canary, content)
    }  # fmt: skip
    everywhere["tables"] = [content for name, content in tables if name not in OF_MESSAGES]
    del everywhere["files"]
    found |= {
        place: canary for place, contents in everywhere.items() for content in contents
        for canary in (redacted_header, redacted_body) if traces_of(canary, content)
    }  # fmt: skip
    assert found == {}
