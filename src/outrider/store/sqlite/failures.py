"""SQLite's errors, as ours: which mean that nothing can be stored now, and what to do about one."""

from __future__ import annotations

import sqlite3

from outrider.domain.errors import NotFound, StoreUnavailable

_OF_THE_DISK = frozenset(
    {
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
    }
)
_OF_ANYBODY = _OF_THE_DISK | {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM}

_REMEDIES = {
    sqlite3.SQLITE_FULL: "free some space; the store goes on by itself",
    sqlite3.SQLITE_BUSY: "another process is writing to it for long; try again",
    sqlite3.SQLITE_CORRUPT: "stop the server and restore a backup",
    sqlite3.SQLITE_NOTADB: "this file is something else; choose another data folder",
    sqlite3.SQLITE_READONLY: "make the file and its folder writable",
}


def translate(failure: BaseException, where: str) -> BaseException:
    """What the caller of an operation is told of its failure; faults of ours stay as they are."""
    if isinstance(failure, sqlite3.IntegrityError):
        if _code_of(failure, whole=True) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
            return NotFound("the tenant does not exist any more", code="tenant_not_found")
        return failure
    if type(failure) in {sqlite3.OperationalError, sqlite3.DatabaseError}:
        return StoreUnavailable(
            f"the store at '{where}' cannot be used now: {failure}", hint=_REMEDIES.get(_code_of(failure))
        )
    return failure


def harms_everybody(failure: BaseException) -> bool:
    """Whether any other operation would fail alike: there is no use in trying them one by one."""
    return _code_of(failure) in _OF_ANYBODY


def needs_new_connection(failure: BaseException) -> bool:
    """Whether the connection is not to be trusted after this."""
    return _code_of(failure) in _OF_THE_DISK


def _code_of(failure: BaseException, *, whole: bool = False) -> int:
    code = getattr(failure, "sqlite_errorcode", 0)
    # An extended code has the primary one in its lowest byte.
    return code if whole else code & 0xFF
