"""The console's door on real servers: links, sessions on every process, and what is told live."""

from __future__ import annotations

import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from tests.e2e.server_process import ServerProcess, run_outrider

SESSION = "/console/api/session"
OWN = {"outrider-console": "1", "sec-fetch-site": "same-origin"}
LIVE_WITHIN_S = 5.0


@pytest.fixture
def database(postgres):
    name = f"console_{secrets.token_hex(4)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


def link_of(text):
    (link,) = [line.partition(" ")[2] for line in text.splitlines() if line.startswith("Console: ")]
    return link


def sign_in(url, code):
    return httpx.post(url + SESSION, json={"link": code})


def browser(url, link):
    """A client that has signed in by a link. Each of its requests may come to another worker."""
    answer = sign_in(url, link.partition("#")[2])
    assert answer.status_code == 200, answer.text
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.Client(base_url=url, cookies=answer.cookies, headers=OWN, limits=limits)


@contextmanager
def listening(client):
    """Events as they come, as (name, data)."""
    with client.stream("GET", "/console/api/live", timeout=LIVE_WITHIN_S) as response:
        assert response.status_code == 200

        def events():
            name = ""
            for line in response.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    yield name, json.loads(line.removeprefix("data: "))

        yield events()


def test_the_link_of_the_development_server_signs_in_until_it_was_used(start_server):
    server = start_server("dev")
    server._stdout.wait_for(lambda line: line.startswith("Console: "), 20)
    link = link_of(server.output)
    assert link.startswith(f"{server.url}/console/sign-in#")
    with browser(server.url, link) as client:
        assert client.get(SESSION).json()["tenant"] == "dev-1"
        assert client.post("/v2/queues", json={"queueName": "q"}).status_code == 200
    assert sign_in(server.url, link.partition("#")[2]).status_code == 401


def test_the_first_start_prints_a_link_and_the_command_line_more(start_server):
    server = start_server("serve")
    with browser(server.url, link_of(server.log)) as client:
        assert client.get(SESSION).json()["token"] == "first token"
    read_only = run_outrider("console", "link", "--read-only", "--data", str(server.data), "--url", server.url).strip()
    with browser(server.url, read_only) as client:
        assert client.get(SESSION).json()["scope"] == "read"
        assert client.post("/v2/queues", json={"queueName": "q"}).status_code == 403


def test_without_the_console_there_is_neither_a_link_nor_a_page(start_server):
    server = start_server("dev", "--no-console")
    assert server.get("/console") == 404
    assert server.get("/readyz") == 200
    assert server.terminate() == 0
    assert "Console: " not in server.output


def test_a_session_holds_on_every_worker_and_a_link_signs_in_once_among_them(start_server):
    server = start_server("serve", "--workers", "2")
    link = link_of(server.log)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: sign_in(server.url, link.partition("#")[2]), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7
    (cookies,) = [answer.cookies for answer in answers if answer.status_code == 200]
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=server.url, cookies=cookies, headers=OWN, limits=limits) as client:
        assert {client.get("/v2/keys").status_code for _ in range(20)} == {200}
        (token,) = [one["id"] for one in client.get("/v2/tokens").json()["tokens"] if one["current"]]
        run_outrider("token", "revoke", token, "--data", str(server.data))
        time.sleep(1.1)  # a token is trusted so long
        assert {client.get("/v2/keys").status_code for _ in range(20)} == {401}


@pytest.mark.parametrize("workers", [1, 2])
def test_what_happens_on_any_worker_is_told_live(start_server, ledger, place, workers):
    server = start_server("serve", "--workers", str(workers))
    url = ledger.answer(place)
    with browser(server.url, link_of(server.log)) as client, listening(client) as events:
        next(events)
        for _ in range(8):
            assert client.post(f"/v2/publish/{url}", content=b"x").status_code == 200
        told, topics, began_at = 0, set(), time.monotonic()
        while told < 8 or not topics >= {"messages", "logs"}:
            name, data = next(events)
            if name == "pulse":
                told += data["delivered"]
            else:
                topics |= set(data["topics"])
            assert time.monotonic() - began_at < LIVE_WITHIN_S
        client.post("/v2/queues", json={"queueName": "q"})
        began_at = time.monotonic()
        while "queues" not in (data := next(events)[1]).get("topics", ()):
            assert time.monotonic() - began_at < LIVE_WITHIN_S, data


def test_a_server_stops_though_somebody_listens(start_server):
    server = start_server("serve", "--workers", "2")
    with browser(server.url, link_of(server.log)) as client, listening(client) as events:
        next(events)
        began_at = time.monotonic()
        server.signal_stop()
        assert all(name in {"pulse", "changed"} for name, _ in events)
        assert server.terminate() == 0
        assert time.monotonic() - began_at < LIVE_WITHIN_S


def test_nodes_of_one_database_share_sessions_and_tell_of_one_another(tmp_path, database, ledger, place):
    environ = {"OUTRIDER_DATABASE": database, "OUTRIDER_SECRET_KEY": secrets.token_hex(32)}
    url = ledger.answer(place)
    one, other = (ServerProcess(tmp_path / name, "serve", environ=environ) for name in ("one", "other"))
    try:
        one.start()
        other.variables |= one.variables
        other.start()
        with browser(one.url, link_of(one.log)) as client:
            elsewhere = httpx.Client(base_url=other.url, cookies=dict(client.cookies), headers=OWN)
            with elsewhere, listening(elsewhere) as events:
                next(events)
                assert client.post(f"/v2/publish/{url}", content=b"x").status_code == 200
                began_at, told = time.monotonic(), 0
                while not told:
                    told += next(events)[1].get("delivered", 0)
                    assert time.monotonic() - began_at < LIVE_WITHIN_S
    finally:
        for server in (one, other):
            server.stop()
