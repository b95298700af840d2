"""The command line acts on a store while a server runs on it; tenants do not see one another."""

from __future__ import annotations

import re

import pytest
from qstash.errors import QStashError
from tests.e2e.account import open_account
from tests.e2e.server_process import run_outrider

REVOKED_WITHIN_S = 3.0


def token_of(server, *flags):
    """A new token of the first tenant."""
    return run_outrider("token", "create", "--tenant", "default", "--data", str(server.data), *flags).strip()


def test_read_only_token_reads_everything_and_changes_nothing(server, connect, ledger, place):
    full = connect(server.url, token_of(server))
    reader = connect(server.url, token_of(server, "--read-only"))
    message_id = full.message.publish(url=ledger.url(place), delay=3600).message_id
    keys = full.signing_key.get()
    assert reader.message.get(message_id).message_id == message_id
    assert message_id in {entry.message_id for entry in reader.log.list().logs}
    assert reader.dlq.list().messages == []
    assert reader.signing_key.get() == keys
    for change in (
        lambda: reader.message.publish(url=ledger.url(place)),
        lambda: reader.message.batch([{"url": ledger.url(place)}]),
        lambda: reader.message.cancel(message_id),
        reader.message.cancel_all,
        lambda: reader.dlq.delete_many(["1-0"]),
        reader.signing_key.rotate,
    ):
        with pytest.raises(QStashError, match="status: 403"):
            change()
    assert reader.message.get(message_id).message_id == message_id
    assert full.signing_key.get() == keys
    full.message.cancel(message_id)


def test_revoked_token_is_soon_refused(server):
    secret = token_of(server, "--name", "to-be-revoked")
    path = f"/v2/keys?qstash_token={secret}"
    assert server.get(path) == 200
    listed = run_outrider("token", "list", "--tenant", "default", "--data", str(server.data))
    (token_id,) = re.findall(r"(tok_\w+).*to-be-revoked", listed)
    assert secret not in listed
    run_outrider("token", "revoke", token_id, "--data", str(server.data))
    server.wait_for_status(path, 401, REVOKED_WITHIN_S)


def test_tenant_sees_nothing_of_another(server, connect, ledger, place):
    mine, theirs = (connect(server.url, open_account(server).token) for _ in range(2))
    parked = mine.message.publish(url=ledger.url(place), delay=3600).message_id
    url = ledger.answer(place + "/lost", status=500)
    mine.message.publish(url=url, retries=0, failure_callback=ledger.url(place + "/failed"))
    ledger.wait_for(place + "/failed")
    (letter,) = mine.dlq.list().messages
    assert theirs.log.list().logs == []
    assert theirs.dlq.list().messages == []
    assert theirs.message.cancel_many([parked]) == 0
    assert theirs.message.cancel_all() == 0
    assert theirs.dlq.delete_many([letter.dlq_id]) == 0
    for refused in (
        lambda: theirs.message.get(parked),
        lambda: theirs.message.cancel(parked),
        lambda: theirs.dlq.get(letter.dlq_id),
        lambda: theirs.dlq.delete(letter.dlq_id),
    ):
        with pytest.raises(QStashError, match="status: 404"):
            refused()
    assert theirs.signing_key.get() != mine.signing_key.get()
    assert mine.dlq.get(letter.dlq_id) == letter
    assert mine.message.get(parked).message_id == parked
    mine.message.cancel(parked)


def test_tenants_may_use_the_same_deduplication_id(server, connect, ledger, place):
    sent = [
        connect(server.url, open_account(server).token).message.publish(
            url=ledger.url(place), deduplication_id="the-same"
        )
        for _ in range(2)
    ]
    assert [one.deduplicated for one in sent] == [False, False]
    ledger.wait_for(place, 2)


def test_removed_tenant_is_gone_with_its_tokens(server):
    account = open_account(server)
    path = f"/v2/keys?qstash_token={account.token}"
    assert server.get(path) == 200
    run_outrider("tenant", "remove", account.name, "--yes", "--data", str(server.data))
    server.wait_for_status(path, 401, REVOKED_WITHIN_S)
    assert account.name not in run_outrider("tenant", "list", "--data", str(server.data))


def test_first_start_prints_what_an_application_needs_and_later_ones_do_not(start_server, connect):
    server = start_server("serve")
    assert list(server.variables) == [
        "QSTASH_URL",
        "QSTASH_TOKEN",
        "QSTASH_CURRENT_SIGNING_KEY",
        "QSTASH_NEXT_SIGNING_KEY",
    ]
    qstash = connect(server.url, server.variables["QSTASH_TOKEN"])
    assert qstash.signing_key.get().current == server.variables["QSTASH_CURRENT_SIGNING_KEY"]
    assert server.terminate() == 0
    server.start()
    assert "QSTASH_" not in server.output
    assert connect(server.url, server.variables["QSTASH_TOKEN"]).signing_key.get()
    assert server.variables["QSTASH_TOKEN"] not in server.log


def test_production_refuses_the_public_development_tokens(server, start_server):
    development = start_server("dev")
    token = development.variables["QSTASH_TOKEN"]
    assert development.get(f"/v2/keys?qstash_token={token}") == 200
    assert server.get(f"/v2/keys?qstash_token={token}") == 401
