"""In flight: what is on its way, cancelled or hurried by a person."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect
from tests.e2e.calls import call, publish

LATER = "1h"


@pytest.fixture
def publish_as(server, account):
    """Publish as the tab's tenant; the id of the message."""

    def make(url: str, **headers: str) -> str:
        return publish(server, url, Authorization=f"Bearer {account.token}", **headers)

    return make


def rows(console):
    return (
        console.page.get_by_role("grid", name="Messages in flight")
        .get_by_role("row")
        .filter(has=console.page.locator("a"))
    )


def test_delayed_message_is_attempted_now(console, ledger, publish_as):
    console.open("in-flight")
    expect(console.page.get_by_text("Nothing is in flight")).to_be_visible()

    message = publish_as(ledger.url("/in-flight/now"), Upstash_Delay=LATER)
    row = rows(console).filter(has_text="/in-flight/now")
    expect(row).to_contain_text("Delayed")
    expect(row).to_contain_text("min")
    row.get_by_role("button", name="Retry now").click()

    ledger.wait_until(lambda: bool(ledger.requests(message_id=message)), "the message is delivered")
    expect(console.page.get_by_text("Nothing is in flight")).to_be_visible()


def test_messages_are_canceled_by_a_filter_after_their_count_was_said(console, ledger, publish_as):
    for path in ("/in-flight/a", "/in-flight/a", "/in-flight/b"):
        publish_as(ledger.url(path), Upstash_Delay=LATER)

    console.open("in-flight", "?path=/in-flight/a")
    expect(rows(console)).to_have_count(2)
    console.page.get_by_role("button", name="Cancel all that match").click()
    question = console.page.get_by_role("dialog", name="Cancel all messages that match?")
    expect(question).to_contain_text("2 messages")
    question.get_by_role("button", name="Cancel them").click()

    expect(console.page.get_by_text("2 messages canceled")).to_be_visible()
    console.page.get_by_role("button", name="Remove Path").click()
    expect(rows(console)).to_have_count(1)
    expect(rows(console)).to_contain_text("/in-flight/b")


def test_state_narrows_what_is_listed_and_canceled(console, ledger, publish_as):
    ledger.answer("/in-flight/failing", status=503)
    publish_as(ledger.url("/in-flight/failing"), Upstash_Retries="3", Upstash_Retry_Delay="3600000")
    publish_as(ledger.url("/in-flight/later"), Upstash_Delay=LATER)

    console.open("in-flight")
    expect(rows(console)).to_have_count(2)
    console.page.get_by_role("navigation", name="States").get_by_role("link", name="Retrying").click()
    expect(rows(console)).to_have_count(1)
    expect(rows(console)).to_contain_text("503")
    expect(rows(console)).to_contain_text("1 of 4")
    console.page.get_by_role("button", name="Cancel all that match").click()
    question = console.page.get_by_role("dialog")
    expect(question).to_contain_text("1 message")
    question.get_by_role("button", name="Cancel them").click()
    expect(console.page.get_by_text("Nothing is retrying")).to_be_visible()
    console.page.get_by_role("navigation", name="States").get_by_role("link", name="All").click()
    expect(rows(console)).to_contain_text("/in-flight/later")


def test_rows_are_chosen_by_keys_and_canceled(console, ledger, publish_as):
    for path in ("/in-flight/1", "/in-flight/2"):
        publish_as(ledger.url(path), Upstash_Delay=LATER)
    console.open("in-flight")
    expect(rows(console)).to_have_count(2)
    for key in ("j", "x", "j", "x"):
        console.page.keyboard.press(key)
    expect(console.page.get_by_text("2 selected")).to_be_visible()
    console.page.get_by_role("button", name="Cancel", exact=True).click()
    console.page.get_by_role("dialog").get_by_role("button", name="Cancel them").click()
    expect(console.page.get_by_text("Nothing is in flight")).to_be_visible()


def test_reader_finds_nothing_to_press(tab, server, account, ledger, publish_as):
    publish_as(ledger.url("/in-flight/read"), Upstash_Delay=LATER)
    asked = json.dumps({"name": "reader", "scope": "read"}).encode()
    authorization = ("Authorization", f"Bearer {account.token}")
    made = json.loads(call(server, "POST", "/v2/tokens", asked, [authorization]))
    console = tab().sign_in(made["token"]).open("in-flight")
    expect(rows(console)).to_have_count(1)
    for name in ("Cancel all", "Retry now", "Cancel"):
        expect(console.page.get_by_role("button", name=name)).to_have_count(0)
    expect(console.page.get_by_role("checkbox")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(console, ledger, publish_as, theme):
    message = publish_as(ledger.url("/in-flight/axe"), Upstash_Delay=LATER)
    console.theme(theme).open("in-flight")
    assert console.axe() == []
    console.open("in-flight", f"/{message}")
    expect(console.page.get_by_role("region", name=f"Message {message}", exact=True)).to_contain_text("/in-flight/axe")
    assert console.axe() == []
