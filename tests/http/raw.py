"""Requests and answers as bytes on a socket."""

from __future__ import annotations

import asyncio
import contextlib

HOST = b"Host: outrider.test"

PATIENCE_S = 30.0
"""How long a test waits for something that should happen at once."""


@contextlib.asynccontextmanager
async def connection(port, **how):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **how)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def answer_of(reader) -> tuple[int, dict[str, str], bytes]:
    async with asyncio.timeout(PATIENCE_S):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(head[0].split(" ")[1]), headers, body


async def ended(reader) -> bool:
    """Whether the server sends nothing more and ends."""
    async with asyncio.timeout(PATIENCE_S):
        try:
            return await reader.read() == b""
        except ConnectionResetError:
            return True


async def exchange(port, request: bytes):
    async with connection(port) as (reader, writer):
        writer.write(request)
        return await answer_of(reader)


def head(api, target: bytes, *headers: bytes, method: bytes = b"POST", version: bytes = b"HTTP/1.1") -> bytes:
    token = b"Authorization: Bearer " + api.token.encode()
    return b"\r\n".join([method + b" " + target + b" " + version, HOST, token, *headers]) + b"\r\n\r\n"


def publish(api, body: bytes = b"", *headers: bytes) -> bytes:
    length = b"Content-Length: %d" % len(body)
    return head(api, b"/v2/publish/https://example.com", length, *headers) + body


async def until(holds) -> None:
    """Let the loop turn until something is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
