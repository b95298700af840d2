import base64
import hashlib

import jwt
import pytest
from msgspec import structs
from qstash import Receiver
from standardwebhooks import Webhook, WebhookVerificationError

from outrider.domain.message import Message
from outrider.domain.options import DeliveryOptions
from outrider.domain.tenant import SigningKeys
from outrider.signing import verify_webhook, webhook_secret
from outrider.wire.outgoing import outgoing_request

KEYS = SigningKeys(current="sig_current0000000000000000000000", next="sig_next000000000000000000000000")
NOW = 1_767_225_600_123
MESSAGE = Message(
    id="msg_01ABC",
    tenant="t",
    url="https://example.com/a?x=%20&y",
    options=DeliveryOptions(
        method="PUT", headers=(("Content-Type", "text/plain"), ("X-A", "1"), ("X-A", "2")), timeout_ms=7000
    ),
    body=b'{"a":1}',
    created_at=1,
    not_before=1,
    due_at=1,
    retried=2,
)


def sent(message=MESSAGE):
    return outgoing_request(message, KEYS, NOW)


def test_request_is_the_message_and_says_who_sends_it():
    request = sent()
    assert (request.method, request.url, request.body, request.timeout_ms) == (
        "PUT",
        "https://example.com/a?x=%20&y",
        b'{"a":1}',
        7000,
    )
    signature = dict(request.headers)["Upstash-Signature"]
    assert request.headers == (
        ("User-Agent", "Upstash-QStash"),
        ("Upstash-Signature", signature),
        ("Upstash-Message-Id", "msg_01ABC"),
        ("Upstash-Retried", "2"),
        ("Content-Type", "text/plain"),
        ("X-A", "1"),
        ("X-A", "2"),
    )


def test_signature_covers_the_url_and_the_bytes():
    signature = dict(sent().headers)["Upstash-Signature"]
    claims = jwt.decode(
        signature,
        KEYS.current,
        algorithms=["HS256"],
        issuer="Upstash",
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )
    assert claims["sub"] == MESSAGE.url
    assert claims["body"].rstrip("=") == base64.urlsafe_b64encode(
        hashlib.sha256(MESSAGE.body).digest()
    ).decode().rstrip("=")
    assert claims["jti"].startswith("jwt_")
    assert claims["iat"] <= NOW // 1000
    assert claims["exp"] >= NOW // 1000 + 290


def test_each_attempt_has_its_own_jti():
    ids = set()
    for message in (MESSAGE, structs.replace(MESSAGE, retried=3), structs.replace(MESSAGE, id="msg_01ABD")):
        signature = dict(sent(message).headers)["Upstash-Signature"]
        ids.add(jwt.decode(signature, options={"verify_signature": False})["jti"])
    assert len(ids) == 3


def test_official_receiver_accepts_the_request():
    import time  # noqa: PLC0415 - the receiver reads the clock itself

    request = outgoing_request(MESSAGE, KEYS, int(time.time() * 1000))
    Receiver(KEYS.current, KEYS.next).verify(
        signature=dict(request.headers)["Upstash-Signature"], body=request.body.decode(), url=request.url
    )


def test_what_is_known_of_a_message_is_told():
    message = structs.replace(
        MESSAGE,
        caller_ip="10.0.0.1",
        group="g",
        endpoint="e",
        schedule_id="s",
        queue="q",
        options=DeliveryOptions(labels=("a", "ü")),
    )
    assert sent(message).headers[4:] == (
        ("Upstash-Caller-Ip", "10.0.0.1"),
        ("Upstash-Topic-Name", "g"),
        ("Upstash-Endpoint-Name", "e"),
        ("Upstash-Schedule-Id", "s"),
        ("Upstash-Queue-Name", "q"),
        ("Upstash-Label", "a,\xc3\xbc"),
    )


@pytest.mark.parametrize(
    "name",
    [
        "User-Agent",
        "Upstash-Signature",
        "Upstash-Message-Id",
        "Upstash-Retried",
        "upstash-queue-name",
        "Upstash-Region",
    ],
)
def test_forwarded_header_never_overrides_or_feigns_ours(name):
    message = structs.replace(MESSAGE, options=DeliveryOptions(headers=((name, "forged"), ("X-B", "1"))))
    assert "forged" not in [value for _, value in sent(message).headers]
    assert ("X-B", "1") in sent(message).headers


def test_other_forwarded_headers_of_the_upstash_name_pass():
    message = structs.replace(MESSAGE, options=DeliveryOptions(headers=(("Upstash-Workflow-Runid", "r"),)))
    assert ("Upstash-Workflow-Runid", "r") in sent(message).headers


def test_message_without_a_body_sends_none():
    request = sent(structs.replace(MESSAGE, body=b"", options=DeliveryOptions(method="GET")))
    assert request.body == b""
    claims = jwt.decode(dict(request.headers)["Upstash-Signature"], options={"verify_signature": False})
    assert claims["body"].rstrip("=") == base64.urlsafe_b64encode(hashlib.sha256(b"").digest()).decode().rstrip("=")


WEBHOOK_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


def webhook_headers(request):
    return {name: value for name, value in request.headers if name in WEBHOOK_HEADERS}


def standard(message=MESSAGE, *, tenant=False, said=None, headers=(), now=NOW, injected=()):
    options = structs.replace(message.options, standard_webhooks=said, headers=headers or message.options.headers)
    keys = structs.replace(KEYS, standard_webhooks=tenant)
    return outgoing_request(structs.replace(message, options=options), keys, now, injected)


@pytest.mark.parametrize(
    ("tenant", "said", "signed"),
    [
        (False, None, False),
        (True, None, True),
        (False, True, True),
        (True, False, False),
        (True, True, True),
        (False, False, False),
    ],
)
def test_what_a_message_says_of_standard_webhooks_beats_its_tenant(tenant, said, signed):
    request = standard(tenant=tenant, said=said)
    assert set(webhook_headers(request)) == (set(WEBHOOK_HEADERS) if signed else set())
    assert "Upstash-Signature" in dict(request.headers)


@pytest.mark.parametrize("key", [KEYS.current, KEYS.next])
def test_standard_webhook_names_message_and_moment_and_verifies_with_either_key(key):
    request = standard(said=True)
    sent_headers = webhook_headers(request)
    assert sent_headers["webhook-id"] == MESSAGE.id
    assert sent_headers["webhook-timestamp"] == str(NOW // 1000)
    assert len(sent_headers["webhook-signature"].split(" ")) == 2
    verify_webhook(
        webhook_secret(key),
        message_id=sent_headers["webhook-id"],
        timestamp_s=int(sent_headers["webhook-timestamp"]),
        signature=sent_headers["webhook-signature"],
        body=request.body,
        now_s=NOW // 1000,
    )


def test_the_standards_own_library_accepts_the_request_and_refuses_another_body():
    import time  # noqa: PLC0415 - the library reads the clock itself

    request = standard(said=True, now=int(time.time() * 1000))
    for key in (KEYS.current, KEYS.next):
        assert Webhook(webhook_secret(key)).verify(request.body, webhook_headers(request)) == {"a": 1}
    with pytest.raises(WebhookVerificationError):
        Webhook(webhook_secret(KEYS.current)).verify(b'{"a":2}', webhook_headers(request))
    with pytest.raises(WebhookVerificationError):
        Webhook(webhook_secret("sig_other")).verify(request.body, webhook_headers(request))


@pytest.mark.parametrize("name", ["Webhook-Id", "webhook-timestamp", "WEBHOOK-SIGNATURE"])
def test_forwarded_webhook_header_passes_unless_we_send_our_own(name):
    forwarded = ((name, "theirs"),)
    assert forwarded[0] in standard(headers=forwarded).headers
    request = standard(said=True, headers=forwarded)
    assert "theirs" not in [value for _, value in request.headers]
    assert set(webhook_headers(request)) == set(WEBHOOK_HEADERS)


def test_injected_header_stands_in_place_of_a_forwarded_one():
    request = standard(injected=(("X-A", "profile"), ("X-New", "1")))
    assert [value for name, value in request.headers if name == "X-A"] == ["profile"]
    assert ("X-New", "1") in request.headers
    assert ("Content-Type", "text/plain") in request.headers


@pytest.mark.parametrize("name", ["Upstash-Signature", "user-agent", "Webhook-Id"])
def test_injected_header_never_overrides_ours(name):
    request = standard(said=True, injected=((name, "forged"),))
    assert "forged" not in [value for _, value in request.headers]
