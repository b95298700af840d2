"""Flow-control keys looked into, paused, pinned and reset."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect
from tests.browser.shop import Shop

KEY = "tenants/acme sms"


@pytest.fixture
def shop(account, ledger) -> Shop:
    return Shop(account, ledger)


def send(shop: Shop, count: int) -> None:
    limits = {"Upstash_Flow_Control_Key": KEY, "Upstash_Flow_Control_Value": "parallelism=2, rate=1, period=1h"}
    for order in range(count):
        shop.publish("/sms", {"order": order}, **limits)


def row(console) -> Locator:
    return console.page.get_by_role("row").filter(has_text=KEY)


def open_key(console) -> Locator:
    console.open("flow-control")
    row(console).get_by_role("link", name=KEY).click()
    return console.page.get_by_role("region", name=f"Flow-control key {KEY}", exact=True)


def test_gauges_and_wait_list_are_shown_and_a_reset_starts_one_more(console, shop):
    send(shop, 3)
    panel = open_key(console)
    expect(panel.get_by_text("2 messages wait")).to_be_visible()
    expect(panel.get_by_text("1 of 1 in 1 h")).to_be_visible()
    panel.get_by_role("button", name="Reset rate").click()
    expect(panel.get_by_text("1 message waits")).to_be_visible()
    expect(console.page.get_by_role("meter", name="Global parallelism")).to_be_visible()


def test_key_is_paused_and_resumed(console, shop):
    send(shop, 1)
    console.open("flow-control")
    console.page.get_by_role("button", name=f"Pause {KEY}").click()
    expect(row(console).get_by_text("Paused")).to_be_visible()
    console.page.get_by_role("button", name=f"Resume {KEY}").click()
    expect(row(console).get_by_text("Running")).to_be_visible()


def test_limits_are_pinned_and_unpinned(console, shop):
    send(shop, 3)
    panel = open_key(console)
    panel.get_by_role("button", name="Pin rate").click()
    console.page.get_by_label("Starts in a period").fill("10")
    console.page.get_by_label("Period", exact=True).fill("60")
    console.page.get_by_role("button", name="Pin it").click()
    expect(panel.get_by_text("of 10 in 1 min")).to_be_visible()
    expect(panel.get_by_text("0 messages wait")).to_be_visible()
    panel.get_by_role("button", name="Pin parallelism").click()
    console.page.get_by_label("Deliveries at once").fill("5")
    console.page.get_by_role("button", name="Pin it").click()
    expect(panel.get_by_text("0 of 5")).to_be_visible()
    panel.get_by_role("button", name="Unpin rate").click()
    expect(panel.get_by_role("button", name="Unpin rate")).to_have_count(0)
    (state,) = shop.call("GET", "/v2/flowControl")
    assert (state["isPinnedRate"], state["isPinnedParallelism"], state["parallelismMax"]) == (False, True, 5)
