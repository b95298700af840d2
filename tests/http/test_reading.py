"""A body is read to its end or not at all."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.http.raw import until

from outrider.domain.errors import TooLarge
from outrider.http.requests import UNASKED, Body, Disconnected


def body_of(*pieces: bytes, whole: bool = True, declared: int | None = None) -> Body:
    body = Body(declared)
    for piece in pieces:
        body.add(piece)
    if whole:
        body.end()
    return body


async def read(body, limit=10):
    return await body.read(limit, "send less")


@contextlib.asynccontextmanager
async def reading(body, limit=10):
    """A reader that waits."""
    task = asyncio.create_task(read(body, limit))
    await until(lambda: body.is_wanted)
    yield task
    await asyncio.wait([task])


async def test_a_body_in_one_piece():
    assert await read(body_of(b"abc")) == b"abc"


async def test_no_body_at_all():
    assert await read(body_of()) == b""


@given(st.lists(st.binary(max_size=4), max_size=8))
async def test_pieces_are_joined_and_counted(pieces):
    whole = b"".join(pieces)
    if len(whole) <= 10:
        assert await read(body_of(*pieces)) == whole
    else:
        with pytest.raises(TooLarge, match=f"a body of {len(whole)} bytes"):
            await read(body_of(*pieces))


@pytest.mark.parametrize("pieces", [[], [b"abc"], [b"abc", b"de"]])
async def test_what_comes_while_it_is_waited_for(pieces):
    body = body_of(b"1", whole=False)
    told = []
    body.on_wanted = lambda: told.append(body.is_wanted)
    async with reading(body) as task:
        for piece in pieces:
            body.add(piece)
            assert not task.done()
        body.end()
    assert task.result() == b"1" + b"".join(pieces)
    assert told == [True]
    assert not body.is_wanted


@pytest.mark.parametrize("before", [[], [b"abc"]])
async def test_a_client_that_went_away_is_not_the_end_of_its_body(before):
    gone = body_of(*before, whole=False)
    gone.fail(Disconnected())
    gone.fail(ValueError())
    with pytest.raises(Disconnected):
        await read(gone)
    going = body_of(*before, whole=False)
    async with reading(going) as task:
        going.fail(Disconnected())
    assert isinstance(task.exception(), Disconnected)


async def test_a_client_that_goes_away_after_its_body_is_served():
    body = body_of(b"abc")
    body.fail(Disconnected())
    assert await read(body) == b"abc"


async def test_a_declared_size_over_the_limit_is_refused_before_reading():
    with pytest.raises(TooLarge, match="a body of 11 bytes is over the limit of 10 bytes") as caught:
        await read(body_of(whole=False, declared=11))
    assert caught.value.hint == "send less"


async def test_reading_stops_at_the_limit_not_at_the_end():
    with pytest.raises(TooLarge, match="a body of more than 11 bytes is over the limit of 10 bytes"):
        await read(body_of(b"x" * 6, b"x" * 6, whole=False))
    for pieces in ([b"x" * 11], [b"x" * 6, b"x" * 6]):
        body = body_of(whole=False)
        async with reading(body) as task:
            for piece in pieces:
                body.add(piece)
        assert isinstance(task.exception(), TooLarge)


async def test_a_body_of_exactly_the_limit_passes():
    assert await read(body_of(b"x" * 10, declared=10)) == b"x" * 10
    assert await read(body_of(b"x" * 6, b"x" * 4)) == b"x" * 10


async def test_only_a_little_is_taken_in_before_it_is_asked_for():
    body = body_of(b"x" * UNASKED, whole=False)
    assert body.has_room
    body.add(b"x")
    assert not body.has_room
    async with reading(body, limit=2 * UNASKED):
        assert body.has_room
        body.end()
