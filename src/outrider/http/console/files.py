"""The console's files, as they were built: kept in memory compressed, and answered from there."""

from __future__ import annotations

import gzip
import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from msgspec import Struct

from outrider.domain.errors import NotFound
from outrider.http.answers import Answer, Fields
from outrider.http.requests import Request

INDEX = "index.html"

CSP = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    b"connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
GUARDED: Fields = (
    (b"content-security-policy", CSP),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""What a browser is told with everything of the console."""

_LOOK_AGAIN = b"no-cache"
_FOR_EVER = b"public, max-age=31536000, immutable"

_TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".ico": b"image/x-icon",
    ".js": b"text/javascript; charset=utf-8",
    ".json": b"application/json",
    ".png": b"image/png",
    ".svg": b"image/svg+xml",
    ".txt": b"text/plain; charset=utf-8",
    ".webmanifest": b"application/manifest+json",
    ".woff2": b"font/woff2",
}
"""A file of another kind is not served, so that nothing of the build that browsers do not need is."""

_NOT_BUILT = Answer(
    404,
    b"<!doctype html><html lang=en><meta charset=utf-8><title>Outrider</title>"
    b"<h1>The console is not built</h1>"
    b"<p>This is a checkout without it, or a package that was made with OUTRIDER_NO_CONSOLE=1."
    b"<p>Run <code>make console</code> in the checkout, or <code>pip install .</code> without that variable, "
    b"and start the server again.",
    ((b"content-type", _TYPES[".html"]), (b"cache-control", b"no-store"), *GUARDED),
)


class _File(Struct, frozen=True):
    """A file, compressed.

    Attributes:
        fields: those that every answer with it has.
    """

    compressed: bytes
    etag: bytes
    fields: Fields


class Files:
    """What is in a folder, read once."""

    def __init__(self, folder: Traversable) -> None:
        self._files: dict[str, _File] = dict(_read(folder, PurePosixPath()))

    def answer(self, path: str, request: Request) -> Answer:
        """The file at a path; the page itself for a path of no file's kind, which is one of the page's own.

        Raises NotFound.
        """
        if INDEX not in self._files:
            return _NOT_BUILT
        is_file = PurePosixPath(path).suffix in _TYPES
        file = self._files.get(path if is_file else INDEX)
        if file is None or path.startswith("api/"):
            raise NotFound(
                f"the console has no '{path[:100]}'",
                code="path_not_found",
                hint="it may be of another release: load the page again",
            )
        if file.etag in request.fields.get(b"if-none-match", b""):
            return Answer(304, fields=file.fields)
        if b"gzip" in request.fields.get(b"accept-encoding", b""):
            return Answer(200, file.compressed, (*file.fields, (b"content-encoding", b"gzip")))
        return Answer(200, gzip.decompress(file.compressed), file.fields)


def built_files() -> Files:
    """Those of this package."""
    return Files(files("outrider") / "console")


def _read(folder: Traversable, path: PurePosixPath) -> list[tuple[str, _File]]:
    """Every file beneath, by its path. The build has left each compressed beside it; where it has not, it is now."""
    if not folder.is_dir():
        return []
    found: list[tuple[str, _File]] = []
    entries = {entry.name: entry for entry in folder.iterdir()}
    for name, entry in entries.items():
        if entry.is_dir():
            found += _read(entry, path / name)
        elif kind := _TYPES.get(PurePosixPath(name).suffix):
            compressed = entries.get(f"{name}.gz")
            body = gzip.compress(entry.read_bytes(), mtime=0) if compressed is None else compressed.read_bytes()
            etag = b'"%b"' % hashlib.sha256(body).hexdigest()[:32].encode()
            # What stands in `assets` has a hash in its name.
            caching = _FOR_EVER if path.parts[:1] == ("assets",) else _LOOK_AGAIN
            fields = (
                (b"content-type", kind),
                (b"cache-control", caching),
                (b"etag", etag),
                (b"vary", b"accept-encoding"),
                *GUARDED,
            )
            found.append((str(path / name), _File(body, etag, fields)))
    return found
