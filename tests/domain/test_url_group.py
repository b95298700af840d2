import msgspec
from hypothesis import given
from hypothesis import strategies as st

from outrider.domain.options import OptionPatch
from outrider.domain.url_group import Endpoint, EndpointMatch, UrlGroup, with_endpoints, without_endpoints

A, B, C = "https://a.example", "https://b.example", "https://c.example"


def group(*endpoints, **facts):
    return UrlGroup(name="fans", endpoints=endpoints, created_at=1, updated_at=1, **facts)


def test_new_endpoints_come_last_in_the_order_given():
    grown = with_endpoints(group(Endpoint(A)), [Endpoint(C, "c"), Endpoint(B)], now=5)
    assert grown.endpoints == (Endpoint(A), Endpoint(C, "c"), Endpoint(B))
    assert (grown.created_at, grown.updated_at) == (1, 5)


def test_known_name_gets_the_new_url_in_its_place():
    grown = with_endpoints(group(Endpoint(A, "main"), Endpoint(B)), [Endpoint(C, "main")], now=5)
    assert grown.endpoints == (Endpoint(C, "main"), Endpoint(B))


def test_known_url_gets_the_new_name():
    assert with_endpoints(group(Endpoint(A, "old")), [Endpoint(A, "new")], now=5).endpoints == (Endpoint(A, "new"),)


def test_known_url_without_a_name_keeps_its_own():
    assert with_endpoints(group(Endpoint(A, "main")), [Endpoint(A)], now=5).endpoints == (Endpoint(A, "main"),)


def test_name_of_one_and_url_of_another_make_them_one():
    grown = with_endpoints(group(Endpoint(A, "main"), Endpoint(B, "spare"), Endpoint(C)), [Endpoint(B, "main")], now=5)
    assert grown.endpoints == (Endpoint(B, "main"), Endpoint(C))
    grown = with_endpoints(group(Endpoint(B, "spare"), Endpoint(A, "main")), [Endpoint(B, "main")], now=5)
    assert grown.endpoints == (Endpoint(B, "main"),)


def test_later_of_two_in_one_call_wins():
    grown = with_endpoints(group(), [Endpoint(A, "main"), Endpoint(B, "main")], now=5)
    assert grown.endpoints == (Endpoint(B, "main"),)


def test_endpoints_are_removed_by_url_or_by_name():
    fans = group(Endpoint(A, "a"), Endpoint(B, "b"), Endpoint(C))
    left = without_endpoints(fans, [EndpointMatch(url=C), EndpointMatch(name="a")], now=5)
    assert (left.endpoints, left.updated_at) == ((Endpoint(B, "b"),), 5)


def test_url_and_name_together_must_both_fit():
    fans = group(Endpoint(A, "a"), Endpoint(B, "b"))
    assert without_endpoints(fans, [EndpointMatch(url=A, name="b")], now=5) is fans
    assert without_endpoints(fans, [EndpointMatch(url=A, name="a")], now=5).endpoints == (Endpoint(B, "b"),)


def test_match_that_says_nothing_removes_nothing():
    fans = group(Endpoint(A))
    assert without_endpoints(fans, [EndpointMatch()], now=5) is fans
    assert without_endpoints(fans, [EndpointMatch(name="gone")], now=5) is fans


def test_group_without_endpoints_is_no_more():
    assert without_endpoints(group(Endpoint(A), Endpoint(B)), [EndpointMatch(A), EndpointMatch(B)], now=5) is None


def test_group_survives_a_round_trip():
    fans = group(
        Endpoint(A, "a"),
        Endpoint(B),
        defaults=OptionPatch(retries=5, headers=(("X-Fan", "1"),)),
        default_headers=(("upstash-retries", "5"), ("Upstash-Forward-X-Fan", "1")),
    )
    assert msgspec.json.decode(msgspec.json.encode(fans), type=UrlGroup) == fans


ENDPOINTS = st.lists(
    st.builds(Endpoint, st.sampled_from([A, B, C]), st.none() | st.sampled_from(["a", "b", "c"])), max_size=8
)


@given(ENDPOINTS, ENDPOINTS)
def test_no_url_and_no_name_comes_twice(first, second):
    before = with_endpoints(group(), first, now=2)
    after = with_endpoints(before, second, now=3)
    urls = [endpoint.url for endpoint in after.endpoints]
    names = [endpoint.name for endpoint in after.endpoints if endpoint.name is not None]
    assert len(set(urls)) == len(urls)
    assert len(set(names)) == len(names)
    if second:
        last = second[-1]
        assert any(e.url == last.url and last.name in (None, e.name) for e in after.endpoints)


@given(ENDPOINTS)
def test_adding_again_changes_nothing(endpoints):
    once = with_endpoints(group(), endpoints, now=2)
    assert with_endpoints(once, once.endpoints, now=2) == once
