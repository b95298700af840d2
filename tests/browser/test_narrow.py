"""A narrow window shows the same: nothing is cut off, and nobody scrolls sideways."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.browser.console import OPENING, SCREENS, Console

WIDTHS = (360, 768)

SIDEWAYS = """
() => [document.scrollingElement, ...document.querySelectorAll('main, main [role=grid], section[aria-label] > *')]
  .filter((one) => one.scrollWidth > one.clientWidth + 1)
  .map((one) => `${one.tagName} ${one.className}: ${one.scrollWidth} > ${one.clientWidth}`)
"""


@pytest.mark.parametrize("screen", SCREENS)
def test_nobody_scrolls_sideways(tab, busy_shop, screen):
    console: Console = tab().sign_in(busy_shop.account.token)
    for width in WIDTHS:
        console.page.set_viewport_size({"width": width, "height": 740})
        console.open(screen)
        assert console.page.evaluate(SIDEWAYS) == [], f"{width} px"


@pytest.mark.parametrize("screen", OPENING)
def test_panel_fits(tab, busy_shop, screen):
    console: Console = tab().sign_in(busy_shop.account.token)
    console.page.set_viewport_size({"width": WIDTHS[0], "height": 740})
    console.open(screen)
    console.page.get_by_role("grid").get_by_role("link").first.click()
    expect(console.panel().get_by_role("button", name="Close")).to_be_visible()
    expect(console.page.locator("[aria-busy=true]")).to_have_count(0)
    assert console.page.evaluate(SIDEWAYS) == []
