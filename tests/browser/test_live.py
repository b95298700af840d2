"""What happens is seen as it happens, by whatever way there is, and nothing is asked for that nobody sees."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.browser.console import Console
from tests.browser.shop import HEALTHY, Shop

HIDE = """(hidden) => {
  Object.defineProperty(document, 'hidden', { value: hidden, configurable: true })
  document.dispatchEvent(new Event('visibilitychange'))
}"""


@pytest.fixture
def shop(account, ledger) -> Shop:
    return Shop(account, ledger)


def row(console: Console):
    return console.page.get_by_role("row").filter(has_text=HEALTHY)


def test_where_events_do_not_come_through_changes_are_asked_for(tab, shop):
    console = tab()
    console.expected = {503}
    console.page.route("**/console/api/live", lambda route: route.fulfill(status=503))
    console.sign_in(shop.account.token).open("logs")
    expect(console.page.get_by_text("Polling")).to_be_visible()
    shop.publish(HEALTHY)
    expect(row(console)).to_be_visible()


def test_nothing_is_asked_while_the_tab_is_hidden(tab, shop):
    watching = tab().sign_in(shop.account.token).open("logs")
    console = tab().sign_in(shop.account.token).open("logs")
    expect(console.page.get_by_text("Live", exact=True)).to_be_visible()
    console.page.evaluate(HIDE, True)
    expect(console.page.get_by_text("Paused")).to_be_visible()
    asked = []
    console.page.on("request", lambda request: asked.append(request.url))

    shop.publish(HEALTHY)
    expect(row(watching).filter(has_text="Delivered")).to_be_visible()
    assert row(console).count() == 0
    assert asked == []

    console.page.evaluate(HIDE, False)
    expect(row(console)).to_be_visible()
    expect(console.page.get_by_text("Live", exact=True)).to_be_visible()
