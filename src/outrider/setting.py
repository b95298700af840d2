"""One setting: what its declaration says, how its value is read and how it is shown.

What is shown can be given back: `show` and `parse` are each other's inverse, except for secrets, which are not shown.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from msgspec import Meta, Struct
from msgspec.structs import fields

from outrider.database_url import HIDDEN, RULE, DatabaseUrl, PostgresUrl, parse_database_url, redacted
from outrider.domain.duration import LONGEST_MS, format_duration, parse_duration
from outrider.domain.errors import Misconfigured
from outrider.domain.tenant import hash_token
from outrider.secret_key import parse_secret_key

SHORTEST_TOKEN = 16


class Kind(Struct, frozen=True):
    """A kind of value.

    Attributes:
        unit: one word for the tables.
        rule: what a value must be, after "is not".
        parse: from text, or from a value of TOML. Raises ValueError.
        show: as a person would write it.
        is_list: whether a flag may be repeated.
        is_secret: whether it may never be shown, nor be a flag, which every process of a machine can read.
        holds_secret: whether a value has a part for which this is so.
        name_raw: how a refusal names what was said.
        is_text: whether the settings file holds a value as `show` writes it.
    """

    unit: str
    rule: str
    parse: Callable[[object], object]
    show: Callable[[Any], str] = str
    is_list: bool = False
    is_secret: bool = False
    holds_secret: Callable[[Any], bool] = lambda _: False
    name_raw: Callable[[object], str] = repr
    is_text: bool = False


class Setting(Struct, frozen=True, kw_only=True):
    """One setting, derived from the field of a Struct that declares it.

    Attributes:
        owner: the Struct, and `field` the attribute that holds the value.
        name: as it is written in the settings file; a limit's begins with `limits.`.
        variable: its environment variable.
        optional: whether `none` is a value.
    """

    owner: type[Struct]
    field: str
    name: str
    variable: str
    kind: Kind
    optional: bool
    default: object
    help: str

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("limits.", "limit-").replace("_", "-")

    def parse(self, raw: object, origin: str) -> object:
        """The value. Raises Misconfigured naming the raw value, where it was said, and the rule."""
        may_be_none = self.optional or self.kind.is_list
        if may_be_none and isinstance(raw, str) and raw.strip().lower() == "none":
            return () if self.kind.is_list else None
        try:
            return self.kind.parse(raw)
        except ValueError:
            rule = self.kind.rule + (", or none" if may_be_none else "")
            raise Misconfigured(f"{self.name} {self.kind.name_raw(raw)} ({origin}) is not {rule}") from None

    def show(self, value: object) -> str:
        """A value as a person would write it."""
        return "none" if value is None or value == () else self.kind.show(value)


def declared_in(owner: type[Struct], *, prefix: str = "") -> tuple[Setting, ...]:
    """The settings that a Struct's described fields declare, in order."""
    hints = get_type_hints(owner, include_extras=True)
    return tuple(
        _declared_by(owner, one.name, hints[one.name], one.default, prefix)
        for one in fields(owner)
        if get_origin(hints[one.name]) is Annotated
    )


def _declared_by(owner: type[Struct], field_name: str, hint: object, default: object, prefix: str) -> Setting:
    annotation, meta = get_args(hint)
    alternatives = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    kind = _kind_of(alternatives[0], field_name, meta)
    name = prefix + field_name.removesuffix("_ms").removesuffix("_bytes")
    variable = "OUTRIDER_" + name.replace("limits.", "limit_").upper()
    return Setting(
        owner=owner,
        field=field_name,
        name=name,
        variable=variable,
        kind=kind,
        optional=type(None) in alternatives,
        default=default,
        help=meta.description or "",
    )


def _kind_of(annotation: object, field_name: str, meta: Meta) -> Kind:
    special = (meta.extra or {}).get("kind")
    if special is not None:
        return _SPECIAL[special]
    if get_origin(annotation) is Literal:
        return _choice(get_args(annotation))
    if field_name.endswith("_ms"):
        return _duration(least=meta.ge or 0)
    if field_name.endswith("_bytes"):
        return _SIZE
    if annotation is int:
        return _number(least=meta.ge or 0, most=meta.le)
    return _PLAIN[annotation]


def _number(least: float, most: float | None) -> Kind:
    def parse(raw: object) -> int:
        if isinstance(raw, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", raw):
            raw = int(raw)
        if not isinstance(raw, int) or isinstance(raw, bool) or raw < least or (most is not None and raw > most):
            raise ValueError
        return raw

    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    return Kind("number", f"a whole number {bounds}", parse)


def _duration(least: float) -> Kind:
    def parse(raw: object) -> int:
        ms = parse_duration(_text_of(raw))
        if ms < least:
            raise ValueError
        return ms

    bounds = f"from {format_duration(int(least))} to {format_duration(LONGEST_MS)}"
    return Kind("duration", f"a duration {bounds}; write 30s, 5m or 1h30m", parse, format_duration, is_text=True)


_UNITS = {"GiB": 1024**3, "MiB": 1024**2, "KiB": 1024, "GB": 1000**3, "MB": 1000**2, "KB": 1000, "": 1}
_BYTES_OF_UNIT = {name.lower(): size for name, size in _UNITS.items()} | {"b": 1}


def parse_size(text: str) -> int:
    """A size in bytes: `1MiB`, `500KB` or a number. Raises ValueError."""
    match = re.fullmatch(r"\s*([0-9]{1,15})\s*([A-Za-z]*)\s*", text)
    if match is None or match[2].lower() not in _BYTES_OF_UNIT:
        raise ValueError(text)
    return int(match[1]) * _BYTES_OF_UNIT[match[2].lower()]


def format_size(size: int) -> str:
    """A size in bytes, in the largest unit that divides it: 65536 is `64KiB`, 500000 is `500KB`."""
    for name, unit in _UNITS.items():
        if size and size % unit == 0:
            return f"{size // unit}{name}"
    return str(size)


def format_bytes(size: int) -> str:
    """A size in bytes for the eye, rounded: 71303168 is `68.0 MiB`."""
    for name in ("GiB", "MiB", "KiB"):
        if size >= _UNITS[name]:
            return f"{size / _UNITS[name]:.1f} {name}"
    return f"{size} bytes"


def _parse_flag(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str):
        word = raw.strip().lower()
        if word in {"true", "yes", "on", "1"}:
            return True
        if word in {"false", "no", "off", "0"}:
            return False
    raise ValueError


def _show_flag(value: bool) -> str:  # noqa: FBT001 - it is what is shown
    return "true" if value else "false"


def _choice(choices: tuple[str, ...]) -> Kind:
    def parse(raw: object) -> str:
        if not isinstance(raw, str) or raw.strip().lower() not in choices:
            raise ValueError
        return raw.strip().lower()

    return Kind("|".join(choices), f"one of {', '.join(choices)}", parse)


def _list_of(parse_one: Callable[[str], str], unit: str, rule: str) -> Kind:
    def parse(raw: object) -> tuple[str, ...]:
        said = raw if isinstance(raw, list) else [raw]
        words = (word.strip() for text in said for word in _text_of(text).split(","))
        return tuple(parse_one(word) for word in words if word)

    return Kind(unit, rule, parse, ", ".join, is_list=True)


def _parse_network(text: str) -> str:
    return str(ipaddress.ip_network(text))


_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"((\*\.)?{_LABEL}(\.{_LABEL})*|\[[0-9a-f:.]+\])(:[0-9]{{1,5}})?")


def _parse_host(text: str) -> str:
    host = text.lower()
    if not _HOST.fullmatch(host):
        raise ValueError(text)
    return host


def _parse_text(raw: object) -> str:
    text = _text_of(raw).strip()
    if not text or not text.isprintable():
        raise ValueError
    return text


def _parse_path(raw: object) -> Path:
    try:
        return Path(_parse_text(raw)).expanduser()
    except RuntimeError as unknown_user:
        raise ValueError from unknown_user


def _parse_url(raw: object) -> str:
    text = _parse_text(raw).rstrip("/")
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or " " in text:
        raise ValueError
    return text


def _parse_token(raw: object) -> str:
    """The hash of a token: itself, it is kept nowhere."""
    token = _text_of(raw)
    if not re.fullmatch(rf"[!-~]{{{SHORTEST_TOKEN},}}", token):
        raise ValueError
    return hash_token(token)


def _parse_database(raw: object) -> DatabaseUrl:
    return parse_database_url(_parse_text(raw))


def _text_of(raw: object) -> str:
    if isinstance(raw, bool) or not isinstance(raw, str | int | Path):
        raise ValueError  # noqa: TRY004 - one kind of failure for every bad value
    return str(raw)


_SIZE = Kind(
    "size",
    "a size; write 1MiB, 500KB or a number of bytes",
    lambda raw: parse_size(_text_of(raw)),
    format_size,
    is_text=True,
)

_PLAIN: dict[object, Kind] = {
    str: Kind("text", "text", _parse_text),
    bool: Kind("true|false", "true or false", _parse_flag, _show_flag),
    Path: Kind("path", "a path", _parse_path),
}

_SPECIAL = {
    "URL": Kind("URL", "a URL without query; write https://queue.example.com", _parse_url),
    "networks": _list_of(_parse_network, "networks", "a list of networks; write 10.0.0.0/8, fd00::/8"),
    "key": Kind(
        "key",
        "32 bytes as base64 or hex; `openssl rand -base64 32` makes such a key",
        lambda raw: parse_secret_key(_text_of(raw)),
        lambda _: HIDDEN,
        is_secret=True,
        name_raw=lambda _: HIDDEN,
    ),
    "token": Kind(
        "token",
        f"{SHORTEST_TOKEN} or more printable characters without spaces; `openssl rand -hex 32` makes such a token",
        _parse_token,
        lambda _: HIDDEN,
        is_secret=True,
        name_raw=lambda _: HIDDEN,
    ),
    "database": Kind(
        "database URL",
        RULE,
        _parse_database,
        is_text=True,
        holds_secret=lambda url: isinstance(url, PostgresUrl) and url.has_password,
        name_raw=lambda raw: repr(redacted(raw)) if isinstance(raw, str) else HIDDEN,
    ),
    "hosts": _list_of(_parse_host, "hosts", "a list of hosts; write db.internal, web.internal:8000, *.lab"),
}
"""Kinds that a type alone does not tell; a field names its own in `Meta(extra={"kind": …})`."""
