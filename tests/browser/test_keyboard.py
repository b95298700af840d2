"""Every main way by keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect
from tests.browser.console import Console
from tests.browser.shop import BROKEN, HEALTHY, Shop


@pytest.fixture
def shop(account, ledger) -> Shop:
    return Shop(account, ledger)


def tab_to(console: Console, target: Locator, most: int = 60) -> None:
    """Press Tab until the target has the focus, as somebody without a mouse does."""
    for _ in range(most):
        if target.evaluate("one => one === document.activeElement"):
            return
        console.page.keyboard.press("Tab")
    raise AssertionError(f"{target} cannot be reached by {most} times Tab")


def opened(console: Console) -> Locator:
    """The panel of the opened row."""
    return console.page.get_by_role("region", name="Message msg_").first


def test_signing_in(tab, account):
    console = tab()
    console.page.goto(f"{console.url}/console")
    field = console.page.get_by_label("Token", exact=True)
    field.wait_for()
    tab_to(console, field)
    console.page.keyboard.type(account.token)
    console.page.keyboard.press("Enter")
    expect(console.page.get_by_role("navigation")).to_be_visible()


def test_going_from_screen_to_screen(console):
    console.open("logs")
    tab_to(console, console.page.get_by_role("link", name="Queues"))
    console.page.keyboard.press("Enter")
    console.arrived("queues")


def test_skipping_to_the_content(console):
    console.open("logs")
    console.page.keyboard.press("Tab")
    console.page.keyboard.press("Enter")
    expect(console.page.get_by_role("main")).to_be_focused()


def test_rows_are_walked_opened_selected_and_left(console, shop):
    for order in range(3):
        shop.publish(HEALTHY, {"order": order})
    console.open("logs")
    press = console.page.keyboard.press
    rows = console.page.get_by_role("row").filter(has_text=HEALTHY)
    expect(rows).to_have_count(3)
    press("j")
    press("j")
    press("x")
    expect(console.page.get_by_role("row", selected=True)).to_have_count(1)
    press("k")
    press("Enter")
    expect(opened(console)).to_be_visible()
    press("Escape")
    expect(opened(console)).to_have_count(0)


def test_search_takes_the_focus_and_filters(console, shop):
    shop.publish(HEALTHY, Upstash_Label="one")
    shop.publish(HEALTHY, Upstash_Label="two")
    console.open("logs")
    console.page.keyboard.press("/")
    console.page.keyboard.type("label:two")
    console.page.keyboard.press("Enter")
    expect(console.page.get_by_role("row").filter(has_text=HEALTHY)).to_have_count(1)
    assert "label=two" in console.page.url


def test_question_mark_tells_the_keys(console):
    console.open("logs")
    console.page.keyboard.press("?")
    dialog = console.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Search")
    console.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_publishing(console, shop):
    console.open("publish")
    press, type_ = console.page.keyboard.press, console.page.keyboard.type
    tab_to(console, console.page.get_by_label("Destination"))
    type_(shop.destination + HEALTHY)
    tab_to(console, console.page.get_by_label("Body"))
    type_('{"order": 7}')
    publish = console.page.get_by_role("button", name="Publish", exact=True)
    expect(publish).to_be_enabled()
    tab_to(console, publish, most=120)
    press("Enter")
    (received,) = shop.ledger.wait_for(f"/{shop.account.name}{HEALTHY}")
    assert received.body == b'{"order": 7}'


def test_retrying_a_dead_letter(console, shop):
    shop.breaks(BROKEN, status=503, times=1)
    shop.publish(BROKEN, Upstash_Retries="0")
    console.open("dead-letters")
    expect(console.page.get_by_role("row").filter(has_text=BROKEN)).to_be_visible()
    console.page.keyboard.press("j")
    console.page.keyboard.press("Enter")
    retry = console.page.get_by_role("region", name="Dead letter").get_by_role("button", name="Retry", exact=True).first
    expect(retry).to_be_visible()
    tab_to(console, retry)
    console.page.keyboard.press("Enter")
    asked = console.page.get_by_role("dialog")
    expect(asked).to_contain_text("Retry this dead letter?")
    tab_to(console, asked.get_by_role("button", name="Retry"))
    console.page.keyboard.press("Enter")
    assert len(shop.ledger.wait_for(f"/{shop.account.name}{BROKEN}", 2)) == 2
