from __future__ import annotations

import asyncio
import socket
import struct
import sys

import asyncpg
import pytest
from tests.free_port import free_port
from tests.tcp_proxy import TcpProxy

LONG_S = 10

UNACKNOWLEDGED = 24
"""Where the TCP_INFO of Linux tells how many packets are on their way."""


class Echo:
    """A server that answers every piece with `re:` and the piece, and knows what it got."""

    def __init__(self):
        self.got = b""
        self.changed = asyncio.Condition()
        self.ended = asyncio.Queue()

    async def serve(self, reader, writer):
        try:
            while data := await reader.read(65536):
                self.got += data
                async with self.changed:
                    self.changed.notify_all()
                writer.write(b"re:" + data)
            self.ended.put_nowait("closed")
        except ConnectionError:
            self.ended.put_nowait("reset")
        finally:
            writer.close()

    async def wait_for(self, data):
        async with asyncio.timeout(LONG_S), self.changed:
            await self.changed.wait_for(lambda: data in self.got)


@pytest.fixture
async def echo():
    echo = Echo()
    listener = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    echo.port = listener.sockets[0].getsockname()[1]
    yield echo
    listener.close()


@pytest.fixture
def proxy(echo):
    with TcpProxy(echo.port) as proxy:
        yield proxy


@pytest.fixture
async def connect(proxy):
    writers = []

    async def connect():
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writers.append(writer)
        return reader, writer

    yield connect
    for writer in writers:
        writer.transport.abort()


async def ask(connection, data, answer=None):
    reader, writer = connection
    writer.write(data)
    answer = answer or b"re:" + data
    assert await asyncio.wait_for(reader.readexactly(len(answer)), LONG_S) == answer


async def is_silent(reader):
    """Whether nothing comes, not even an end, for so long as an answer would certainly need."""
    try:
        await asyncio.wait_for(reader.read(1), 0.1)
    except TimeoutError:
        return True
    return False


async def test_bytes_pass_both_ways(connect):
    connection = await connect()
    await ask(connection, b"one")
    await ask(connection, b"two")


async def test_an_end_passes(echo, connect):
    reader, writer = await connect()
    writer.write(b"bye")
    writer.write_eof()
    assert await reader.read() == b"re:bye"
    assert await echo.ended.get() == "closed"


async def test_a_client_whose_server_is_gone_is_reset():
    async def connect_and_read(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)  # may hear of it already
        try:
            await reader.read()
        finally:
            writer.close()

    with TcpProxy(free_port()) as proxy, pytest.raises(ConnectionResetError):
        await connect_and_read(proxy.port)


async def test_cut_resets_both_ends_and_new_connections_pass(echo, proxy, connect):
    first, second = await connect(), await connect()
    await ask(first, b"one")
    await ask(second, b"two")
    assert proxy.connections == 2
    proxy.cut()
    for reader, _ in (first, second):
        with pytest.raises(ConnectionError):
            await reader.read()
        assert await echo.ended.get() == "reset"
    assert proxy.connections == 0
    await ask(await connect(), b"three")
    assert proxy.accepted == 3


async def test_refusal_concerns_new_connections_only(proxy, connect):
    old = await connect()
    await ask(old, b"one")
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await connect()
    await ask(old, b"two")
    proxy.accept()
    await ask(await connect(), b"three")


async def test_a_stalled_proxy_takes_connections_and_keeps_their_bytes(echo, proxy, connect):
    old = await connect()
    await ask(old, b"one")
    proxy.stall()
    new = await connect()
    old[1].write(b"two")
    new[1].write(b"three")
    assert await is_silent(old[0])
    assert await is_silent(new[0])
    assert echo.got == b"one"
    proxy.flow()
    await ask(old, b"", b"re:two")
    await ask(new, b"", b"re:three")


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_a_stalled_proxy_does_not_tell_the_server_of_a_clients_end(echo, proxy, connect, end):
    reader, writer = await connect()
    await ask((reader, writer), b"one")
    proxy.stall()
    getattr(writer if end == "close" else writer.transport, end)()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(echo.ended.get(), 0.1)
    proxy.flow()
    await asyncio.wait_for(echo.ended.get(), LONG_S)


async def test_a_stalled_proxy_can_be_cut(proxy, connect):
    reader, writer = await connect()
    proxy.stall()
    writer.write(b"one")
    proxy.cut()
    with pytest.raises(ConnectionError):
        await reader.read()


@pytest.mark.skipif(sys.platform != "linux", reason="packets are dropped by a socket filter, which Linux has")
async def test_what_is_sent_into_a_black_hole_is_not_even_received(echo, proxy, connect):
    reader, writer = old = await connect()
    await ask(old, b"one")
    proxy.swallow()
    writer.write(b"two")
    assert await is_silent(reader)
    info = writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    assert struct.unpack_from("I", info, UNACKNOWLEDGED) == (1,)
    await ask(await connect(), b"three")
    proxy.flow()
    await ask(old, b"", b"re:two")


async def test_delay_is_each_way(proxy, connect):
    connection = await connect()
    proxy.delay(0.1)
    loop = asyncio.get_running_loop()
    start = loop.time()
    await ask(connection, b"one")
    assert loop.time() - start >= 0.2
    proxy.delay(10 * LONG_S)
    proxy.delay(0)
    await ask(connection, b"two")


async def test_cut_before_keeps_the_pattern_from_the_server(echo, proxy, connect):
    reader, writer = await connect()
    cut = proxy.cut_before(b"COMMIT")
    await ask((reader, writer), b"BEGIN")
    assert not cut.has_happened
    writer.write(b"UPDATE;COMMIT")
    with pytest.raises(ConnectionError):
        await reader.read()
    cut.wait()
    await echo.ended.get()
    assert b"COMMIT" not in echo.got


async def test_cut_after_delivers_the_pattern_and_loses_the_answer(echo, proxy, connect):
    reader, writer = await connect()
    cut = proxy.cut_after(b"COMMIT", answered=b"MIT")
    writer.write(b"UPDATE;COMMIT;")
    with pytest.raises(ConnectionError):
        await reader.read()
    cut.wait()
    assert echo.got == b"UPDATE;COMMIT;"


async def test_cut_holding_delivers_the_pattern_when_it_is_released(echo, proxy, connect):
    reader, writer = await connect()
    cut = proxy.cut_holding(b"COMMIT", answered=b"re:COMMIT;")
    writer.write(b"UPDATE;COMMIT;")
    with pytest.raises(ConnectionError):
        await reader.read()
    cut.wait()
    await echo.wait_for(b"UPDATE;")
    assert echo.got == b"UPDATE;"
    await asyncio.to_thread(cut.release)
    assert echo.got == b"UPDATE;COMMIT;"


async def test_a_pattern_may_come_in_pieces(echo, proxy, connect):
    reader, writer = await connect()
    cut = proxy.cut_before(b"COMMIT")
    await ask((reader, writer), b"COM")
    writer.write(b"MIT")
    with pytest.raises(ConnectionError):
        await reader.read()
    cut.wait()
    assert echo.got == b"COM"


async def test_what_passed_before_is_no_pattern(proxy, connect):
    connection = await connect()
    await ask(connection, b"COMMIT")
    cut = proxy.cut_before(b"COMMIT")
    await ask(connection, b"SELECT")
    assert not cut.has_happened


async def test_a_pattern_cuts_once(proxy, connect):
    reader, writer = await connect()
    cut = proxy.cut_before(b"COMMIT")
    writer.write(b"COMMIT")
    with pytest.raises(ConnectionError):
        await reader.read()
    cut.wait()
    await ask(await connect(), b"COMMIT")


async def test_waiting_for_a_cut_that_does_not_come_fails(proxy):
    cut = proxy.cut_before(b"COMMIT")
    with pytest.raises(AssertionError, match="no client sent"):
        cut.wait(0.01)


@pytest.fixture
def database(postgres):
    yield postgres.create_database("proxied")
    postgres.drop_database("proxied")


async def count(url):
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval("SELECT count(*) FROM told")
    finally:
        await connection.close()


async def commit_into(cut, url):
    """Insert a row in a transaction that the cut meets when it commits."""
    connection = await asyncpg.connect(url)
    try:
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            async with connection.transaction():
                await connection.execute("INSERT INTO told VALUES ('one')")
    finally:
        connection.terminate()
    cut.wait()


async def test_what_a_cut_leaves_of_a_transaction(postgres, postgres_proxy, database):
    postgres.execute("CREATE TABLE told (word text)", "proxied")
    proxied, answered = postgres.url("proxied", port=postgres_proxy.port), b"COMMIT\0"
    await commit_into(postgres_proxy.cut_before(b"COMMIT"), proxied)
    assert await count(database) == 0
    await commit_into(postgres_proxy.cut_after(b"COMMIT", answered=answered), proxied)
    assert await count(database) == 1
    held = postgres_proxy.cut_holding(b"COMMIT", answered=answered)
    await commit_into(held, proxied)
    assert await count(database) == 1
    held.release()
    assert await count(database) == 2
