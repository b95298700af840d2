"""Whose address a message is said to come from."""

from __future__ import annotations

import json

import pytest
from tests.http.raw import exchange, publish

from outrider.http.proxies import Proxies

PROXIES = Proxies(["10.0.0.0/8", "fd00::/8", "192.0.2.1/32"])


@pytest.mark.parametrize(
    ("forwarded", "caller"),
    [
        ([], "10.0.0.1"),
        ([b""], "10.0.0.1"),
        ([b"203.0.113.7"], "203.0.113.7"),
        ([b"198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        ([b"198.51.100.1", b"203.0.113.7"], "203.0.113.7"),
        ([b"203.0.113.7, 10.0.0.2 , 192.0.2.1"], "203.0.113.7"),
        ([b"10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ([b"203.0.113.7:4711"], "203.0.113.7"),
        ([b"[2001:db8::1]:4711, fd00::1"], "2001:db8::1"),
        ([b"2001:db8::1"], "2001:db8::1"),
        ([b"unknown"], "unknown"),
    ],
)
def test_the_caller_is_the_last_that_is_not_a_proxy_of_ours(forwarded, caller):
    headers = [(b"host", b"a"), *((b"x-forwarded-for", value) for value in forwarded)]
    assert PROXIES.caller("10.0.0.1", headers) == caller


def test_only_the_named_networks_are_trusted():
    assert PROXIES.trust("10.255.0.1")
    assert PROXIES.trust("fd00::5")
    for address in ("11.0.0.1", "192.0.2.2", "2001:db8::1", "unknown", "", "1" * 1000, None):
        assert not PROXIES.trust(address)
    assert not Proxies().trust("127.0.0.1")


async def test_a_message_is_said_to_come_from_whom_the_proxy_names(api, port):
    _, _, body = await exchange(port, publish(api, b"", b"X-Forwarded-For: 198.51.100.1, 203.0.113.7"))
    assert (await api.stored(json.loads(body)["messageId"])).caller_ip == "203.0.113.7"
