"""What must be true of the gates of a store whatever was done to it, looked up in its rows."""

from outrider.store.sqlite import SqliteStore

MISCOUNTED = {
    "slots in use": """
        SELECT name, in_use, (SELECT count(*) FROM gated WHERE slot = q.id) AS found FROM queues AS q
        WHERE in_use <> found
    """,
    "waiting in line": """
        SELECT name, waiting, (SELECT count(*) FROM gated WHERE line = q.id) AS found FROM queues AS q
        WHERE waiting <> found
    """,
    "in flight": """
        SELECT key, in_flight, (SELECT count(*) FROM gated WHERE admitted = k.id) AS found FROM flow_keys AS k
        WHERE in_flight <> found
    """,
    "waiting on the list": """
        SELECT key, waiting, (SELECT count(*) FROM gated WHERE wait_list = k.id) AS found FROM flow_keys AS k
        WHERE waiting <> found
    """,
}

MISPLACED = {
    "waits without being held": """
        SELECT m.id, m.state FROM gated AS g JOIN messages AS m ON m.seq = g.message
        WHERE (g.line IS NOT NULL OR g.wait_list IS NOT NULL) AND m.state <> 'held'
    """,
    "held but waits for nothing, or twice": """
        SELECT m.id, g.line, g.wait_list FROM messages AS m LEFT JOIN gated AS g ON g.message = m.seq
        WHERE m.state = 'held' AND (g.line IS NULL) = (g.wait_list IS NULL)
    """,
    "admitted but not on its way": """
        SELECT m.id, m.state FROM gated AS g JOIN messages AS m ON m.seq = g.message
        WHERE g.admitted IS NOT NULL AND (m.state NOT IN ('due', 'leased') OR g.wait_list IS NOT NULL)
    """,
    "leased past a key that did not admit it": """
        SELECT m.id FROM messages AS m LEFT JOIN gated AS g ON g.message = m.seq
        WHERE m.state = 'leased' AND m.flow_key IS NOT NULL AND g.admitted IS NULL
    """,
    "on its way past a queue that gave it no slot": """
        SELECT m.id, m.state FROM messages AS m JOIN queues AS q ON q.tenant = m.tenant AND q.name = m.queue
        LEFT JOIN gated AS g ON g.message = m.seq
        WHERE m.finished_at IS NULL AND g.slot IS NULL AND g.line IS NULL
    """,
    "holds a slot though it is finished": """
        SELECT m.id, m.state FROM gated AS g JOIN messages AS m ON m.seq = g.message
        WHERE m.finished_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM gated AS report WHERE report.source = g.message)
    """,
    "finished but still reporting": """
        SELECT m.id FROM gated AS g JOIN messages AS m ON m.seq = g.message
        WHERE g.source IS NOT NULL AND m.finished_at IS NOT NULL
    """,
}

STALLED = """
    SELECT name FROM queues WHERE waiting > 0 AND NOT paused AND in_use < parallelism AND opens_at IS NULL
    UNION ALL
    SELECT key FROM flow_keys WHERE opens_at IS NULL AND waiting > 0 AND NOT paused
      AND (parallelism IS NULL OR in_flight < parallelism)
    UNION ALL
    SELECT key FROM flow_keys WHERE opens_at IS NOT NULL AND (waiting = 0 OR paused)
"""


async def check_gates(store) -> None:
    """Counts are what the rows say, nobody stands in two places, and whatever may pass will be found."""
    assert isinstance(store, SqliteStore), "another store needs an inspection of its own"
    queries = {**MISCOUNTED, **MISPLACED, "waits though there is room": STALLED}
    found = await store._writer.write(lambda c: {what: c.execute(sql).fetchall() for what, sql in queries.items()})
    assert not any(found.values()), {what: rows for what, rows in found.items() if rows}


class Inspected:
    """A store whose gates are inspected after everything that is done with it."""

    def __init__(self, store) -> None:
        self._store = store

    def __getattr__(self, name):
        method = getattr(self._store, name)

        async def inspected(*args, **options):
            try:
                return await method(*args, **options)
            finally:
                await check_gates(self._store)

        return inspected
