"""A system that grew on a file goes on from a PostgreSQL server: everything is there, and everything is delivered.

The copy is killed in its middle, too, and run again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sqlite3
import time
import urllib.request

import asyncpg
import pytest
from tests.e2e.ledger import PATIENCE_S
from tests.e2e.server_process import ServerProcess, outrider
from tests.factories import NOW, make_deduplicated, make_keys, make_message, make_tenant

from outrider.domain.instant import DAY_MS
from outrider.store.sqlite import SqliteStore

COPY_S = 60.0
SEED = 20_250_101


@pytest.fixture
def target(postgres, request):
    """The URL of an empty database."""
    name = f"copy_{abs(hash(request.node.nodeid))}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


def call(server, method, path, body=None, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    token = server.variables["QSTASH_TOKEN"]
    request = urllib.request.Request(
        server.url + path, body, {"Authorization": f"Bearer {token}", **named}, method=method
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def publish(server, url, body=b"body", **options):
    return call(server, "POST", f"/v2/publish/{url}", body, **options)["messageId"]


def copy(folder, target):
    """Run the copy to its end: exit code, standard output, standard error."""
    process = outrider("copy", "--from", f"sqlite:{folder}/outrider.db", "--to", target)
    stdout, stderr = process.communicate(timeout=COPY_S)
    return process.returncode, stdout, stderr


def everything(server):
    """What the API tells of a server that has nothing to do."""
    logs, cursor = [], ""
    while cursor is not None:
        page = call(server, "GET", f"/v2/logs?count=1000{cursor and '&cursor=' + cursor}")
        logs += page["events"]
        cursor = page.get("cursor") or None
    letters = call(server, "GET", "/v2/dlq?count=100")
    listed = {path: call(server, "GET", f"/v2/{path}") for path in LISTS}
    messages = {one["messageId"]: None for one in logs}
    for message_id in messages:
        messages[message_id] = call(server, "GET", f"/v2/messages/{message_id}")
    return {**listed, "logs": logs, "dlq": letters, "messages": messages}


LISTS = ("queues", "schedules", "topics", "flowControl", "keys", "profiles", "usage")


def fill(server, ledger, place):
    """A real mix, in which everything that may go has gone; the ids of what waits, by what it waits for."""
    failing = ledger.answer(f"{place}/failing", status=500, body=b"broken")
    body = json.dumps({"headers": {"X-Profile": "opened"}}).encode()
    call(server, "PUT", f"/v2/profiles/{ledger.origin.removeprefix('http://')}", body)
    body = json.dumps({"endpoints": [{"name": "one", "url": ledger.url(f"{place}/group")}]}).encode()
    call(server, "POST", "/v2/topics/everyone/endpoints", body, Content_Type="application/json")
    call(server, "POST", f"/v2/schedules/{ledger.url(place + '/scheduled')}", b"tick", Upstash_Cron="0 0 1 1 *")
    call(server, "POST", "/v2/queues", b'{"queueName": "line", "parallelism": 1}', Content_Type="application/json")
    call(server, "POST", "/v2/queues/line/pause")
    for number in range(20):
        publish(server, ledger.url(f"{place}/done"), f"{number}".encode(), Upstash_Label="finished")
    publish(server, ledger.url(f"{place}/done"), b"large " * 100_000)
    publish(server, ledger.url(f"{place}/done"), Upstash_Callback=ledger.url(f"{place}/callback"))
    dead = publish(server, failing, Upstash_Retries="0", Upstash_Failure_Callback=ledger.url(f"{place}/failed"))
    once = {"Upstash_Deduplication_Id": "once", "Upstash_Deduplication_Window": "1d"}
    first = publish(server, ledger.url(f"{place}/once"), **once)
    in_line = [
        call(server, "POST", f"/v2/enqueue/line/{ledger.url(place + '/line')}", f"{number}".encode())["messageId"]
        for number in range(12)
    ]
    keyed = {"Upstash_Flow_Control_Key": "slow", "Upstash_Flow_Control_Value": "parallelism=1"}
    publish(server, ledger.url(f"{place}/keyed"), **keyed)
    ledger.wait_for(f"{place}/keyed")
    call(server, "POST", "/v2/flowControl/slow/pause")
    by_key = [publish(server, ledger.url(f"{place}/keyed"), **keyed) for _ in range(5)]
    for path, count in (("/done", 22), ("/callback", 1), ("/failed", 1), ("/once", 1)):
        ledger.wait_for(place + path, count)
    later = publish(server, ledger.url(f"{place}/later"), b"later " * 50_000, Upstash_Delay="1d")
    return {"dead": dead, "first": first, "line": in_line, "key": by_key, "later": later}


def wait_until_settled(server, deliveries):
    """Return when the log tells so many deliveries."""
    deadline = time.monotonic() + PATIENCE_S
    while len(call(server, "GET", "/v2/logs?count=1000&state=DELIVERED")["events"]) < deliveries:
        assert time.monotonic() < deadline, "not everything was settled"


def test_everything_goes_on_from_the_copy(start_server, clock, ledger, place, target):
    clock.skip(-300)  # what is to wait for five minutes by it is due at once by the clock of the database
    server = start_server("serve", prefix=clock.prefix)
    waiting = fill(server, ledger, place)
    wait_until_settled(server, deliveries=26)
    before = everything(server)
    soon = publish(server, ledger.url(f"{place}/soon"), b"soon", Upstash_Delay="5m")
    assert server.terminate() == 0
    assert ledger.requests(f"{place}/soon") == []

    code, stdout, stderr = copy(server.data, target)
    assert code == 0, stderr
    rows = {name: int(count) for name, count, _ in map(str.split, stdout.splitlines()[1:])}
    assert rows["messages"] == len(before["messages"]) + 1
    assert (rows["dead_letters"], rows["schedules"], rows["profiles"], rows["queues"], rows["flow_keys"]) == (1,) * 5
    assert rows["gated"] == len(waiting["line"]) + len(waiting["key"])
    assert "the same secret.key" in stderr

    successor = ServerProcess(server.data, "serve", environ={"OUTRIDER_DATABASE": target})
    successor.variables = dict(server.variables)
    successor.start()
    try:
        ledger.wait_for(f"{place}/soon", message_id=soon)
        after = everything(successor)
        forget_windows(before, after)
        after["logs"] = [one for one in after["logs"] if one["messageId"] != soon]
        del after["messages"][soon]
        assert after.pop("usage") != before.pop("usage")  # it counts one more
        assert after == before

        go_on(successor, ledger, place, waiting)
        assert successor.terminate() == 0
    finally:
        successor.stop()
    sound = outrider("db", "check", "--database", target)
    found = sound.communicate(timeout=COPY_S)[0]
    assert [line for line in found.splitlines() if line.startswith("fail") and "durability" not in line] == []


def go_on(server, ledger, place, waiting):
    """Let everything go, and see it arrive in its order."""
    assert publish(server, ledger.url(f"{place}/once"), Upstash_Deduplication_Id="once") == waiting["first"]
    call(server, "POST", "/v2/queues/line/resume")
    call(server, "POST", "/v2/flowControl/slow/resume")
    in_line = ledger.wait_for(f"{place}/line", len(waiting["line"]))
    assert [one.message_id for one in in_line] == waiting["line"]
    assert [one.body for one in in_line] == [f"{number}".encode() for number in range(12)]
    assert all(one.header("X-Profile") == "opened" for one in in_line)
    keyed = ledger.wait_for(f"{place}/keyed", 1 + len(waiting["key"]))
    assert [one.message_id for one in keyed[1:]] == waiting["key"]
    (letter,) = call(server, "GET", "/v2/dlq")["messages"]
    ledger.answer(f"{place}/failing", status=200)
    assert letter["messageId"] == waiting["dead"]
    new = call(server, "POST", f"/v2/dlq/retry/{letter['dlqId']}")
    ledger.wait_for(f"{place}/failing", 2)
    assert new
    later = call(server, "GET", f"/v2/messages/{waiting['later']}")
    assert later["body"] == "later " * 50_000
    publish(server, ledger.url(f"{place}/new"))
    ledger.wait_for(f"{place}/new")


def forget_windows(*told):
    """Starts are counted in the window that runs, and time has passed."""
    for one in told:
        for key in one["flowControl"]:
            del key["rateCount"]


ROWS = 9_000
DAYS = 10


async def make_large_source(path):
    """A file whose copy takes many batches: a third of its messages wait, the others ended within ten days."""
    store = await SqliteStore.open(path)
    tenant = make_tenant()
    await store.add_tenant(tenant, make_keys())
    for start in range(0, ROWS, 500):
        messages = [make_one(number, tenant) for number in range(start, start + 500)]
        await store.add(messages, NOW)
    await store.close()
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            f"UPDATE messages SET state = 'delivered', finished_at = {NOW} - seq % {DAYS} * {DAY_MS} WHERE seq % 3 > 0"
        )


def make_one(number, tenant):
    body = b"x" * (200 if number % 2 else 3000)
    if number % 50 == 0:
        return make_deduplicated(f"key-{number}", tenant=tenant.id, body=body)
    return make_message(tenant=tenant.id, body=body)


async def kill_at_rows(target, table, rows, process):
    """Kill a copy when so many rows of a table are there, while it cannot count more."""
    connection = await asyncpg.connect(target)
    try:
        while process.poll() is None:
            with contextlib.suppress(asyncpg.UndefinedTableError):
                async with connection.transaction():
                    query = "SELECT rows FROM copies WHERE name = $1 FOR UPDATE"
                    if (await connection.fetchval(query, table) or 0) >= rows:
                        process.kill()
                        process.wait()
                        return
        raise AssertionError(f"the copy ended before {rows} rows of {table} were there:\n{process.stderr.read()}")
    finally:
        await connection.close()


def test_a_copy_that_was_killed_goes_on_where_it_was(tmp_path, target):
    copy_with_kills(
        tmp_path / "data", target, [("tenants", 1), ("messages", 2_000), ("messages", 5_000), ("events", 3_000)]
    )


@pytest.mark.torture
@pytest.mark.timeout(600)
def test_a_copy_that_is_killed_all_the_time(tmp_path, target):
    chance = random.Random(SEED)
    moments = [(table, chance.randrange(1, ROWS)) for table in ("messages", "events") for _ in range(25)]
    copy_with_kills(tmp_path / "data", target, sorted(moments, key=lambda one: (one[0] == "events", one[1])))


def copy_with_kills(data, target, kills):
    """Kill a copy each time that so many rows of a table are there; at last it must have everything."""
    data.mkdir()
    asyncio.run(make_large_source(data / "outrider.db"))
    for table, rows in kills:
        process = outrider("copy", "--from", f"sqlite:{data}/outrider.db", "--to", target)
        with process:
            asyncio.run(kill_at_rows(target, table, rows, process))
    refused = outrider("serve", "--port", "0", "--data", str(data), environ={"OUTRIDER_DATABASE": target})
    assert "is unfinished" in refused.communicate(timeout=COPY_S)[1]
    assert refused.returncode == 2
    code, _, stderr = copy(data, target)
    assert code == 0, stderr
    assert "of them by an earlier run" in stderr
    ours, our_events = read_file(data / "outrider.db")
    theirs, their_events, next_seq, days = asyncio.run(read_server(target))
    assert len(theirs) == ROWS
    assert theirs == ours
    assert their_events == our_events
    assert next_seq == ROWS + 1
    assert days == DAYS
    assert copy(data, target)[2].startswith(f"sqlite:{data}/outrider.db was copied to {target} already")


def read_file(path):
    messages = """
        SELECT id, state, finished_at, coalesce(b.body, m.body)
        FROM messages AS m LEFT JOIN bodies AS b ON b.message = m.seq ORDER BY seq
    """
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [connection.execute(one).fetchall() for one in (messages, "SELECT id, message, time FROM events")]


async def read_server(target):
    connection = await asyncpg.connect(target)
    try:
        return (
            [
                tuple(row)
                for row in await connection.fetch("SELECT id, state, finished_at, body FROM messages ORDER BY seq")
            ],
            [tuple(row) for row in await connection.fetch("SELECT id, message, time FROM events ORDER BY id")],
            await connection.fetchval("SELECT nextval('message_seq')"),
            await connection.fetchval("SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass"),
        )
    finally:
        await connection.close()
