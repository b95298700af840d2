"""Where the database is: a file of SQLite's or a URL of PostgreSQL's. A password in it never shows itself."""

from __future__ import annotations

import ipaddress
import re
import secrets
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode

from msgspec import Struct

HIDDEN = "[hidden]"
"""What is shown of a secret."""


class Secret:
    """A text that does not show itself, in whatever it is printed, logged or formatted."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __str__(self) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and secrets.compare_digest(self.text.encode(), other.text.encode())

    def __hash__(self) -> int:
        return hash(self.text)


class SqliteFile(Struct, frozen=True):
    """A database in one file."""

    path: Path

    def __str__(self) -> str:
        return f"sqlite:{self.path}"


class PostgresUrl(Struct, frozen=True):
    """A database of a PostgreSQL server, or of what speaks its protocol.

    Attributes:
        dsn: what the driver is given, every part of it percent-encoded; only a server that can write will do.
        shown: the same for people, without its passwords.
        has_password: whether it holds one.
    """

    dsn: Secret
    shown: str
    has_password: bool

    def __str__(self) -> str:
        return self.shown


DatabaseUrl = SqliteFile | PostgresUrl

RULE = (
    "a database; write postgresql://user:password@host:5432/name, its password percent-encoded where it has any of "
    "@ : / ? # % &, or sqlite:path"
)

_SECRET_OPTIONS = {"password", "sslpassword"}
_OPTION = re.compile(r"[a-z_]+(\.[a-z_]+)?")
_HOST_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_PORT = re.compile(r":[0-9]{1,5}")


def parse_database_url(text: str) -> DatabaseUrl:
    """A database as it is written in the settings. Raises ValueError, which repeats nothing of the text."""
    scheme, colon, rest = text.partition(":")
    match scheme.lower() if colon else "":
        case "sqlite" if path := rest.removeprefix("//"):
            return SqliteFile(_path(path))
        case "postgresql" | "postgres" if rest.startswith("//"):
            return _parse_server(rest.removeprefix("//"))
        case _:
            raise ValueError("not a database")


def redacted(text: str) -> str:
    """As much of a text that should have been a database URL as surely is no secret."""
    scheme, mark, rest = text.partition("://")
    if not mark:
        return text if ":" not in text and "@" not in text else f"{text.partition(':')[0]}:{HIDDEN}"
    before_options, question, _ = rest.partition("?")
    _, _, place = before_options.rpartition("@")
    # With another `@` anywhere, or none before the options, nobody can tell where a password ends.
    is_told = rest.count("@") == before_options.count("@") == 1
    return f"{scheme}://{HIDDEN}" + (f"@{place}" if is_told else "") + (f"?{HIDDEN}" if question else "")


def _parse_server(text: str) -> PostgresUrl:
    """What follows `postgresql://`.

    A raw `@` after the first slash, or a `#`, is taken for a piece of a password that was not percent-encoded: read
    otherwise, that piece would be shown.
    """
    before_options, _, options_text = text.partition("?")
    authority, _, name = before_options.partition("/")
    if "#" in text or "@" in name + options_text or "/" in name:
        raise ValueError("not percent-encoded")
    login, _, hosts = authority.rpartition("@")
    user, _, password = login.partition(":")
    _check_hosts(hosts)
    options = _parse_options(options_text)
    user, password, place = _encoded(user), _encoded(password), f"{hosts}/{_encoded(name)}"
    hidden = {key: HIDDEN if key in _SECRET_OPTIONS else value for key, value in options.items()}
    return PostgresUrl(
        dsn=Secret(_written(user, password, place, {"target_session_attrs": "read-write"} | options)),
        shown=_written(user, password and HIDDEN, place, hidden),
        has_password=bool(password) or not _SECRET_OPTIONS.isdisjoint(options),
    )


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as unknown_user:
        raise ValueError("no such user") from unknown_user


def _written(user: str, password: str, place: str, options: dict[str, str]) -> str:
    login = user + (f":{password}" if password else "")
    query = urlencode(options, safe="[]/,", quote_via=quote)
    return f"postgresql://{login}{'@' * bool(login)}{place}" + (f"?{query}" if query else "")


def _encoded(part: str) -> str:
    """A part as it must be written, whether it was already or not."""
    return quote(unquote(part, errors="strict"), safe="")


def _check_hosts(hosts: str) -> None:
    """Raises ValueError unless they are empty, or a list of names, addresses and folders of sockets with ports."""
    for host in hosts.split(",") if hosts else ():
        if host.startswith("["):
            address, bracket, port = host[1:].partition("]")
            ipaddress.IPv6Address(unquote(address))
            is_host = bool(bracket)
        else:
            name, colon, port = host.partition(":")
            port = colon + port
            is_host = bool(_HOST_NAME.fullmatch(unquote(name))) or unquote(name).startswith("/")
        if not is_host or (port and not (_PORT.fullmatch(port) and 1 <= int(port[1:]) <= 65535)):
            raise ValueError("not a host with a port")


def _parse_options(text: str) -> dict[str, str]:
    pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict")
    options = dict(pairs)
    if len(options) < len(pairs) or not all(map(_OPTION.fullmatch, options)):
        raise ValueError("not options")
    return options
