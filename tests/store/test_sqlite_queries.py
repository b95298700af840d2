"""How the rows of a group become statements."""

import sqlite3

import pytest
from tests.factories import NOW, TENANT, make_message

from outrider.domain.hosts import EVERY_HOST
from outrider.store.relational.turns import look_at_lanes
from outrider.store.sqlite.connection import SqliteConnection, run_now
from outrider.store.sqlite.migrations import migrate
from outrider.store.sqlite.queries import MOST_ROWS, chunks


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 61, 127, MOST_ROWS, MOST_ROWS + 1, 1000])
def test_every_row_is_in_one_statement_in_order(rows):
    assert [row for start, end, _ in chunks(rows) for row in range(start, end)] == list(range(rows))


def test_statements_are_few_and_of_few_sizes():
    for rows in range(1, MOST_ROWS + 1):
        ((start, end, size),) = chunks(rows)
        assert end - start <= size < 1.25 * (end - start)
    assert len({size for rows in range(1, MOST_ROWS + 1) for _, _, size in chunks(rows)}) == 24


def test_rows_that_fill_up_a_statement_change_nothing():
    connection = SqliteConnection(sqlite3.connect(":memory:"))
    migrate(connection.raw)
    rows = [(number, None, None, None, None, None, None) for number in range(9)]
    run_now(connection.insert("write_standings", rows))
    assert connection.raw.execute("SELECT message FROM gated").fetchall() == [(number,) for number in range(9)]


def test_none_is_bound_as_null():
    connection = SqliteConnection(sqlite3.connect(":memory:"))
    assert connection.raw.execute("SELECT ? IS NULL", (None,)).fetchone() == (1,)


def test_look_at_lanes_costs_the_same_however_much_waits_in_them():
    few, many = (steps_of_looking_at_lanes(messages) for messages in (4, 4_000))
    assert many == few


def steps_of_looking_at_lanes(messages):
    """What the machine of SQLite does for a look from the middle of them, while so many messages are due in each."""
    connection = SqliteConnection(sqlite3.connect(":memory:"))
    migrate(connection.raw)
    connection.raw.execute("INSERT INTO tenants (id, name, created_at) VALUES (?, 'one', 1)", (TENANT,))
    waiting = [make_message(url=f"https://host{number % 4}.example/") for number in range(4 * messages)]
    for start in range(0, len(waiting), MOST_ROWS):
        run_now(connection.insert_messages(waiting[start : start + MOST_ROWS]))
    steps = 0

    def count():
        nonlocal steps
        steps += 1

    connection.raw.set_progress_handler(count, 1)
    seen = run_now(look_at_lanes(connection, (TENANT, "host1.example"), EVERY_HOST)).due(NOW)
    connection.raw.close()
    assert seen == [(TENANT, f"host{number}.example") for number in (2, 3, 0, 1)]
    return steps
