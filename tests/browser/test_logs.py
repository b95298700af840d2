"""Messages found, looked into, cancelled and published again."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.browser.shop import HEALTHY, Shop
from tests.e2e.calls import publish


@pytest.fixture
def shop(account, ledger) -> Shop:
    return Shop(account, ledger)


def test_message_appears_within_a_second_without_a_reload(console, shop):
    console.open("logs")
    shop.publish(HEALTHY, Upstash_Label="live")
    expect(console.page.get_by_role("row").filter(has_text=HEALTHY)).to_be_visible(timeout=1_000)


def test_body_is_shown_as_text_whatever_is_in_it(console, shop):
    hostile = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    shop.publish(HEALTHY, {"note": hostile})
    console.open("logs")
    console.page.get_by_role("row").filter(has_text=HEALTHY).click()
    console.page.get_by_role("tab", name="Request").click()
    expect(console.page.get_by_text("onerror=")).to_be_visible()
    assert "owned" not in console.page.title()


def test_filter_is_kept_in_the_link(console, shop):
    shop.publish(HEALTHY, Upstash_Label="first")
    shop.publish(HEALTHY, Upstash_Label="second")
    console.open("logs", "?label=second")
    expect(console.page.get_by_role("row").filter(has_text=HEALTHY)).to_have_count(1)


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
