"""The embedded store: everything in one SQLite file.

store.py       SqliteStore: the Store protocol, one line or two a method
writer.py      the one thread that writes; group commit
readers.py     the threads that read, each from its own snapshot
database.py    how connections are opened; what is done when one fails
messages.py settlements.py cancellations.py log.py dead_letters.py tenants.py upkeep.py
url_groups.py schedules.py usage.py
               what is done inside a transaction
gates.py       what queues and flow-control keys hold back and let through; queues.py flow_keys.py
rows.py        values as rows and back
filters.py     the conditions of a query, and its cursors
queries/       the SQL, named and described; queries.py loads it
migrations/    the schema; migrations.py applies it
"""

from outrider.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
