import base64
import hashlib

import jwt
import pytest
from msgspec import structs
from qstash import Receiver

from outrider.domain.message import Message
from outrider.domain.options import DeliveryOptions
from outrider.domain.tenant import SigningKeys
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
