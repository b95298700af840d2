"""What is found when a database is looked at: the same for every kind."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from outrider.domain.instant import Instant


class Schema(Struct, frozen=True):
    """How far the schema of a database is.

    Attributes:
        version: steps applied; 0 where there is nothing.
        steps: the names of all that this release knows, in order.
    """

    version: int
    steps: Sequence[str]

    @property
    def pending(self) -> Sequence[str]:
        return self.steps[self.version :]

    @property
    def is_newer(self) -> bool:
        """Whether a later release made it."""
        return self.version > len(self.steps)


class Product(Struct, frozen=True):
    """What the database is.

    Attributes:
        name: with its version.
        mode: of PostgreSQL; what the schema was made for.
    """

    name: str
    mode: str | None = None

    def facts(self, wanted_mode: str) -> dict[str, str]:
        """For the log: also why it is that mode."""
        if self.mode is None:
            return {"server": self.name}
        reason = "this is PostgreSQL itself" if self.mode == "full" else "this is not PostgreSQL itself"
        return {
            "server": self.name,
            "mode": self.mode,
            "because": reason if wanted_mode == "auto" else f"database_mode is {wanted_mode}",
        }


class NodeCondition(Struct, frozen=True):
    """A node that is entered.

    Attributes:
        up_ms: how long ago it joined.
        left_ms: how much of its lease is left; less than nothing: it counts as dead.
        leased: messages it holds.
    """

    id: str
    up_ms: int
    left_ms: int
    leased: int


class PartitionCondition(Struct, frozen=True):
    """A partition of a table, its indexes counted in."""

    name: str
    size_bytes: int


class Condition(Struct, frozen=True, kw_only=True):
    """A database as it stands.

    Attributes:
        database: where, without a password.
        server: the product and its version.
        mode: `full` or `portable`, of PostgreSQL.
        use: `serve`, `dev`, or `copy` while one to it is unfinished; None where nobody has started on it.
        looked_at: by the database's clock.
        unfinished: messages on their way; its parts are `due` (nothing but time holds them back), `held` (by a gate)
            and `leased`.
        overdue: of the due ones, those whose time has come.
    """

    database: str
    server: str
    mode: str | None = None
    use: str | None = None
    schema_version: int
    schema_pending: Sequence[str]
    size_bytes: int
    looked_at: Instant
    unfinished: int = 0
    due: int = 0
    overdue: int = 0
    held: int = 0
    leased: int = 0
    nodes: Sequence[NodeCondition] = ()
    partitions: Sequence[PartitionCondition] = ()


class Finding(Struct, frozen=True):
    """One line of a check: what was looked at, and what is wrong with it; nothing is, where there is no fault."""

    check: str
    subject: str
    fault: str | None = None
