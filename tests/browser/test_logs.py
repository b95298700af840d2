"""Messages found, looked into, cancelled and published again."""

from __future__ import annotations

import csv
import json
import re

import pytest
from playwright.sync_api import Locator, expect
from tests.browser.console import Console
from tests.browser.shop import BROKEN, HEALTHY, Shop
from tests.e2e.calls import publish


@pytest.fixture
def shop(account, ledger) -> Shop:
    return Shop(account, ledger)


def opened(console: Console, path: str) -> Locator:
    """The panel of the message to a path."""
    console.page.get_by_role("row").filter(has_text=path).get_by_role("link").first.click()
    panel = console.page.get_by_role("region", name=re.compile("^Message msg_[^,]*$"))
    expect(panel.get_by_role("heading", level=2)).to_be_visible()
    return panel


def test_message_appears_within_a_second_without_a_reload(console, shop):
    console.open("logs")
    expect(console.page.get_by_text("Live", exact=True)).to_be_visible()
    shop.publish(HEALTHY, Upstash_Label="live")
    expect(console.page.get_by_role("row").filter(has_text=HEALTHY)).to_be_visible(timeout=1_000)


def test_body_is_shown_as_text_whatever_is_in_it(console, shop):
    hostile = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    shop.publish(HEALTHY, {"note": hostile})
    console.open("logs")
    console.page.get_by_role("row").filter(has_text=HEALTHY).click()
    console.page.get_by_role("tab", name="Request").click()
    expect(console.page.get_by_text("onerror=")).to_be_visible()
    expect(console.page.locator("[onerror]")).to_have_count(0)
    assert "owned" not in console.page.title()


def test_filter_is_kept_in_the_link(console, shop):
    shop.publish(HEALTHY, Upstash_Label="first")
    shop.publish(HEALTHY, Upstash_Label="second")
    console.open("logs", "?label=second")
    expect(console.page.get_by_role("row").filter(has_text=HEALTHY)).to_have_count(1)


def test_attempts_are_told_one_by_one_with_what_was_answered(console, shop):
    shop.breaks(BROKEN, status=503, body=b"come back", times=1)
    shop.publish(BROKEN, Upstash_Retries="1", Upstash_Retry_Delay="50")
    console.open("logs")
    panel = opened(console, BROKEN)
    expect(panel.get_by_role("button", name="Attempt 2")).to_contain_text("200")
    expect(panel.get_by_text("Delivered", exact=True).first).to_be_visible()
    panel.get_by_role("button", name="Attempt 1").click()
    expect(panel.get_by_role("region", name="response body")).to_have_text("come back")
    assert "attempt=1" in console.page.url
    panel.get_by_role("tab", name="Entries").click()
    expect(panel.get_by_role("listitem").filter(has_text="Retrying")).to_have_count(1)


def test_message_is_canceled_after_asking(console, shop):
    shop.publish(HEALTHY, Upstash_Delay="1h")
    console.open("logs")
    panel = opened(console, HEALTHY)
    panel.get_by_role("button", name="Cancel", exact=True).click()
    console.page.get_by_role("dialog", name="Cancel this message?").get_by_role("button", name="Cancel it").click()
    expect(panel.get_by_text("Canceled", exact=True).first).to_be_visible()
    expect(panel.get_by_role("button", name="Cancel", exact=True)).to_have_count(0)


def test_selected_are_canceled_after_their_count_was_said(console, shop):
    for _ in range(2):
        shop.publish(HEALTHY, Upstash_Delay="1h")
    console.open("logs")
    expect(console.page.get_by_role("row").filter(has_text=HEALTHY)).to_have_count(2)
    console.page.get_by_role("checkbox", name="Select all that are loaded").check()
    console.page.get_by_role("button", name="Cancel", exact=True).click()
    question = console.page.get_by_role("dialog", name="Cancel the selected messages?")
    expect(question).to_contain_text("2 messages")
    question.get_by_role("button", name="Cancel them").click()
    expect(console.page.get_by_text("2 messages canceled")).to_be_visible()


def test_message_is_published_again_as_it_was(console, shop):
    shop.publish(HEALTHY, {"order": 7}, Upstash_Label="once")
    console.open("logs")
    panel = opened(console, HEALTHY)
    first = console.page.url
    panel.get_by_role("button", name="Publish again").click()
    console.page.get_by_role("dialog").get_by_role("button", name="Publish", exact=True).click()
    one, other = shop.ledger.wait_for(f"/{shop.account.name}{HEALTHY}", 2)
    assert one.body == other.body == b'{"order": 7}'
    expect(console.page).not_to_have_url(first)
    expect(panel.get_by_text("once")).to_be_visible()


def test_entries_are_exported_as_they_are_filtered(console, shop):
    shop.publish(HEALTHY, Upstash_Label="kept")
    shop.publish(HEALTHY, Upstash_Label="left out")
    shop.ledger.wait_for(f"/{shop.account.name}{HEALTHY}", 2)
    console.open("logs", "?label=kept")
    expect(console.page.get_by_role("row").filter(has_text="Delivered")).to_have_count(1)

    def exported(as_: str) -> str:
        console.page.get_by_role("button", name="Export").click()
        with console.page.expect_download() as download:
            console.page.get_by_role("menuitem", name=f"Filtered as {as_}").click()
        return download.value.path().read_text(encoding="utf-8")

    entries = [json.loads(line) for line in exported("JSONL").splitlines()]
    assert [entry["state"] for entry in entries] == ["DELIVERED", "ACTIVE", "CREATED"]
    assert {entry["label"] for entry in entries} == {"kept"}
    rows = list(csv.DictReader(exported("CSV").splitlines()))
    assert [(row["state"], row["messageId"]) for row in rows] == [
        (entry["state"], entry["messageId"]) for entry in entries
    ]


def test_message_is_published_again_with_what_is_shown_to_nobody(console, server, account, ledger):
    callback = ledger.url("/again/callback")
    hidden = {"Upstash_Redact_Fields": "body, header[X-Key]", "Upstash_Forward_X_Key": "secret"}
    reported = {"Upstash_Callback": callback, "Upstash_Callback_Method": "PUT"}
    said = {"Authorization": f"Bearer {account.token}", **hidden, **reported}
    message = publish(server, ledger.url("/again"), b"hidden", **said)
    ledger.wait_for("/again/callback")
    page = console.open("logs", f"/{message}").page
    page.get_by_role("button", name="Publish again").click()
    page.get_by_role("dialog").get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_text("Published", exact=True)).to_be_visible()
    first, again = ledger.wait_for("/again", 2)
    assert (again.body, again.header("X-Key")) == (first.body, "secret") == (b"hidden", "secret")
    assert [report.method for report in ledger.wait_for("/again/callback", 2)] == ["PUT", "PUT"]
