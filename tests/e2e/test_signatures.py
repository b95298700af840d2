"""Deliveries verify with the official receiver, across a rotation of keys too."""

from __future__ import annotations

import jwt
import pytest
from qstash import Receiver
from qstash.errors import SignatureError
from tests.conformance.coverage import covers


def verify(receiver, received, url):
    receiver.verify(signature=received.header("Upstash-Signature"), body=received.body.decode(), url=url)


@covers("Receiver.verify", by="QStash")
@pytest.mark.parametrize("tail", ["", "/a%2Fb//c?x=1&y=%20z", "?q=a+b"])
def test_delivery_verifies_against_the_url_as_published(qstash, account, ledger, place, tail):
    url = ledger.url(place + tail)
    sent = qstash.message.publish(url=url, body='{"n": "é"}')
    (received,) = ledger.wait_for(message_id=sent.message_id)
    verify(Receiver(account.current, account.next), received, url)


def test_delivery_to_a_bare_origin_verifies_without_an_added_slash(qstash, account, ledger):
    sent = qstash.message.publish(url=ledger.origin)
    (received,) = ledger.wait_for(message_id=sent.message_id)
    verify(Receiver(account.current, account.next), received, ledger.origin)


def test_changed_body_or_url_does_not_verify(qstash, account, ledger, place):
    sent = qstash.message.publish(url=ledger.url(place), body="true")
    (received,) = ledger.wait_for(message_id=sent.message_id)
    # With another key in second place, the SDK tells of that one's failure only.
    receiver = Receiver(account.current, account.current)
    signature = received.header("Upstash-Signature")
    with pytest.raises(SignatureError, match="Invalid body hash"):
        receiver.verify(signature=signature, body="false", url=ledger.url(place))
    with pytest.raises(SignatureError, match="Invalid subject"):
        receiver.verify(signature=signature, body="true", url=ledger.url(place + "/other"))
    with pytest.raises(SignatureError, match="Error while decoding signature"):
        Receiver("sig_wrong", "sig_false").verify(signature=signature, body="true")


def test_claims_are_those_of_the_protocol(qstash, account, ledger, place):
    sent = qstash.message.publish(url=ledger.url(place), body="x")
    (received,) = ledger.wait_for(message_id=sent.message_id)
    claims = jwt.decode(received.header("Upstash-Signature"), account.current, algorithms=["HS256"])
    assert set(claims) == {"iss", "sub", "iat", "exp", "nbf", "jti", "body"}
    assert (claims["iss"], claims["sub"], claims["nbf"]) == ("Upstash", ledger.url(place), 0)
    assert claims["exp"] - claims["iat"] >= 300
    assert claims["jti"].startswith("jwt_")


def test_receivers_that_hold_both_keys_verify_across_one_rotation(qstash, account, ledger, place):
    receiver = Receiver(account.current, account.next)
    keys = qstash.signing_key.get()
    assert (keys.current, keys.next) == (account.current, account.next)
    before = qstash.message.publish(url=ledger.url(place), body="before").message_id
    ledger.wait_for(message_id=before)
    rotated = qstash.signing_key.rotate()
    assert rotated.current == account.next
    assert rotated.next not in {account.current, account.next}
    assert qstash.signing_key.get() == rotated
    after = qstash.message.publish(url=ledger.url(place), body="after").message_id
    ledger.wait_for(message_id=after)
    for message_id in (before, after):
        verify(receiver, *ledger.requests(message_id=message_id), ledger.url(place))
    verify(Receiver(rotated.current, rotated.next), *ledger.requests(message_id=after), ledger.url(place))


def test_callback_is_signed_like_any_delivery(qstash, account, ledger, place):
    callback = ledger.url(place + "/callback")
    qstash.message.publish(url=ledger.url(place), body="x", callback=callback)
    (received,) = ledger.wait_for(place + "/callback")
    verify(Receiver(account.current, account.next), received, callback)
