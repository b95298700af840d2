"""Signing keys in the database: those of an earlier release are sealed at the start, and lost ones are made anew."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import urllib.error

import pytest
from qstash import Receiver
from tests.e2e.calls import call, publish
from tests.e2e.server_process import run_outrider


def keys_of(server):
    keys = json.loads(call(server, "GET", "/v2/keys"))
    return keys["current"], keys["next"]


def assert_signed(server, ledger, url, keys):
    (received,) = ledger.wait_for(message_id=publish(server, url))
    Receiver(*keys).verify(signature=received.header("Upstash-Signature"), body="body", url=url)


def test_keys_of_an_earlier_release_are_sealed_at_the_start_and_sign_as_before(start_server, ledger, place):
    server = start_server("serve")
    keys = keys_of(server)
    assert server.terminate() == 0
    with contextlib.closing(sqlite3.connect(server.database)) as connection, connection:
        connection.execute("UPDATE signing_keys SET sealed_current = ?, sealed_next = ?", keys)
    assert keys[0].encode() in server.database.read_bytes()
    server.start()
    assert json.loads(server.wait_for_log("signing_keys_sealed"))["tenants"] == 1
    assert keys_of(server) == keys
    assert_signed(server, ledger, ledger.url(place), keys)
    assert server.terminate() == 0
    assert [key for key in keys if key.encode() in server.database.read_bytes()] == []
    server.start()
    assert "signing_keys_sealed" not in server.log


def test_after_a_lost_secret_key_rotation_makes_two_new_signing_keys(start_server, ledger, place):
    server = start_server("serve")
    lost = keys_of(server)
    assert server.terminate() == 0
    (server.data / "secret.key").unlink()
    run_outrider("db", "forget-key", "--yes", "--data", str(server.data))
    server.start()
    publish(server, ledger.url(place + "/unsigned"), Upstash_Retries="0")
    server.wait_for_log("secret_open_failed")
    with pytest.raises(urllib.error.HTTPError) as refused:
        call(server, "GET", "/v2/keys")
    with refused.value as answer:
        told = json.loads(answer.read())
    assert answer.code == 503
    assert "POST /v2/keys/rotate" in json.dumps(told)
    fresh = json.loads(call(server, "POST", "/v2/keys/rotate"))
    assert {fresh["current"], fresh["next"]}.isdisjoint(lost)
    assert keys_of(server) == (fresh["current"], fresh["next"])
    assert_signed(server, ledger, ledger.url(place), keys_of(server))
    assert ledger.requests(place + "/unsigned") == []
