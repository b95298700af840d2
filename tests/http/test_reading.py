"""A body is read to its end or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.domain.errors import TooLarge
from outrider.http.calls import Disconnected, read_body

GONE = {"type": "http.disconnect"}


def part(body: bytes, *, more: bool = True):
    return {"type": "http.request", "body": body, "more_body": more}


def messages(*given_):
    waiting = list(given_)

    async def receive():
        return waiting.pop(0)

    return receive


async def read(*received, limit=10, declared=None):
    return await read_body(messages(*received), declared, limit, "send less")


async def test_a_body_in_one_piece():
    assert await read(part(b"abc", more=False)) == b"abc"


async def test_no_body_at_all():
    assert await read({"type": "http.request"}) == b""


@given(st.lists(st.binary(max_size=4), max_size=8))
async def test_pieces_are_joined_and_counted(pieces):
    received = [part(piece) for piece in pieces] + [part(b"", more=False)]
    whole = b"".join(pieces)
    if len(whole) <= 10:
        assert await read(*received) == whole
    else:
        with pytest.raises(TooLarge):
            await read(*received)


@pytest.mark.parametrize("before", [(), (part(b"abc"),), (part(b"abc"), part(b""))])
async def test_a_client_that_went_away_is_not_the_end_of_its_body(before):
    with pytest.raises(Disconnected):
        await read(*before, GONE)


async def test_a_declared_size_over_the_limit_is_refused_before_reading():
    with pytest.raises(TooLarge, match="a body of 11 bytes is over the limit of 10 bytes") as caught:
        await read(declared=b"11")
    assert caught.value.hint == "send less"


async def test_an_absurd_declared_size_is_refused():
    with pytest.raises(TooLarge):
        await read(declared=b"9" * 10_000)


async def test_reading_stops_at_the_limit_not_at_the_end():
    with pytest.raises(TooLarge, match="over the limit of 10 bytes"):
        await read(part(b"x" * 6), part(b"x" * 6), part(b"never read"))


async def test_a_body_of_exactly_the_limit_passes():
    assert await read(part(b"x" * 10, more=False), declared=b"10") == b"x" * 10
    assert await read(part(b"x" * 6), part(b"x" * 4), part(b"", more=False)) == b"x" * 10


async def test_one_piece_over_the_limit_is_refused_by_its_size():
    with pytest.raises(TooLarge, match="a body of 11 bytes"):
        await read(part(b"x" * 11, more=False))
