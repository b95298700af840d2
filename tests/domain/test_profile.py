"""Which profile a delivery carries."""

import pytest

from outrider.domain.profile import Profile, profile_for


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://a.example.com/x?y", "a.example.com"),
        ("https://A.Example.Com./", "a.example.com"),
        ("https://user:pass@a.example.com", "a.example.com"),
        ("https://a.example.com:443/", "a.example.com"),
        ("https://a.example.com/", "a.example.com:443"),
        ("http://a.example.com/", "a.example.com"),
        ("http://127.0.0.1:3000/", "127.0.0.1:3000"),
        ("https://[0:0::1]:8/", "[::1]:8"),
        ("https://[::1]/", "[::1]"),
        ("https://a.b.example.com/", "*.example.com"),
        ("https://a.example.com:8443/", "*.example.com:8443"),
    ],
)
def test_profile_of_the_host_applies(url, host):
    assert profile_for(url, {host}) == host


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://b.example.com/", "a.example.com"),
        ("https://a.example.com.evil.example/", "a.example.com"),
        ("https://evil.example/a.example.com", "a.example.com"),
        ("https://a.example.com@evil.example/", "a.example.com"),
        ("https://evil.example/?@a.example.com", "a.example.com"),
        ("https://a.example.com:8443/", "a.example.com"),
        ("http://a.example.com:443/", "a.example.com"),
        ("https://a.example.com/", "a.example.com:8443"),
        ("https://example.com/", "*.example.com"),
        ("https://notexample.com/", "*.example.com"),
        ("https://a.example.com:8443/", "*.example.com"),
    ],
)
def test_profile_of_another_host_or_port_does_not(url, host):
    assert profile_for(url, {host}) is None


def test_the_closest_profile_counts():
    hosts = {"a.b.example.com:443", "a.b.example.com", "*.b.example.com", "*.example.com", "*.com"}
    order = ["a.b.example.com:443", "a.b.example.com", "*.b.example.com", "*.example.com", "*.com"]
    for expected in order:
        assert profile_for("https://a.b.example.com/", hosts) == expected
        hosts.discard(expected)


def test_profile_does_not_show_its_values():
    assert "secret" not in repr(Profile("a.example", (("X-A", "secret"),), 1))
