"""The store that nodes share: a PostgreSQL database.

store.py        PostgresStore: how an operation of store/relational gets a transaction
connection.py   what an operation sees of the database
lanes.py        group commit over a few connections; how much may wait
transactions.py when a transaction is run again, and how the outcome of a lost COMMIT is learned
pool.py session.py
                connections that are kept open; the transactions on one of them
database.py     what kind of database it is, and how connections are opened
partitions.py   the days that the log and what is finished are kept in
notifier.py     what nodes tell one another
failures.py     the errors of asyncpg and the network as ours
queries/        the SQL, named and described; queries.py gives it its parameters
migrations/     the schema; migrations.py applies it
"""

from outrider.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
