"""The store that the settings name, opened, and whether this process may use it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from outrider.database_url import DatabaseUrl, PostgresUrl, SqliteFile
from outrider.domain.errors import Misconfigured
from outrider.ports import Store
from outrider.sealing import SecretKey
from outrider.secret_key import FILE, fingerprint_of, keep_secret_key
from outrider.settings import Mode, Settings

if TYPE_CHECKING:
    from outrider.store.sqlite.bells import Bell
    from outrider.store.sqlite.lock import ServingLock

ADMINISTRATION_CONNECTIONS = 3
"""What a command needs of a database that others use as well."""

USE = "use"
"""The fact that says what a database is for: `serve`, `dev`, or `copy` while one to it is unfinished."""

COPYING = "copy"

KEY_FINGERPRINT = "secret_key_fingerprint"


def serving_lock(database: DatabaseUrl) -> ServingLock | None:
    """The lock of the one that serves from a file, taken; None for a server's database, which has many nodes.

    Raises Misconfigured if another process has it.
    """
    match database:
        case SqliteFile(path):
            from outrider.store.sqlite.lock import ServingLock  # noqa: PLC0415 - `outrider --help` needs no database

            make_folder(path.parent)
            lock = ServingLock(path)
            lock.acquire()
            return lock
        case PostgresUrl():
            return None


async def open_store(
    database: DatabaseUrl,
    settings: Settings,
    *,
    serving: bool,
    migrate: bool = True,
    lock: ServingLock | None = None,
    bell: Bell | None = None,
) -> Store:
    """Open a database. A file is made if it is not there, and brought up to date unless somebody serves from it.

    Args:
        database: where.
        settings: how many connections, and what may wait.
        serving: whether to deliver from it, rather than to administer it beside those who do.
        migrate: whether the schema on a server is brought up to date.
        lock: of the one that serves from a file, if the caller has it and keeps it.
        bell: of a worker, which serves from a file together with others.

    Raises Misconfigured, naming the remedy, for what waiting would not mend, and StoreUnavailable.
    """
    match database:
        case SqliteFile(path):
            from outrider.store.sqlite import SqliteStore  # noqa: PLC0415 - `outrider --help` needs no database

            make_folder(path.parent)
            exclusive = serving and bell is None
            return await SqliteStore.open(
                path, max_pending=settings.max_pending, exclusive=exclusive, lock=lock, bell=bell
            )
        case PostgresUrl():
            from outrider.store.postgres import PostgresStore  # noqa: PLC0415 - one database is enough

            return await PostgresStore.open(
                database.dsn.text,
                connections=settings.database_connections if serving else ADMINISTRATION_CONNECTIONS,
                mode=settings.database_mode,
                max_pending=settings.max_pending,
                migrate=migrate,
            )


def make_folder(folder: Path) -> Path:
    """The folder, for its owner alone if it had to be made. Raises Misconfigured."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as failure:
        raise Misconfigured(
            f"the folder '{folder}' cannot be made: {failure.strerror}",
            code="folder_unusable",
            hint="choose another with --data, or make it",
        ) from None
    return folder


async def claim(store: Store, database: DatabaseUrl, mode: Mode) -> None:
    """See to it that a database serves one mode for ever: public tokens never exist beside real ones.

    Raises Misconfigured if it serves the other, or a copy to it is unfinished.
    """
    use = await store.keep_fact(USE, mode)
    if use == COPYING:
        raise Misconfigured(
            f"a copy to the database {database} is unfinished, and it cannot be used before",
            code="copy_unfinished",
            hint="run the same `outrider copy` again: it goes on where it stopped",
        )
    if use != mode:
        raise Misconfigured(
            f"the database {database} was made by `outrider {use}`, and `outrider {mode}` has one of its own: the "
            "tokens of development are public",
            code="database_of_other_mode",
            hint="give --database another one; with none, each has its own file"
            if mode == "dev"
            else "set OUTRIDER_DATABASE to another one",
        )


async def secret_key_of(store: Store, database: DatabaseUrl, settings: Settings) -> SecretKey:
    """The secret key of all nodes: as it is set, or that of the data folder, where one is made at first use.

    Raises Misconfigured if it cannot be read, or is not that of the other nodes.
    """
    key = settings.secret_key or keep_secret_key(make_folder(settings.data))
    await check_secret_key(store, database, key)
    return key


async def check_secret_key(store: Store, database: DatabaseUrl, key: SecretKey) -> None:
    """See to it that all nodes have the same key. Raises Misconfigured for one that is not the first node's."""
    fingerprint = fingerprint_of(key)
    first = await store.keep_fact(KEY_FINGERPRINT, fingerprint)
    if first != fingerprint:
        raise Misconfigured(
            f"the secret key of this node (fingerprint {fingerprint[:12]}) is not that of the database {database} "
            f"({first[:12]}); all nodes need the same to open signing keys and destination profiles",
            code="secret_key_differs",
            hint=f"copy {FILE} from the data folder of a node that runs, or set OUTRIDER_SECRET_KEY to its content; if "
            "that key is lost, `outrider db forget-key` lets this one take its place",
        )
