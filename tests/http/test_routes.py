from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.http.answers import Answer
from outrider.http.operations import Operation
from outrider.http.routes import Needs, Route, RouteTable


async def nothing(_call):
    return Answer(200)


def row(method, path, needs=Needs.READ):
    return Route(method, path, nothing, needs, Operation("Nothing."))


TABLE = RouteTable(
    [
        row("POST", "/v2/publish/{destination:rest}", Needs.CHANGE),
        row("GET", "/v2/publish/{destination:rest}", Needs.CHANGE),
        row("GET", "/v2/messages/{id}"),
        row("DELETE", "/v2/messages/{id}", Needs.CHANGE),
        row("DELETE", "/v2/messages", Needs.CHANGE),
        row("POST", "/v2/dlq/retry", Needs.CHANGE),
        row("GET", "/v2/dlq/{id}"),
        row("GET", "/v2/flowControl/{key:rest}"),
        row("POST", "/v2/flowControl/{key:rest}/pause", Needs.CHANGE),
        row("GET", "/", Needs.OPEN),
    ]
)


def found(method, path):
    match = TABLE.find(method, path)
    assert match is not None
    return match


def test_a_destination_is_taken_byte_for_byte():
    raw = b"https://example.com//a/%2F/../b%20c;d"
    assert found("POST", b"/v2/publish/" + raw).params == {"destination": raw}


@given(st.binary(max_size=80))
def test_whatever_stands_behind_publish_is_the_destination(raw):
    assert found("POST", b"/v2/publish/" + raw).params == {"destination": raw}


def test_a_path_leads_to_the_same_place_again_and_elsewhere_by_another_method():
    for _ in range(2):
        assert found("GET", b"/v2/messages/msg_1").route.needs is Needs.READ
        assert found("DELETE", b"/v2/messages/msg_1").route.needs is Needs.CHANGE
        assert found("GET", b"/v2/messages/msg_2").params == {"id": b"msg_2"}


def test_words_are_matched_in_any_case_and_parameters_keep_theirs():
    match = found("GET", b"/v2/Messages/msg_AbC")
    assert match.path == "/v2/messages/{id}"
    assert match.params == {"id": b"msg_AbC"}


def test_a_key_with_slashes_ends_where_its_action_begins():
    assert found("POST", b"/v2/flowControl/a/pause/b/pause").params == {"key": b"a/pause/b"}
    assert found("GET", b"/v2/flowcontrol/a/pause").params == {"key": b"a/pause"}


def test_a_trailing_slash_is_noted_and_no_parameter():
    assert found("DELETE", b"/v2/messages/").trailing_slash
    assert found("DELETE", b"/v2/messages/").params == {}
    assert not found("DELETE", b"/v2/messages").trailing_slash


def test_a_literal_word_comes_before_a_parameter():
    assert found("POST", b"/v2/dlq/retry").path == "/v2/dlq/retry"


def test_another_method_finds_those_that_the_path_has():
    match = found("PUT", b"/v2/messages/msg_1")
    assert match.route is None
    assert match.allowed == ("GET", "DELETE", "HEAD", "OPTIONS")
    assert found("POST", b"/v2/dlq/1-0").allowed == ("GET", "HEAD", "OPTIONS")


def test_methods_of_overlapping_paths_are_allowed_together():
    assert found("PUT", b"/v2/dlq/retry").allowed == ("POST", "OPTIONS", "GET", "HEAD")


def test_head_is_a_get_that_reads_and_never_publishes():
    assert found("HEAD", b"/v2/messages/msg_1").route is not None
    assert found("HEAD", b"/v2/publish/https://example.com").route is None


@pytest.mark.parametrize(
    "path", [b"", b"*", b"/v2", b"/v2/", b"/v3", b"/v2/messages/a/b", b"//v2/messages", b"/v2//messages"]
)
def test_other_paths_lead_nowhere(path):
    assert TABLE.find("GET", path) is None


def test_a_row_may_not_stand_twice():
    with pytest.raises(AssertionError, match="GET /v2/keys stands twice"):
        RouteTable([row("GET", "/v2/keys"), row("GET", "/v2/keys")])


@given(st.sampled_from(["GET", "POST", "HEAD", "PURGE", ""]), st.binary(max_size=40))
def test_no_path_is_too_strange(method, raw_path):
    for prefix in (b"", b"/v2/", b"/v2/messages/", b"/v2/flowControl/"):
        TABLE.find(method, prefix + raw_path)
