"""The API called without an SDK."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterable

from tests.e2e.server_process import ServerProcess


def call(
    server: ServerProcess, method: str, path: str, body: bytes | None = None, headers: Iterable[tuple[str, str]] = ()
) -> bytes:
    """The body of an answer to the first tenant. Raises HTTPError for a status that says no."""
    token = server.variables["QSTASH_TOKEN"]
    request = urllib.request.Request(
        server.url + path, body, {"Authorization": f"Bearer {token}", **dict(headers)}, method=method
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def publish(server: ServerProcess, url: str, body: bytes = b"body", **headers: str) -> str:
    """The id of a message; a header's name has `_` for `-`."""
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return json.loads(call(server, "POST", f"/v2/publish/{url}", body, named))["messageId"]
