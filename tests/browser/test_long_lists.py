"""A log of many messages is scrolled smoothly: what the browser holds, asks for and shifts does not grow with it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.browser.console import SILENT, Console
from tests.e2e.calls import publish
from tests.e2e.server_process import ServerProcess

MESSAGES = 20_000
SCROLLED = 5_000
"""Rows that a person goes through; every one of them is read."""

PAGE_ROWS = 100
ROW_PX = 40
AHEAD_ROWS = 150
AHEAD_PAGES = 4
"""Pages that are read before they are seen, and the one that is read again when the log changes at its start."""

MOST_ROWS = 60
"""Elements for rows, in a window that shows about 16 of them."""

MOST_SHIFT = 0.001
LONGEST_TASK_MS = 1_000
"""Far above what it takes, so that a busy machine does not fail; far below what drawing all rows would."""

WATCH = """
globalThis.seen = { shift: 0, longest: 0 }
new PerformanceObserver((list) => {
  for (const { value } of list.getEntries()) seen.shift += value
}).observe({ type: 'layout-shift' })
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) seen.longest = Math.max(seen.longest, duration)
}).observe({ type: 'longtask' })
"""


READ_AHEAD = f"grid => grid.scrollHeight - grid.scrollTop - grid.clientHeight >= {AHEAD_ROWS * ROW_PX}"


@pytest.fixture(scope="module")
def long_log(tmp_path_factory, ledger) -> Iterator[ServerProcess]:
    """A server whose log has one delivered message many times over."""
    server = ServerProcess(tmp_path_factory.mktemp("long"), "serve")
    try:
        server.start()
        message = publish(server, ledger.url("/long"))
        ledger.wait_until(lambda: bool(ledger.requests(message_id=message)), "the message is delivered")
        server.terminate()
        with sqlite3.connect(server.database) as database:
            multiply(database, message)
        database.close()
        yield server.start()
    finally:
        server.stop()


def multiply(database: sqlite3.Connection, message: str) -> None:
    """Store a message and its entries MESSAGES times, each copy 10 ms before the last."""
    (seq,) = database.execute("SELECT seq FROM messages WHERE id = ?", [message]).fetchone()
    moved = {
        "messages": {"seq": "o.seq + i", "id": "substr(o.id, 1, length(o.id) - 6) || printf('%06d', i)"},
        "events": {"id": "NULL", "message": "o.message + i"},
    }
    times = {"created_at", "finished_at", "not_before", "due_at", "time"}
    for table, key in (("messages", "seq"), ("events", "message")):
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        values = [moved[table].get(one, f"o.{one} - 10 * i" if one in times else f"o.{one}") for one in columns]
        database.execute(
            f"""
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MESSAGES})
            INSERT INTO {table} ({", ".join(columns)})
            SELECT {", ".join(values)} FROM n, {table} AS o WHERE o.{key} = ?
            """,
            [seq],
        )


@pytest.fixture
def console(tab, long_log) -> Console:
    console = tab(long_log.url)
    console.page.add_init_script(SILENT)  # nothing happens there that anything would be read again for
    return console.sign_in(long_log.variables["QSTASH_TOKEN"])


def last_row(page: Page) -> int:
    """The number of the last row that there is an element for, from 1."""
    indices = page.locator("main [role=row]").evaluate_all("rows => rows.map(row => Number(row.ariaRowIndex))")
    return max(indices) - 1


def wait_until_read_ahead(page: Page) -> None:
    """Until the pages behind what is seen have been read, too, and nothing more is asked for."""
    grid = page.get_by_role("grid", name="Messages").element_handle()
    page.wait_for_function(READ_AHEAD, arg=grid)


def test_many_pages_are_scrolled_without_growing_jumping_or_stalling(console):
    page = console.page
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "groupBy=message" in request.url else None)
    console.open("logs")
    expect(page.get_by_text(re.compile(r"^\d+\+ messages$"))).to_be_visible()
    page.evaluate(WATCH)
    page.get_by_role("grid", name="Messages").hover()

    most = 0
    while last_row(page) < SCROLLED:
        page.mouse.wheel(0, PAGE_ROWS * ROW_PX)
        wait_until_read_ahead(page)
        most = max(most, page.get_by_role("row").count())

    seen, count = page.evaluate("seen"), len(asked)
    assert most <= MOST_ROWS
    assert count <= last_row(page) / PAGE_ROWS + AHEAD_PAGES  # the wheel may have turned on meanwhile
    assert seen["shift"] <= MOST_SHIFT
    assert seen["longest"] <= LONGEST_TASK_MS


def test_what_was_forgotten_is_read_again_on_the_way_back(console):
    page = console.page
    console.open("logs")
    grid = page.get_by_role("grid", name="Messages")
    first = page.get_by_role("gridcell", name=re.compile("^msg_")).first.inner_text()
    grid.focus()
    while last_row(page) < SCROLLED:
        page.keyboard.press("End")
        expect(page.get_by_role("gridcell", name="Loading")).to_have_count(0)
    wait_until_read_ahead(page)
    with page.expect_request(lambda request: "groupBy=message" in request.url and "cursor" not in request.url):
        page.keyboard.press("Home")
    expect(page.get_by_role("row").nth(1)).to_contain_text(first)
    assert page.get_by_role("row").count() <= MOST_ROWS
