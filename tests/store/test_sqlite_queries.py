"""How the rows of a group become statements."""

import sqlite3

import pytest

from outrider.store.sqlite.connection import SqliteConnection
from outrider.store.sqlite.queries import MOST_ROWS, chunks


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 61, 127, MOST_ROWS, MOST_ROWS + 1, 1000])
def test_every_row_is_in_one_statement_in_order(rows):
    assert [row for start, end in chunks(rows) for row in range(start, end)] == list(range(rows))


def test_statements_are_few_and_of_few_sizes():
    cut = [[end - start for start, end in chunks(rows)] for rows in range(1, MOST_ROWS + 1)]
    assert max(map(len, cut)) <= 3
    assert len({size for sizes in cut for size in sizes}) == 24


def test_none_is_bound_as_null():
    connection = SqliteConnection(sqlite3.connect(":memory:"))
    assert connection.raw.execute("SELECT ? IS NULL", (None,)).fetchone() == (1,)
