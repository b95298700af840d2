"""The embedded store: everything in one SQLite file.

store.py       SqliteStore: how an operation of store/relational gets a transaction
connection.py  what an operation sees of the database
writer.py      the one thread that writes; group commit
readers.py     the threads that read, each from its own snapshot
database.py    how connections are opened; what is done when one fails
failures.py    SQLite's errors as ours
lock.py        one process serves, or several of which one at a time writes
bells.py       what those tell one another
queries/       the SQL, named and described; queries.py makes statements of many rows
migrations/    the schema; migrations.py applies it
"""

from outrider.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
