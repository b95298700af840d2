from __future__ import annotations

import subprocess
import sys

import pytest

from outrider.receiver import InvalidSignature, MissingSigningKey, Receiver

CURRENT, NEXT = "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r", "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs"


def test_delivery_is_verified_and_its_claims_are_given(receiver, signature_for, body, url):
    claims = receiver.verify(signature=signature_for(), body=body, url=url)

    assert (claims.subject, claims.id) == (url, "jwt_1")


def test_body_may_be_text(receiver, signature_for, body):
    receiver.verify(signature=signature_for(), body=body.decode())


def test_either_key_verifies(receiver, signature_for, body):
    receiver.verify(signature=signature_for(key=NEXT), body=body)


def test_clocks_may_be_apart_by_the_tolerance(receiver, signature_for, body):
    late = signature_for(now_s=1_700_000_000 - 305)

    receiver.verify(signature=late, body=body, clock_tolerance=10)
    with pytest.raises(InvalidSignature, match="expired 5 s ago"):
        receiver.verify(signature=late, body=body)


@pytest.mark.parametrize("signature", [None, ""])
def test_missing_header_is_named(receiver, body, signature):
    with pytest.raises(InvalidSignature, match="the header Upstash-Signature is missing"):
        receiver.verify(signature=signature, body=body)


@pytest.mark.parametrize(("keys", "name"), [(("", NEXT), "current"), ((CURRENT, ""), "next")])
def test_empty_key_is_refused(keys, name):
    with pytest.raises(MissingSigningKey, match=f"the {name} signing key is empty"):
        Receiver(*keys)


def test_keys_come_from_the_environment(monkeypatch, signature_for, body):
    monkeypatch.setenv("QSTASH_CURRENT_SIGNING_KEY", CURRENT)
    monkeypatch.setenv("QSTASH_NEXT_SIGNING_KEY", NEXT)

    Receiver.from_env(clock=lambda: 1_700_000_000).verify(signature=signature_for(), body=body)


@pytest.mark.parametrize("missing", ["QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY"])
def test_missing_variable_is_named(missing):
    environ = {"QSTASH_CURRENT_SIGNING_KEY": CURRENT, "QSTASH_NEXT_SIGNING_KEY": NEXT} | {missing: ""}

    with pytest.raises(MissingSigningKey, match=f"environment variable {missing} is not set"):
        Receiver.from_env(environ)


def test_keys_do_not_show(receiver):
    assert CURRENT not in repr(receiver)


def test_receiver_needs_nothing_but_the_standard_library():
    modules = "outrider.receiver.asgi, outrider.receiver.wsgi, outrider.receiver.aws_lambda"

    assert foreign_modules(f"import {modules}") - foreign_modules("pass") == {"outrider"}


def foreign_modules(statement: str) -> set[str]:
    """The packages outside the standard library that a fresh interpreter has loaded after the statement."""
    script = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    return set(done.stdout.split()) - sys.stdlib_module_names
