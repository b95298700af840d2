"""A picture of every screen and of one message in both themes, of a server that `outrider demo` keeps busy.

They go where OUTRIDER_SCREENSHOTS says, which `make screenshots` sets to docs/console, else nowhere that lasts.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect
from tests.browser.console import SCREENS, Console
from tests.e2e.server_process import ServerProcess, outrider

KEPT = os.environ.get("OUTRIDER_SCREENSHOTS")
DEMO_S = float(os.environ.get("OUTRIDER_SCREENSHOTS_AFTER_S", "5"))
PULSES = 25 if KEPT else 2
"""Seconds of which the overview's lines are drawn."""
BLANK_BYTES = 10_000
"""What a picture with nothing but the frame of the console has at most."""

ORDER = {
    "to": "https://shop.example.com/orders",
    "label": "orders",
    "body": json.dumps({"order": 1042, "total": "19.90 EUR"}, indent=2),
    "delay": "10m",
}
QUERIES = {"overview": "?range=15m", "publish": f"?{urlencode(ORDER)}"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return Path(KEPT) if KEPT else tmp_path_factory.mktemp("screenshots")


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> Iterator[ServerProcess]:
    """A development server with the demonstration's messages."""
    server = ServerProcess(tmp_path_factory.mktemp("shown"))
    try:
        server.start()
        demo = outrider("demo", "--url", server.url, "--rate", "20")
        try:
            yield server
        finally:
            demo.terminate()
            demo.communicate(timeout=30)
    finally:
        server.stop()


@pytest.fixture(scope="module")
def filled(shown, chromium) -> ServerProcess:
    """Once something of all that the demonstration does is there to see."""
    context = chromium.new_context()
    console = Console(context.new_page(), shown.url).sign_in(shown.variables["QSTASH_TOKEN"])
    console.open("dead-letters")
    expect(console.page.get_by_role("row").nth(3)).to_be_visible(timeout=30_000)
    console.page.wait_for_timeout(DEMO_S * 1000)
    context.close()
    return shown


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_screen_is_pictured(tab, filled, folder, screen, theme):
    console = tab(filled.url).theme(theme).sign_in(filled.variables["QSTASH_TOKEN"])
    console.open(screen, QUERIES.get(screen, ""))
    if screen == "overview":  # a second counts once it is over
        now = console.page.get_by_role("list", name="Right now")
        expect(now.get_by_role("listitem").first).to_have_text(re.compile(r"Accepted\s*[\d.]*[1-9][\d.]*\s*/ s"))
        line = console.page.get_by_role("main").locator("polyline").first
        expect(line).to_have_attribute(
            "points", re.compile(rf"^(\S+ ){{{PULSES - 1},}}\S+$"), timeout=2_000 * PULSES + 15_000
        )
    take(console, folder / f"{screen}-{theme}.png")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_message_is_pictured(tab, filled, folder, theme):
    console = tab(filled.url).theme(theme).sign_in(filled.variables["QSTASH_TOKEN"])
    console.open("logs", "?state=RETRY&label=payment")
    console.page.get_by_role("grid").get_by_role("link").first.click()
    panel = console.page.get_by_role("region", name="Message msg_").first
    expect(panel.get_by_role("button", name="Attempt 2")).to_be_visible()
    take(console, folder / f"message-{theme}.png")


def take(console: Console, picture: Path) -> None:
    console.page.screenshot(path=picture, animations="disabled")
    assert picture.stat().st_size > BLANK_BYTES
