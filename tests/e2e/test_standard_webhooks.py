"""Deliveries signed by Standard Webhooks verify with that standard's own library."""

from __future__ import annotations

import json
import time
import urllib.request

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from tests.e2e.server_process import run_outrider

HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
ASKED = {"Upstash-Standard-Webhooks": "true"}
IN_FORCE_WITHIN_S = 3.0


def publish(account, url, body=b'{"n": "\xc3\xa9"}', **headers):
    request = urllib.request.Request(
        f"{account.url}/v2/publish/{url}",
        body,
        {
            "Authorization": f"Bearer {account.token}",
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["messageId"]


def secrets_of(account):
    request = urllib.request.Request(f"{account.url}/v2/keys", headers={"Authorization": f"Bearer {account.token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["standardWebhooksSecrets"]


def verify(secret, received):
    return Webhook(secret).verify(received.body, {name: received.header(name) for name in HEADERS})


def set_default(server, account, flag):
    run_outrider("tenant", "set", account.name, flag, "--data", str(server.data))


def test_message_that_asks_is_signed_so_beside_the_jwt(account, ledger, place):
    message_id = publish(account, ledger.url(place), **ASKED)
    (received,) = ledger.wait_for(message_id=message_id)
    for secret in secrets_of(account):
        assert verify(secret, received) == {"n": "é"}
    assert received.header("webhook-id") == message_id
    assert abs(int(received.header("webhook-timestamp")) - time.time()) < 60
    assert received.header("Upstash-Signature")


def test_message_that_does_not_ask_is_not(account, ledger, place):
    (received,) = ledger.wait_for(message_id=publish(account, ledger.url(place)))
    assert [received.header(name) for name in HEADERS] == [None, None, None]


def test_forwarded_webhook_headers_never_override_ours(account, ledger, place):
    forged = {f"Upstash-Forward-{name}": "forged" for name in HEADERS}
    message_id = publish(account, ledger.url(place), **ASKED, **forged)
    (received,) = ledger.wait_for(message_id=message_id)
    assert all(len(received.values(name)) == 1 for name in HEADERS)
    verify(secrets_of(account)[0], received)


def test_receiver_that_holds_the_former_next_secret_verifies_after_a_rotation(account, qstash, ledger, place):
    former_current, former_next = secrets_of(account)
    before = publish(account, ledger.url(place), **ASKED)
    ledger.wait_for(message_id=before)
    qstash.signing_key.rotate()
    after = publish(account, ledger.url(place), **ASKED)
    ledger.wait_for(message_id=after)
    for message_id in (before, after):
        verify(former_next, *ledger.requests(message_id=message_id))
    with pytest.raises(WebhookVerificationError):
        verify(former_current, *ledger.requests(message_id=after))


def test_tenant_set_by_the_command_line_is_signed_so_within_seconds(server, account, ledger, place):
    set_default(server, account, "--standard-webhooks")
    began = time.monotonic()
    while True:
        published = time.monotonic()
        (received,) = ledger.wait_for(message_id=publish(account, ledger.url(place)))
        if received.header("webhook-signature"):
            break
        assert published - began < IN_FORCE_WITHIN_S
    verify(secrets_of(account)[0], received)
    declined = publish(account, ledger.url(place), Upstash_Standard_Webhooks="false")
    assert ledger.wait_for(message_id=declined)[0].header("webhook-signature") is None
    publish(account, ledger.url(place), Upstash_Callback=ledger.url(place + "/callback"))
    (callback,) = ledger.wait_for(place + "/callback")
    assert verify(secrets_of(account)[0], callback)["status"] == 200


def test_each_attempt_has_its_own_moment_and_the_same_id(account, ledger, place):
    url = ledger.answer(place, status=500, times=1)
    message_id = publish(account, url, **ASKED, Upstash_Retries="1", Upstash_Retry_Delay="1100")
    attempts = ledger.wait_for(message_id=message_id, count=2)
    for attempt in attempts:
        verify(secrets_of(account)[0], attempt)
    assert {attempt.header("webhook-id") for attempt in attempts} == {message_id}
    assert len({attempt.header("webhook-timestamp") for attempt in attempts}) == 2
