"""A receiver that lives at a fixed moment, and signed requests for it."""

from __future__ import annotations

import pytest

from outrider.receiver import Receiver
from outrider.signing import sign

CURRENT, NEXT = "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r", "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs"
NOW = 1_700_000_000
URL = "https://public.example/receive"
BODY = '{"ünïcode": "\u2028", "b": [1, 2]}'.encode()


@pytest.fixture
def receiver():
    return Receiver(CURRENT, NEXT, clock=lambda: NOW)


@pytest.fixture
def url():
    return URL


@pytest.fixture
def body():
    return BODY


@pytest.fixture
def signature_for():
    """Sign something else than the usual request."""

    def make(*, key=CURRENT, url=URL, body=BODY, now_s=NOW):
        return sign(key, url=url, body=body, now_s=now_s, jti="jwt_1")

    return make


@pytest.fixture
def headers(signature_for):
    return {"Upstash-Signature": signature_for(), "Content-Type": "application/json"}


@pytest.fixture(
    params=["no signature", "empty", "nonsense", "other key", "other body", "other url", "expired"],
)
def bad_headers(request, signature_for):
    """The headers of a request that is no delivery of ours."""
    signature = {
        "no signature": None,
        "empty": "",
        "nonsense": "a.b.c",
        "other key": signature_for(key="sig_other"),
        "other body": signature_for(body=b"{}"),
        "other url": signature_for(url="https://public.example/other"),
        "expired": signature_for(now_s=NOW - 300),
    }[request.param]
    given = {"Content-Type": "application/json"}
    return given if signature is None else given | {"Upstash-Signature": signature}
