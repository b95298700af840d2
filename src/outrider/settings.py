"""Every setting, declared once: name, type, default, unit, environment name, help.

`Settings` (and `Limits`, whose fields are settings too) is the table; the command line's flags,
`outrider config show`, `docs/settings.md` and every check are derived from it. A field's name
ends in `_ms` or `_bytes` where a person writes a duration or a size; the setting's name does not.

Layers, each over the one before:

    default < preset of the plan (limits) < outrider.toml < environment OUTRIDER_<NAME> < flags
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, structs

from outrider.database_url import DatabaseUrl, PostgresUrl, SqliteFile
from outrider.domain.addresses import AddressPolicy
from outrider.domain.errors import Misconfigured
from outrider.domain.instant import SECOND_MS
from outrider.domain.limits import Limits, Plan, limits_of
from outrider.sealing import SecretKey
from outrider.setting import Setting, declared_in

CONFIG_FILE = "outrider.toml"
"""Read from the current folder unless another file is named."""

CONFIG_VARIABLE = "OUTRIDER_CONFIG"

_OF_THE_BUILD = "OUTRIDER_NO_CONSOLE"
"""Makes a package without the console (`hatch_build.py`), and may still be set when the server starts."""

Mode = Literal["dev", "serve"]


class Settings(Struct, frozen=True, kw_only=True):
    """What an operator can choose. Spans in milliseconds; `limits` is final: preset and overrides."""

    host: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port to listen on; 0 takes a free one")] = 8080
    workers: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="processes of `serve` that share port and database, to use as many cores; bounds such as "
            "`max_in_flight` are of each",
        ),
    ] = 1
    data: Annotated[Path, Meta(description="folder of the database file, made if missing")] = Path(".outrider")
    database: Annotated[
        SqliteFile | PostgresUrl | None,
        Meta(
            description="database that nodes share, or another file; none: the file outrider.db in `data`. A flag may "
            "not hold a password, which every process could read: set OUTRIDER_DATABASE, or PGPASSWORD beside it",
            extra={"kind": "database"},
        ),
    ] = None
    database_connections: Annotated[
        int,
        Meta(
            ge=3,
            description="most connections of a node for messages to a PostgreSQL database; one more is for itself",
        ),
    ] = 10
    database_mode: Annotated[
        Literal["auto", "full", "portable"],
        Meta(
            description="what is asked of a PostgreSQL database: `portable` does without notifications, advisory locks "
            "and partitions, as CockroachDB, YugabyteDB, Citus and poolers need it; `auto` finds out"
        ),
    ] = "auto"
    database_wait_ms: Annotated[
        int, Meta(description="how long a start waits for a PostgreSQL database that cannot be reached yet")
    ] = 60 * SECOND_MS
    node_lease_ms: Annotated[
        int,
        Meta(
            ge=SECOND_MS,
            description="how long a node that is not heard of counts as alive, where nodes share a database; "
            "afterwards others deliver what it held",
        ),
    ] = 6 * SECOND_MS
    plan: Annotated[Plan, Meta(description="preset of limits; `payg` and `pro` are names of `hosted`")] = "default"
    public_url: Annotated[
        str | None,
        Meta(
            description="URL under which clients reach the server, printed as QSTASH_URL; none: where it listens",
            extra={"kind": "URL"},
        ),
    ] = None
    drain_timeout_ms: Annotated[
        int, Meta(description="how long running requests and deliveries may take to end when the server stops")
    ] = 25 * SECOND_MS
    max_in_flight: Annotated[int, Meta(ge=1, description="most messages held for delivery at once")] = 1000
    max_in_flight_per_host: Annotated[int, Meta(ge=1, description="most deliveries to one host at once")] = 200
    max_pending: Annotated[
        int, Meta(ge=1, description="most messages waiting for the store; beyond it publishing answers 503")
    ] = 10_000
    max_connections: Annotated[
        int,
        Meta(
            ge=1,
            description="most connections of clients at once; one more takes the place of the one that has waited "
            "longest for a request, or is answered 503 if all have requests under way. Fewer, and a lower "
            "`max_in_flight`, where the file descriptors of the process are too few for both",
        ),
    ] = 4000
    schedule_catch_up: Annotated[
        bool,
        Meta(description="whether a schedule whose last trigger was missed fires late, if it is not yet a period late"),
    ] = True
    allow_http: Annotated[bool, Meta(description="whether destinations may be http:// (dev: always)")] = False
    allow_networks: Annotated[
        tuple[str, ...],
        Meta(description="private networks that destinations may be in", extra={"kind": "networks"}),
    ] = ()
    allow_hosts: Annotated[
        tuple[str, ...],
        Meta(description="destination hosts allowed whatever their addresses are", extra={"kind": "hosts"}),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(description="networks of proxies whose X-Forwarded-For is believed", extra={"kind": "networks"}),
    ] = ()
    log_format: Annotated[
        Literal["auto", "text", "json"], Meta(description="form of log lines; `auto` is text on a terminal, else JSON")
    ] = "auto"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="least severe log lines that are written")
    ] = "info"
    secret_key: Annotated[
        SecretKey | None,
        Meta(
            description="key that secrets in the store are encrypted with, the same for all nodes; none: one is made "
            "and kept in the file secret.key in `data`",
            extra={"kind": "key"},
        ),
    ] = None
    metrics: Annotated[bool, Meta(description="whether metrics are served")] = True
    metrics_token: Annotated[
        str | None,
        Meta(
            description="token that `GET /metrics` asks for, as `Authorization: Bearer`; none: anybody may read them",
            extra={"kind": "token"},
        ),
    ] = None
    console: Annotated[bool, Meta(description="whether the console is served, at `/console`, to browsers")] = True
    limits: Limits = Limits()

    def address_policy(self, mode: Mode) -> AddressPolicy:
        """What may be called."""
        if mode == "dev":
            return AddressPolicy.development(allowed_networks=self.allow_networks, allowed_hosts=self.allow_hosts)
        return AddressPolicy.production(
            allow_http=self.allow_http, allowed_networks=self.allow_networks, allowed_hosts=self.allow_hosts
        )

    def database_of(self, mode: Mode) -> DatabaseUrl:
        """The database. Where none is chosen, development has its own file, for its tokens are public."""
        return self.database or SqliteFile(self.data / ("dev.db" if mode == "dev" else "outrider.db"))


class Loaded(Struct, frozen=True):
    """The settings, and where the value of each came from.

    Attributes:
        origins: by setting name: `default`, `plan hosted`, `outrider.toml`, `environment OUTRIDER_PORT`,
            `flag --port`.
    """

    settings: Settings
    origins: Mapping[str, str]


SETTINGS: tuple[Setting, ...] = declared_in(Settings) + declared_in(Limits, prefix="limits.")
"""Every setting, in the order of the declarations."""

_BY_NAME = {setting.name: setting for setting in SETTINGS}
_BY_VARIABLE = {setting.variable: setting for setting in SETTINGS}


class Said(Struct, frozen=True):
    """One raw value for a setting, and where it was said."""

    setting: Setting
    raw: object
    origin: str

    def value(self) -> object:
        """What was said. Raises Misconfigured, also for a flag that holds a secret."""
        value = self.setting.parse(self.raw, self.origin)
        if self.origin.startswith("flag ") and self.setting.kind.holds_secret(value):
            raise Misconfigured(
                f"{self.setting.name} '{self.setting.show(value)}' ({self.origin}) holds a password, and every process "
                "of this machine can read the flags of the others",
                hint=f"set {self.setting.variable} instead, or leave the password out and set PGPASSWORD",
            )
        return value


def load_settings(flags: Mapping[str, object], environ: Mapping[str, str], config_file: Path | None = None) -> Loaded:
    """Lay the layers over one another.

    Args:
        flags: by setting name; None is a flag that was not given.
        environ: the environment; an empty variable counts as not set.
        config_file: the file to read; else the one OUTRIDER_CONFIG names, else `outrider.toml` if there is one.

    Raises:
        Misconfigured: naming the unknown setting, or the value, its rule and where it was said.
    """
    said: dict[str, Said] = {}
    for one in (*_said_in_file(config_file, environ), *_said_in_environment(environ), *_said_by_flags(flags)):
        said[one.setting.name] = one
    values = {name: one.value() for name, one in said.items()}
    plan: Plan = values.get("plan", "default")  # type: ignore[assignment] # parsed by its own setting
    origins = {setting.name: _unsaid_origin(setting, plan) for setting in SETTINGS}
    origins.update((name, one.origin) for name, one in said.items())
    limits = structs.replace(limits_of(plan), **_fields_of(Limits, values))
    limits = _with_default_timeout_in_bounds(limits, origins)
    return Loaded(structs.replace(Settings(limits=limits), **_fields_of(Settings, values)), origins)


def database_of_flag(flag: str, raw: str) -> DatabaseUrl:
    """A database that a flag of its own names. Raises Misconfigured as for the setting."""
    value = Said(_BY_NAME["database"], raw, f"flag {flag}").value()
    if not isinstance(value, SqliteFile | PostgresUrl):
        raise Misconfigured(f"{flag} {raw!r} names no database; leave it out for the default")
    return value


def value_of(setting: Setting, settings: Settings) -> object:
    """The value of a setting, as its field holds it."""
    return getattr(settings.limits if setting.owner is Limits else settings, setting.field)


def _said_in_file(config_file: Path | None, environ: Mapping[str, str]) -> Iterator[Said]:
    path = config_file or (Path(named) if (named := environ.get(CONFIG_VARIABLE)) else None)
    if path is None:
        path = Path(CONFIG_FILE)
        if not path.exists():
            return
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as failure:
        raise Misconfigured(
            f"settings file '{path}' cannot be read: {failure.strerror}",
            hint=f"name an existing file with --config or {CONFIG_VARIABLE}",
        ) from None
    except ValueError as failure:
        raise Misconfigured(f"settings file '{path}' is not TOML: {failure}") from None
    limits = document.pop("limits", {})
    if not isinstance(limits, dict):
        raise Misconfigured(f"limits {limits!r} ({path}) is not a table; write [limits] and a line for each")
    for name, raw in (*document.items(), *((f"limits.{name}", raw) for name, raw in limits.items())):
        yield Said(_known(name, _BY_NAME, f"setting '{name}' ({path})"), raw, str(path))


def _said_in_environment(environ: Mapping[str, str]) -> Iterator[Said]:
    for variable, raw in environ.items():
        if not variable.startswith("OUTRIDER_") or variable in {CONFIG_VARIABLE, _OF_THE_BUILD} or not raw:
            continue
        if _is_service_link(variable, raw):
            continue
        setting = _known(variable, _BY_VARIABLE, f"environment variable {variable}")
        yield Said(setting, raw, f"environment {variable}")


def _said_by_flags(flags: Mapping[str, object]) -> Iterator[Said]:
    for name, raw in flags.items():
        if raw is not None:
            setting = _known(name, _BY_NAME, f"flag '{name}'")
            yield Said(setting, raw, f"flag {setting.flag}")


def _known(name: str, table: Mapping[str, Setting], what: str) -> Setting:
    setting = table.get(name)
    if setting is None:
        closest = difflib.get_close_matches(name, table, n=1, cutoff=0.5)
        raise Misconfigured(
            f"{what} is unknown" + (f"; did you mean {closest[0]}?" if closest else ""),
            hint="`outrider config show` lists every setting",
        )
    return setting


_SERVICE_LINK = re.compile(r"OUTRIDER_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")


def _is_service_link(variable: str, raw: str) -> bool:
    """Whether Kubernetes set it: every pod gets such variables for a Service named `outrider` or `outrider-…`."""
    is_link = _SERVICE_LINK.fullmatch(variable) is not None
    return is_link or (variable.endswith("_PORT") and raw.startswith(("tcp://", "udp://", "sctp://")))


def _unsaid_origin(setting: Setting, plan: Plan) -> str:
    differs = setting.owner is Limits and getattr(limits_of(plan), setting.field) != setting.default
    return f"plan {plan}" if differs else "default"


def _fields_of(owner: type[Struct], values: Mapping[str, object]) -> dict[str, object]:
    return {_BY_NAME[name].field: value for name, value in values.items() if _BY_NAME[name].owner is owner}


def _with_default_timeout_in_bounds(limits: Limits, origins: dict[str, str]) -> Limits:
    """Who lowers `timeout` alone lowers the default timeout with it; who sets both must be consistent."""
    if limits.default_timeout_ms <= limits.timeout_ms:
        return limits
    default, longest = _BY_NAME["limits.default_timeout"], _BY_NAME["limits.timeout"]
    if origins[default.name] == "default" or origins[default.name].startswith("plan "):
        origins[default.name] = origins[longest.name]
        return structs.replace(limits, default_timeout_ms=limits.timeout_ms)
    raise Misconfigured(
        f"{default.name} {default.show(limits.default_timeout_ms)} ({origins[default.name]}) is over "
        f"{longest.name} {longest.show(limits.timeout_ms)} ({origins[longest.name]})",
        hint=f"raise {longest.name} or lower {default.name}",
    )
