"""A token that may only read sees every screen, and finds nothing there that changes anything."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.browser.console import OPENING, SCREENS
from tests.browser.shop import Shop

CHANGING = re.compile(
    r"^(publish|save|send|create|new|add|edit|clone|pause|resume|run|retry|cancel|delete|remove|revoke|rotate|pin|unpin|"
    r"reset|set|test)\b",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def reading(busy_shop) -> str:
    """A token of the busy shop with which nothing can be changed."""
    return busy_shop.call("POST", "/v2/tokens", {"name": "reader", "scope": "read"})["token"]


@pytest.mark.parametrize("screen", [screen for screen in SCREENS if screen != "publish"])
def test_nothing_offers_a_change(tab, busy_shop, reading, screen):
    console = tab().sign_in(reading).open(screen)
    if screen in OPENING:
        console.page.get_by_role("row").filter(has=console.page.get_by_role("gridcell")).first.click()
        console.panel()
    names = (
        console.page.get_by_role("main")
        .get_by_role("button")
        .evaluate_all("buttons => buttons.map((one) => (one.getAttribute('aria-label') ?? one.textContent).trim())")
    )
    assert [name for name in names if CHANGING.match(name)] == []


def test_what_can_be_seen_is_the_same(tab, busy_shop: Shop, reading):
    messages = busy_shop.call("GET", "/v2/logs?groupBy=message&count=100")["messages"]
    assert len(messages) > 5
    for token in (busy_shop.account.token, reading):
        rows = tab().sign_in(token).open("logs").page.get_by_role("row")
        expect(rows).to_have_count(1 + len(messages))


def test_publishing_is_refused_before_it_is_tried(tab, reading):
    console = tab().sign_in(reading).open("publish")
    expect(console.page.get_by_role("button", name="Publish", exact=True)).to_have_count(0)
