from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import time

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qstash import Receiver

from outrider.signing import InvalidSignature, sign, sign_webhook, verify, verify_webhook

KEY = "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r"
NEXT_KEY = "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs"
URL = "https://example.com/a?b=c"
NOW = 1_700_000_000
BODY = b'{"hello": "world"}'

keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100)
long_keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=32, max_size=100)
urls = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def signed(*, key=KEY, url=URL, body=BODY, now_s=NOW, jti="jwt_1"):
    return sign(key, url=url, body=body, now_s=now_s, jti=jti)


def checked(token, *, keys=(KEY, NEXT_KEY), body=BODY, url=URL, now_s=NOW, tolerance_s=0):
    return verify(token, keys=keys, body=body, url=url, now_s=now_s, tolerance_s=tolerance_s)


def forged(payload, *, header=None, key=KEY):
    """A token signed as anybody with the key could sign it."""
    parts = [json.dumps(part).encode() if not isinstance(part, bytes) else part for part in (header or HEADER, payload)]
    text = ".".join(encoded(part) for part in parts)
    return f"{text}.{encoded(hmac.digest(key.encode(), text.encode(), 'sha256'))}"


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


HEADER = {"alg": "HS256", "typ": "JWT"}


def payload(**changes):
    claims = {
        "iss": "Upstash",
        "sub": URL,
        "exp": NOW + 300,
        "iat": NOW,
        "nbf": 0,
        "jti": "jwt_1",
        "body": encoded(hashlib.sha256(BODY).digest()),
    }
    return {name: value for name, value in (claims | changes).items() if value is not None}


def test_token_says_what_the_protocol_asks():
    token = signed()

    assert jwt.get_unverified_header(token) == HEADER
    assert jwt.decode(token, KEY, algorithms=["HS256"], options={"verify_exp": False}) == {
        "iss": "Upstash",
        "sub": URL,
        "exp": NOW + 300,
        "iat": NOW - 5,
        "nbf": 0,
        "jti": "jwt_1",
        "body": encoded(hashlib.sha256(BODY).digest()),
    }


@given(key=long_keys, url=urls, body=st.binary(max_size=300), jti=urls)
def test_any_token_is_read_by_pyjwt_as_it_was_meant(key, url, body, jti):
    token = sign(key, url=url, body=body, now_s=NOW, jti=jti)

    claims = jwt.decode(token, key, algorithms=["HS256"], options={"verify_exp": False})

    assert (claims["sub"], claims["jti"]) == (url, jti)
    assert claims["body"] == encoded(hashlib.sha256(body).digest())


@given(key=keys, url=urls, body=st.binary(max_size=300))
def test_any_token_verifies_with_its_key_url_and_body(key, url, body):
    claims = verify(
        sign(key, url=url, body=body, now_s=NOW, jti="jwt_1"), keys=["other", key], body=body, url=url, now_s=NOW
    )

    assert (claims.subject, claims.id, claims.expires_at_s) == (url, "jwt_1", NOW + 300)


@given(url=urls, body=st.text(st.characters(exclude_categories=["Cs"]), max_size=100))
def test_any_token_is_accepted_by_the_official_receiver(url, body):
    receiver = Receiver(current_signing_key=NEXT_KEY, next_signing_key=KEY)
    token = jwt_of_now(url=url, body=body.encode())

    receiver.verify(signature=token, body=body, url=url)


def jwt_of_now(**changes):
    return signed(now_s=int(time.time()), **changes)


@given(data=st.data())
def test_changing_any_character_of_a_token_makes_it_invalid(data):
    token = signed()
    place = data.draw(st.integers(0, len(token) - 2))  # the last one has two bits that mean nothing
    character = data.draw(st.sampled_from("Aa0-_.é").filter(lambda one: one != token[place]))

    with pytest.raises(InvalidSignature):
        checked(token[:place] + character + token[place + 1 :])


def test_token_of_the_next_key_is_valid():
    assert checked(signed(key=NEXT_KEY)).subject == URL


def test_token_of_another_key_is_not():
    with pytest.raises(InvalidSignature, match="matches none of the signing keys"):
        checked(signed(key="sig_other"))


def test_no_key_verifies_nothing():
    with pytest.raises(InvalidSignature, match="matches none"):
        checked(signed(), keys=())


@pytest.mark.parametrize("act", [lambda: signed(key=""), lambda: checked(signed(), keys=("", KEY))])
def test_empty_key_is_a_mistake(act):
    with pytest.raises(ValueError, match="a signing key is empty"):
        act()


@pytest.mark.parametrize("length", [1, 63, 64, 65, 200])
def test_key_of_any_length_signs_as_hmac_says(length):
    token = signed(key="k" * length)
    text, _, signature = token.rpartition(".")

    assert signature == encoded(hmac.digest(b"k" * length, text.encode(), "sha256"))


def test_another_body_is_refused_with_the_remedy():
    with pytest.raises(InvalidSignature, match="is for another body: verify the raw bytes"):
        checked(signed(), body=b'{"hello":"world"}')


def test_another_url_is_refused_and_both_are_named():
    with pytest.raises(InvalidSignature) as refusal:
        checked(signed(), url="https://example.com/other")

    assert str(refusal.value) == (
        "signature is for the URL 'https://example.com/a?b=c', but the request came to 'https://example.com/other'"
    )


def test_url_is_not_checked_unless_given():
    assert checked(signed(), url=None).subject == URL


@pytest.mark.parametrize(
    ("later", "tolerance", "is_valid"), [(299, 0, True), (300, 0, False), (309, 10, True), (310, 10, False)]
)
def test_token_is_valid_for_300_seconds_from_now(later, tolerance, is_valid):
    if is_valid:
        checked(signed(), now_s=NOW + later, tolerance_s=tolerance)
    else:
        with pytest.raises(InvalidSignature, match="expired"):
            checked(signed(), now_s=NOW + later, tolerance_s=tolerance)


def test_token_that_is_not_yet_valid_is_refused():
    token = forged(payload(nbf=NOW + 10))

    with pytest.raises(InvalidSignature, match="valid in 10 s only"):
        checked(token)
    checked(token, tolerance_s=10)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS512"},
        {"alg": "RS256"},
        {"alg": "hs256"},
        {"typ": "JWT"},
        {"alg": ["HS256"]},
        {"alg": "HS256", "crit": ["exp"]},
    ],
)
def test_only_hs256_counts_whatever_the_header_says(header):
    with pytest.raises(InvalidSignature, match="is not HS256"):
        checked(forged(payload(), header=header))


def test_unsigned_token_is_refused():
    header, claims = json.dumps({"alg": "none"}), json.dumps(payload())
    token = f"{encoded(header.encode())}.{encoded(claims.encode())}."

    with pytest.raises(InvalidSignature):
        checked(token)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"iss": "Other"}, "issuer 'Other' is not 'Upstash'"),
        ({"iss": None}, "claim 'iss' must be text"),
        ({"sub": None}, "claim 'sub' must be text"),
        ({"body": 7}, "claim 'body' must be text"),
        ({"exp": None}, "claim 'exp' must be a whole number"),
        ({"exp": "never"}, "claim 'exp' must be a whole number"),
        ({"exp": True}, "claim 'exp' must be a whole number"),
        ({"exp": float("nan")}, "claim 'exp' must be a whole number"),
        ({"nbf": 1.5}, "claim 'nbf' must be a whole number"),
    ],
)
def test_claim_that_is_missing_or_of_the_wrong_kind_is_named(changes, complaint):
    with pytest.raises(InvalidSignature, match=complaint):
        checked(forged(payload(**changes)))


def test_padded_body_hash_counts():
    hashed = base64.urlsafe_b64encode(hashlib.sha256(BODY).digest()).decode()

    assert checked(forged(payload(body=hashed))).body_hash == hashed.rstrip("=")


@pytest.mark.parametrize("part", [b"[]", b"7", b"{", b"\xff", b"[" * 20_000])
def test_signed_nonsense_is_refused(part):
    with pytest.raises(InvalidSignature, match="is not a JSON object"):
        checked(forged(part))


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b", "a.b.c.d", "é.b.c", "a.b.c=", "a.b.!", "a" * 40_000, "a.b.c" * 9000]
)
def test_text_that_is_no_token_is_refused(token):
    with pytest.raises(InvalidSignature, match="is not a JWT"):
        checked(token)


@given(st.text(max_size=60))
def test_no_text_makes_verification_do_anything_but_refuse(token):
    with pytest.raises(InvalidSignature):
        checked(token)


def test_claims_cannot_be_changed():
    claims = checked(signed())

    with pytest.raises(dataclasses.FrozenInstanceError):
        claims.subject = "https://example.com/other"


class TestStandardWebhooks:
    """The example is the one of the public specification's reference libraries."""

    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    example = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    def check(self, **changes):
        given = {
            "message_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "timestamp_s": 1_614_265_330,
            "signature": self.example,
            "body": self.body,
            "now_s": 1_614_265_330,
        }
        verify_webhook(self.secret, **(given | changes))

    def test_example_is_signed_as_specified(self):
        assert sign_webhook(self.secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, self.body) == self.example

    def test_example_is_valid(self):
        self.check()

    def test_one_of_several_signatures_suffices(self):
        self.check(signature=f"v1,AAAA v1a,{self.example[3:]} {self.example}")

    @pytest.mark.parametrize(
        "changes",
        [
            {"body": b"{}"},
            {"message_id": "msg_other"},
            {"signature": ""},
            {"signature": "v1,"},
            {"signature": "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
            {"signature": "\ud800"},
        ],
    )
    def test_what_does_not_match_is_refused(self, changes):
        with pytest.raises(InvalidSignature, match="matches no v1 signature"):
            self.check(**changes)

    @pytest.mark.parametrize("away", [-301, 301])
    def test_timestamp_far_from_now_is_refused(self, away):
        with pytest.raises(InvalidSignature, match="is 301 s away from now; at most 300 s are allowed"):
            self.check(now_s=1_614_265_330 + away)

    @pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!", "whsec_abc"])
    def test_secret_that_is_none_is_a_mistake(self, secret):
        with pytest.raises(ValueError, match="it is 'whsec_' followed by base64"):
            sign_webhook(secret, "msg_1", 1, b"")

    @given(secret=st.binary(min_size=1, max_size=64), message_id=urls, body=st.binary(max_size=100))
    def test_whatever_was_signed_verifies(self, secret, message_id, body):
        text = "whsec_" + base64.b64encode(secret).decode()

        signature = sign_webhook(text, message_id, NOW, body)

        verify_webhook(text, message_id=message_id, timestamp_s=NOW, signature=signature, body=body, now_s=NOW)
