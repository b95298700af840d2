"""What asyncpg and the network raise, as ours: what may be tried again, and what people are told."""

from __future__ import annotations

import asyncpg

from outrider.domain.errors import Malformed, OutriderError, StoreUnavailable
from outrider.store.postgres.connection import UnknownTenant

FAILURES: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What a database and the way to it may raise."""

LOST: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InternalClientError,
)
"""After these a connection is not to be used any more, and what became of its transaction is not known."""

_CONFLICTS = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidCachedStatementError,
)

_OF_THE_SERVER = frozenset({"08", "25", "28", "3D", "40", "53", "55", "57", "58", "XX"})
"""Classes of SQLSTATE that say nothing against the operation."""

_REMEDIES = {
    "28": "check the user and the password in the database's URL",
    "3D": "create the database, or name another in its URL",
    "42501": "give the user the rights to the tables and the schema that it needs",
    "53100": "free some space on the database server; the store goes on by itself",
    "53300": "raise max_connections of the server, or lower database_connections",
    "55P03": "another transaction holds a lock for long; try again",
    "57014": "the database is slow or something blocks it; see pg_stat_activity",
    "25006": "this server is read-only, as a standby is; connect to the primary",
    "57P03": "the server is starting or stopping; try again",
}


def is_lost(failure: BaseException) -> bool:
    """Whether the connection is gone, or as good as that."""
    if isinstance(failure, asyncpg.QueryCanceledError):
        return False
    if isinstance(failure, asyncpg.InterfaceError):
        return not isinstance(failure, ValueError)
    return isinstance(failure, LOST)


def is_conflict(failure: BaseException) -> bool:
    """Whether the transaction was rolled back for the sake of others, and may be run again."""
    return isinstance(failure, _CONFLICTS)


def is_double(failure: BaseException) -> bool:
    """Whether something is there already that was not when it was looked for: who comes again finds it, and says so."""
    return isinstance(failure, asyncpg.UniqueViolationError)


def is_read_only(failure: BaseException) -> bool:
    """Whether this server takes no writes, as a primary that has become a standby."""
    return isinstance(failure, asyncpg.ReadOnlySQLTransactionError)


def lacks_partition(failure: BaseException) -> bool:
    """Whether a row found no partition."""
    return isinstance(failure, asyncpg.CheckViolationError) and failure.constraint_name in {
        None,
        "messages_unfinished_finished_at_check",
    }


def needs_operator(failure: BaseException) -> bool:
    """Whether waiting would not mend it: the user, the password, the database or a right is missing."""
    state = getattr(failure, "sqlstate", None) or ""
    return state[:2] in {"28", "3D"} or state in {"42501", "0A000"}


def harms_everybody(failure: BaseException) -> bool:
    """Whether any other operation would fail alike: there is no use in trying them one by one."""
    return (
        isinstance(failure, StoreUnavailable)
        or is_lost(failure)
        or is_read_only(failure)
        or (isinstance(failure, asyncpg.PostgresError) and (failure.sqlstate or "")[:2] in {"53", "57", "58", "XX"})
    )


def translate(failure: BaseException, where: str) -> BaseException:
    """What the caller of an operation is told of its failure; faults of ours stay as they are."""
    if isinstance(failure, OutriderError):
        return failure
    if isinstance(failure, UnknownTenant):
        return failure.as_refusal()
    if isinstance(failure, asyncpg.ForeignKeyViolationError):
        return UnknownTenant().as_refusal()
    if isinstance(failure, asyncpg.CharacterNotInRepertoireError | asyncpg.UntranslatableCharacterError):
        return Malformed("text holds the character NUL, which cannot be stored", code="text_malformed")
    state = getattr(failure, "sqlstate", None) or ""
    if is_lost(failure) or state[:2] in _OF_THE_SERVER or state == "42501":
        return unavailable(failure, where)
    return failure


def unavailable(failure: BaseException, where: str) -> StoreUnavailable:
    state = getattr(failure, "sqlstate", None) or ""
    return StoreUnavailable(
        f"the store at '{where}' cannot be used now: {_said(failure)}",
        hint=_REMEDIES.get(state) or _REMEDIES.get(state[:2]) or "see that the database runs and can be reached",
    )


def _said(failure: BaseException) -> str:
    """One line; asyncpg adds details, which may hold values of rows."""
    words = str(failure.args[0]) if failure.args and isinstance(failure.args[0], str) else str(failure)
    return words.splitlines()[0] if words else type(failure).__name__
