"""A picture of every screen in both themes, of a server that `outrider demo` keeps busy.

They go where OUTRIDER_SCREENSHOTS says, which `make screenshots` sets to docs/console, else nowhere that lasts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.browser.console import SCREENS, Console
from tests.e2e.server_process import ServerProcess, outrider

DEMO_S = float(os.environ.get("OUTRIDER_SCREENSHOTS_AFTER_S", "5"))
BLANK_BYTES = 10_000
"""What a picture with nothing but the frame of the console has at most."""

QUERIES = {"overview": "?range=15m"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    named = os.environ.get("OUTRIDER_SCREENSHOTS")
    return Path(named) if named else tmp_path_factory.mktemp("screenshots")


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> Iterator[ServerProcess]:
    """A development server with the demonstration's messages."""
    server = ServerProcess(tmp_path_factory.mktemp("shown")).start()
    demo = outrider("demo", "--url", server.url, "--rate", "20")
    try:
        yield server
    finally:
        demo.terminate()
        demo.communicate(timeout=30)
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
        rate = console.page.get_by_role("list", name="Right now").get_by_role("listitem").filter(has_text="Accepted")
        expect(rate).to_have_text(re.compile(r"Accepted\s*[\d.]*[1-9][\d.]*\s*/ s"))
    picture = folder / f"{screen}-{theme}.png"
    console.page.screenshot(path=picture, animations="disabled")
    assert picture.stat().st_size > BLANK_BYTES
