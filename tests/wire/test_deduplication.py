import pytest

from outrider.domain.limits import Limits
from outrider.domain.message import DeduplicationKey
from outrider.domain.options import Deduplication
from outrider.wire.deduplication import deduplication_key

LIMITS = Limits()
CONTENT = Deduplication(by_content=True)


def key(said=CONTENT, *, url="https://a.com", headers=(("Content-Type", "a"), ("X", "1")), body=b"b", endpoint=None):
    return deduplication_key(said, url=url, headers=headers, body=body, limits=LIMITS, endpoint=endpoint)


def test_own_id_is_the_key_whatever_the_content():
    said = Deduplication(id="a", by_content=True)
    assert key(said) == key(said, url="https://b.com", body=b"c") == DeduplicationKey("id:a", 60_000)


def test_window_may_be_the_messages_own():
    assert key(Deduplication(id="a", window_ms=5)) == DeduplicationKey("id:a", 5)
    assert key(Deduplication(by_content=True, window_ms=5)).window_ms == 5


@pytest.mark.parametrize("said", [Deduplication(), Deduplication(window_ms=5), Deduplication(by_content=False)])
def test_nothing_asked_is_no_key(said):
    assert key(said) is None


def test_equal_contents_have_equal_keys():
    assert key() == key(headers=(("x", "1"), ("content-type", "a")))


@pytest.mark.parametrize(
    "change",
    [
        {"url": "https://a.com/"},
        {"body": b"c"},
        {"headers": (("Content-Type", "b"), ("X", "1"))},
        {"headers": (("Content-Type", "a"), ("X", "2"))},
        {"headers": (("Content-Type", "a"),)},
        {"headers": (("Content-Type", "a"), ("X", "1"), ("X", "1"))},
        {"endpoint": "https://e.com"},
    ],
)
def test_every_part_of_the_content_counts(change):
    assert key() != key(**change)


def test_parts_do_not_run_together():
    assert key(headers=(), body=b"ab") != key(headers=(), url="https://a.coma", body=b"b")
    assert key(headers=(("a", "bc"),)) != key(headers=(("ab", "c"),))


def test_order_of_one_headers_values_counts():
    assert key(headers=(("X", "1"), ("X", "2"))) != key(headers=(("X", "2"), ("X", "1")))


def test_endpoints_of_a_group_are_told_apart():
    said = Deduplication(id="a")
    assert len({key(said).key, key(said, endpoint="one").key, key(said, endpoint="two").key}) == 3


def test_id_never_equals_a_content_hash():
    assert key(Deduplication(id=key().key.rpartition(":")[2])) != key()
