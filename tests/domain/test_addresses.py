from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outrider.domain.addresses import AddressPolicy
from outrider.domain.networks import special_purpose


def words(text: str) -> list[str]:
    return text.split()


PRODUCTION = AddressPolicy.production(allow_http=True)
DEVELOPMENT = AddressPolicy.development()

SPECIAL_V4 = words("""
    0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.254 127.0.0.1 127.255.255.254
    169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.254 192.0.0.1 192.0.0.8 192.0.0.170 192.0.0.192
    192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1 192.168.0.1 192.175.48.1 198.18.0.1 198.19.255.254
    198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
""")

SPECIAL_V6 = words("""
    :: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:7f00:1
    0:0:0:0:0:ffff:a9fe:a9fe ::ffff:0:127.0.0.1 ::ffff:0:8.8.8.8 64:ff9b::127.0.0.1 64:ff9b::a9fe:a9fe
    64:ff9b::10.0.0.1 64:ff9b:1::1 64:ff9b:1::10.0.0.1 64:ff9b:1:ffff::8.8.8.8 100::1 100:0:0:1::1 1::1
    2001::1 2001:0:7f00:1:: 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:20::1 2001:30::1
    2001:db8::1 2002:7f00:1:: 2002:a00:1:: 2002:808:808:: 2620:4f:8000::1 2a00:1450::5efe:127.0.0.1
    2a00:1450::200:5efe:10.0.0.1 3fff::1 4000::1 5f00::1 8000::1 fc00::1 fd00:ec2::254 fdff::1 fe80::1
    fe80::5efe:8.8.8.8 fec0::1 ff02::1 ff0e::1
""")

PUBLIC_V4 = words("""
    1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 128.0.0.1 169.253.255.255 172.15.255.255
    172.32.0.0 192.0.1.1 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255
""")

PUBLIC_V6 = words("""
    2001:4860:4860::8888 2606:4700::1111 2a00:1450:4001::200e 2003::1 2001:200::1 ::ffff:8.8.8.8 64:ff9b::8.8.8.8
    2a00:1450::5efe:8.8.8.8
""")

OTHER_SPELLINGS = words("""
    2130706433 0x7f000001 0x7F000001 017700000001 0177.0.0.1 0x7f.0.0.1 0x7f.0x0.0x0.0x1 127.1 127.0.1 0177.1
    0x7f.1 127.0x1 0 0x0 00.0.0.0 0.0 127.0.0.01 127.000.000.001 10.1 10.0.1 0xa.1 0xa000001 167772161
    012.0.0.1 169.254.43518 2852039166 0xa9fea9fe 0251.0376.0251.0376 0xa9.0xfe.0xa9.0xfe 192.168.1 3232235777
    0xC0A80001 030052000001 0300.0250.0.1 8.8.8.08 0x08080808 134744072 127.0.0.1. 0177.0.0.1. 127.1. 0x7f.1.
    256.1.1.1 1.2.3.4.5 1.2.3.256 4294967296 0x100000000 127.0.0.0x1 999999999999999999999 09 0x 1.2.3.4x.5
""")

LOCAL_NAMES = words("""
    localhost LOCALHOST LocalHost localhost. a.localhost a.b.localhost. localhost.localdomain ip6-localhost
    metadata.google.internal METADATA.google.internal. metadata metadata.goog instance-data
    instance-data.ec2.internal db.internal printer.local router.lan web db host.docker.internal nas.home
    x.home.arpa wiki.corp site.intranet host.localdomain
""")

AMBIGUOUS = [
    "http://",
    "http:///path",
    "http:/example.com",
    "http:example.com",
    "//example.com/",
    "example.com",
    "",
    "http://example.com:80:80/",
    "http://example.com:port/",
    "http://example.com:0/",
    "http://example.com:65536/",
    "http://example.com@127.0.0.1/",
    "http://example.com:80@127.0.0.1:80/",
    "http://a@b@127.0.0.1/",
    "http://127.0.0.1@example.com@8.8.8.8/",
    "http://127.0.0.1\\@example.com/",
    "http://example.com\\.127.0.0.1/",
    "http://127.0.0.1%00.example.com/",
    "http://127.0.0.1\x00.example.com/",
    "http://example.com\r\nHost: 127.0.0.1/",
    "http://exa mple.com/",
    " http://example.com/",
    "http://%31%32%37.0.0.1/",
    "http://127%2e0.0.1/",
    "http://loc%61lhost/",
    "http://[::1%25lo]/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://[127.0.0.1]/",
    "http://[v1.a]/",
    "http://[::1/",
    "http://::1/",
    "http://[::1]example.com/",
    "http://example.com[::1]/",
    "http://[::ffff:127.1]/",
    "http://[::1]]/",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://127\u30020\u30020\u30021/",
    "http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/",
    "http://\u24dbocalhost/",
    "http://lo\u00adcalhost/",
    "http://example..com/",
    "http://.example.com/",
    "http://example.com../",
    "http://-example.com/",
    "http://exam!ple.com/",
    f"http://{'a' * 64}.com/",
    f"http://{'a.' * 127}com/",
    f"http://{'a' * 9000}/",
]


@pytest.mark.parametrize("address", SPECIAL_V4)
def test_special_v4_address_is_refused_written_and_connected(address):
    assert PRODUCTION.refuse_url(f"http://{address}/path") is not None
    assert PRODUCTION.refuse_url(f"https://me:pw@{address}:8443?q") is not None
    assert PRODUCTION.refuse_address(address, "example.com:443") is not None


@pytest.mark.parametrize("address", SPECIAL_V6)
def test_special_v6_address_is_refused_written_and_connected(address):
    assert PRODUCTION.refuse_url(f"http://[{address}]/path") is not None
    assert PRODUCTION.refuse_url(f"https://[{address.upper()}]:8443") is not None
    assert PRODUCTION.refuse_address(address, "example.com:443") is not None
    assert PRODUCTION.refuse_address(f"{address}%eth0", "example.com:443") is not None


@pytest.mark.parametrize("address", PUBLIC_V4)
def test_public_v4_address_is_allowed(address):
    assert PRODUCTION.refuse_url(f"https://{address}/") is None
    assert PRODUCTION.refuse_address(address, "example.com:443") is None


@pytest.mark.parametrize("address", PUBLIC_V6)
def test_public_v6_address_is_allowed(address):
    assert PRODUCTION.refuse_url(f"https://[{address}]/") is None
    assert PRODUCTION.refuse_address(address, "example.com:443") is None


@pytest.mark.parametrize("spelling", OTHER_SPELLINGS)
def test_other_spelling_of_an_address_is_refused(spelling):
    assert PRODUCTION.refuse_url(f"http://{spelling}/") is not None
    assert PRODUCTION.refuse_url(f"http://me@{spelling}:80/") is not None
    assert PRODUCTION.refuse_address(spelling, "example.com:80") is not None


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.lists(st.sampled_from(["{}", "{:#x}", "0{:o}"]), min_size=4))
@example(0x7F000001, 1, ["{}"] * 4)
def test_whatever_the_c_library_reads_as_an_address_is_judged_as_that_address(value, parts, forms):
    numbers = [value >> 24, value >> 16 & 255, value >> 8 & 255, value & 255]
    kept = [*numbers[: parts - 1], value & (256 ** (5 - parts) - 1)]
    spelling = ".".join(form.format(number) for form, number in zip(forms, kept, strict=False))
    address = socket.inet_ntoa(socket.inet_aton(spelling))

    refusal = PRODUCTION.refuse_url(f"http://{spelling}/")

    if spelling == address:
        assert (refusal is None) == (special_purpose(ipaddress.ip_address(address)) is None)
    else:
        assert refusal is not None
        assert refusal.endswith(f"write the address as {address}")


@pytest.mark.parametrize("name", LOCAL_NAMES)
def test_local_name_is_refused(name):
    assert PRODUCTION.refuse_url(f"https://{name}/") is not None
    assert PRODUCTION.refuse_url(f"https://me@{name}:8080/") is not None


@pytest.mark.parametrize("url", AMBIGUOUS)
def test_url_that_readers_disagree_about_is_refused(url):
    assert PRODUCTION.refuse_url(url) is not None


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com.",
        "HTTPS://EXAMPLE.COM:443/Path?q=http://127.0.0.1/#f",
        "https://me:p%40ss@example.com/",
        "https://xn--bcher-kva.example/",
        "https://sub_domain.example.com/a@b:c",
        "https://127.0.0.1.example.com/",
        "https://localhost.example.com/",
        "https://1.example.com/",
        "https://internal.example/",
        "https://example.com?q=https://127.0.0.1/",
    ],
)
def test_public_name_is_allowed(url):
    assert PRODUCTION.refuse_url(url) is None


@pytest.mark.parametrize("scheme", ["ftp", "file", "gopher", "ws", "unix", "javascript", "http+unix", "tcp"])
def test_other_scheme_is_refused(scheme):
    assert DEVELOPMENT.refuse_url(f"{scheme}://example.com/") == (
        f"'{scheme}://example.com' is refused: the scheme must be https or http"
    )


def test_plain_http_needs_its_setting():
    assert AddressPolicy.production().refuse_url("http://example.com/") == (
        "'http://example.com' is refused: only https is allowed; write https://, or set allow_http"
    )
    assert PRODUCTION.refuse_url("http://example.com/") is None


def test_refusal_names_value_rule_and_remedy():
    assert PRODUCTION.refuse_url("https://me:secret@10.0.0.1/a?token=x") == (
        "'10.0.0.1' is refused: it is in 10.0.0.0/8 (private use); "
        "to allow it, add the host to allow_hosts or its network to allow_networks"
    )
    assert PRODUCTION.refuse_address("169.254.169.254", "example.com:443") == (
        "'example.com' is refused: its address 169.254.169.254 is in 169.254.0.0/16 (link-local, metadata of clouds); "
        "to allow it, add the host to allow_hosts or its network to allow_networks"
    )


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1", "127.8.8.8", "[::1]", "[::ffff:127.0.0.1]"])
def test_development_may_call_this_machine(host):
    assert DEVELOPMENT.refuse_url(f"http://{host}:3000/") is None


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_development_may_connect_to_this_machine(address):
    assert DEVELOPMENT.refuse_address(address, "localhost:3000") is None


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "0.0.0.0", "fe80::1", "64:ff9b::127.0.0.1"])
def test_development_may_call_nothing_else_that_is_private(address):
    assert DEVELOPMENT.refuse_address(address, "example.com:80") is not None


class TestAllowedNetworks:
    policy = AddressPolicy.production(allowed_networks=("10.1.0.0/16", "fd00:1::/32"))

    @pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "fd00:1::5"])
    def test_address_inside_is_allowed(self, address):
        assert self.policy.refuse_address(address, "db:443") is None
        assert self.policy.refuse_url(f"https://[{address}]/" if ":" in address else f"https://{address}/") is None

    @pytest.mark.parametrize("address", ["10.2.0.1", "127.0.0.1", "fd00:2::5", "64:ff9b::10.1.2.3"])
    def test_address_outside_is_refused(self, address):
        assert self.policy.refuse_address(address, "db:443") is not None

    def test_local_names_are_left_to_the_guard(self):
        assert self.policy.refuse_url("https://db.internal/") is None
        assert self.policy.refuse_url("https://db/") is None

    def test_this_machine_and_metadata_stay_refused(self):
        assert self.policy.refuse_url("https://localhost/") is not None
        assert self.policy.refuse_url("https://metadata.google.internal/") is not None

    def test_this_machine_is_allowed_with_its_network(self):
        assert AddressPolicy.production(allowed_networks=("127.0.0.0/8",)).refuse_url("https://localhost/") is None


class TestAllowedHosts:
    policy = AddressPolicy.production(allowed_hosts=("db.internal", "web:8443", "*.svc.local", "10.9.9.9"))

    @pytest.mark.parametrize(
        "host",
        ["db.internal", "DB.Internal.", "db.internal:9000", "web:8443", "a.svc.local", "a.b.svc.local", "10.9.9.9"],
    )
    def test_named_host_is_allowed_whatever_its_address(self, host):
        assert self.policy.refuse_url(f"https://{host}/") is None
        assert self.policy.refuse_address("10.0.0.1", host) is None

    @pytest.mark.parametrize(
        "host", ["x.db.internal", "db.internal.example.com", "web", "web:443", "svc.local", "xsvc.local", "10.9.9.8"]
    )
    def test_other_host_is_not(self, host):
        assert self.policy.refuse_address("10.0.0.1", host) is not None

    def test_scheme_is_judged_all_the_same(self):
        assert self.policy.refuse_url("http://db.internal/") is not None


def test_standard_library_would_have_let_some_through():
    passed = [text for text in SPECIAL_V4 + SPECIAL_V6 if ipaddress.ip_address(text).is_global]
    assert passed, "the tables could then be replaced by is_global"


@given(st.text(max_size=40))
def test_no_text_makes_the_policy_raise(text):
    PRODUCTION.refuse_url(text)
    PRODUCTION.refuse_url(f"https://{text}")
    PRODUCTION.refuse_address(text, text)
