"""Answers as they arrive: in pieces, endless, with something behind them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.domain.attempt import Response
from outrider.sender.failures import BrokenOff, Disconnected, Lost, MalformedResponse
from outrider.sender.reception import LONGEST_FIELD, LONGEST_HEADER, MOST_FIELDS, Reception

CAP = 1000

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

ANSWERS = [
    OK,
    b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
    CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-T: 1\r\nX-U: 2\r\n\r\n",
    b"HTTP/1.1 503 Busy now\r\nX-Folded: a\r\n b\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d \r\nContent-Length: 0\r\n\r\n",
]


def received(*pieces: bytes) -> tuple[Response | None, bool]:
    """What these pieces make, and whether another answer may follow."""
    reception = Reception(CAP)
    response = None
    for piece in pieces:
        assert response is None, "an answer is whole before its last piece"
        response = reception.feed(piece)
    return response, reception.is_reusable


@pytest.mark.parametrize("answer", ANSWERS)
def test_answer_is_the_same_byte_by_byte(answer):
    response, is_reusable = received(answer)

    assert response is not None
    assert is_reusable
    assert received(*(answer[at : at + 1] for at in range(len(answer)))) == (response, True)


@given(answer=st.sampled_from(ANSWERS), cuts=st.sets(st.integers(1, 150)))
def test_answer_is_the_same_however_it_is_split(answer, cuts):
    edges = [0, *sorted(cut for cut in cuts if cut < len(answer)), len(answer)]

    assert received(*(answer[start:end] for start, end in pairwise(edges))) == received(answer)


WORDS = st.text("abcXYZ-019", min_size=1, max_size=12)
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=40)


@given(
    status=st.integers(200, 599).filter(lambda status: status not in {204, 304}),
    fields=st.lists(st.tuples(WORDS.map(lambda word: f"X-{word}"), VALUES), max_size=8),
    chunks=st.lists(st.binary(min_size=1, max_size=600), max_size=4),
    is_chunked=st.booleans(),
    cuts=st.sets(st.integers(1, 4000), max_size=12),
)
def test_answer_that_was_written_is_read(status, fields, chunks, is_chunked, cuts):
    body = b"".join(chunks)
    framing = ("Transfer-Encoding", "chunked") if is_chunked else ("Content-Length", str(len(body)))
    written = f"HTTP/1.1 {status} \r\n".encode()
    written += b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in [*fields, framing]) + b"\r\n"
    if is_chunked:
        written += b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    else:
        written += body
    edges = [0, *sorted(cut for cut in cuts if cut < len(written)), len(written)]
    reception = Reception(CAP)
    response = None
    for start, end in pairwise(edges):
        response = response or reception.feed(written[start:end])

    is_cut = len(body) > CAP
    assert response == Response(status, (*fields, framing), body[:CAP], is_cut)
    assert not (is_cut and reception.is_reusable)


@given(data=st.lists(st.binary(max_size=40) | st.sampled_from([*ANSWERS, b"HTTP/1.1 ", b"\r\n", b": "]), max_size=6))
def test_whatever_comes_is_an_answer_or_malformed(data):
    reception = Reception(CAP)
    try:
        response = None
        for piece in data:
            response = response or reception.feed(piece)
        response = response or reception.end(None)
    except (MalformedResponse, Disconnected, BrokenOff):
        return
    assert 101 <= response.status <= 999


def test_one_answer_follows_another():
    reception = Reception(CAP)
    for answer in ANSWERS * 2:
        reception.expect()
        assert not reception.has_heard

        assert reception.feed(answer) == received(answer)[0]
        assert reception.is_reusable


@pytest.mark.parametrize("surplus", [OK, b"HTTP/1.1 2", b"H", b"HTTP/1.1 100 Continue\r\n\r\n"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_nothing_may_follow_an_answer_with_another_behind_it(answer, surplus):
    response, is_reusable = received(answer + surplus)

    assert response == received(answer)[0]
    assert not is_reusable


def test_head_without_its_body_is_whole_where_there_is_none():
    response, is_reusable = received(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n")

    assert response == Response(304, (("Content-Length", "5"),))
    assert is_reusable


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 " + b"a" * (LONGEST_FIELD + 1),
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * LONGEST_FIELD + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * (MOST_FIELDS + 1) + b"\r\n",
        b"HTTP/1.1 200 OK\r\n" + (b"X: " + b"a" * (LONGEST_FIELD - 1) + b"\r\n") * 5 + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX: " + b"a" * LONGEST_FIELD + b"\r\n\r\n",
        CHUNKED + b"0\r\n" + b"X: a\r\n" * MOST_FIELDS + b"\r\n",
    ],
)
def test_head_over_a_limit_is_malformed(head):
    with pytest.raises(MalformedResponse, match="its header is over the limit"):
        received(head)


def test_head_at_the_limits_is_read():
    fields = b"X: " + b"a" * (LONGEST_FIELD - 1) + b"\r\n" + b"X: a\r\n" * (MOST_FIELDS - 2)

    response, _ = received(b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 0\r\n\r\n")

    assert response is not None
    assert len(response.headers) == MOST_FIELDS


@pytest.mark.parametrize(
    ("beginning", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"a" * 1000),
        (b"HTTP/1.1 200 OK\r\n", b"X: a\r\n" * 100),
        (b"HTTP/1.1 103 Hints\r\n", b"X: a\r\n" * 100),
        (CHUNKED + b"1;", b"x" * 1000),
        (CHUNKED + b"1\r\na\r\n0\r\nX: ", b"a" * 1000),
        (CHUNKED + b"1\r\na\r\n0\r\n", b"X: a\r\n" * 100),
    ],
)
def test_what_grows_for_ever_beside_the_body_is_malformed(beginning, piece):
    with pytest.raises(MalformedResponse, match="its header is over the limit"):
        received(beginning, *[piece] * (LONGEST_HEADER // len(piece) + 1))


def test_interim_answers_without_end_are_no_header_over_the_limit():
    reception = Reception(CAP)
    for _ in range(LONGEST_HEADER // 10):
        assert reception.feed(b"HTTP/1.1 100 Continue\r\n\r\n") is None

    assert reception.feed(OK) is not None


def test_header_with_a_nul_is_malformed():
    with pytest.raises(MalformedResponse, match="it is not HTTP"):
        received(b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("head", "ends_with_connection"),
    [
        (b"", True),
        (b"Transfer-Encoding: gzip\r\n", True),
        (b"Transfer-Encoding: chunked, gzip\r\n", True),
        (b"Transfer-Encoding: gzip, Chunked\r\n", False),
        (b"content-length: 10\r\n", False),
    ],
)
def test_end_of_the_connection_ends_only_a_body_without_another_end(head, ends_with_connection):
    reception = Reception(CAP)
    assert reception.feed(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n") is None
    assert reception.feed(b"5\r\nonly") is None

    if ends_with_connection:
        assert reception.end(None).body == b"5\r\nonly"
    else:
        with pytest.raises(BrokenOff):
            reception.end(None)


def test_end_before_the_head_is_told_apart_from_a_failure():
    reception = Reception(CAP)
    reception.feed(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 2")

    with pytest.raises(Disconnected):
        reception.end(None)
    with pytest.raises(Lost):
        reception.end(ConnectionResetError())
