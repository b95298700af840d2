"""URL groups: how endpoints fare, and endpoints added, tested and removed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect
from tests.browser.shop import Shop

GROUP = "partners"


@pytest.fixture
def shop(account, ledger) -> Shop:
    return Shop(account, ledger)


def add(shop: Shop, **endpoints: str) -> None:
    named = [{"name": name, "url": shop.destination + path} for name, path in endpoints.items()]
    shop.call("POST", f"/v2/url-groups/{GROUP}/endpoints", {"endpoints": named})


def endpoint(console, name: str) -> Locator:
    return console.page.get_by_role("article", name=name, exact=True)


def test_group_is_made_and_given_another_endpoint(console, shop):
    page = console.open("url-groups").page
    page.get_by_role("button", name="New URL group").click()
    page.get_by_label("Group", exact=True).fill(GROUP)
    page.get_by_label("URL of its first endpoint").fill(f"{shop.destination}/first")
    page.get_by_role("button", name="Make the group").click()
    page.get_by_role("button", name="Add endpoint").click()
    page.get_by_label("URL", exact=True).fill(f"{shop.destination}/second")
    page.get_by_label("Name of the endpoint").fill("second")
    page.get_by_role("button", name="Add it").click()
    expect(endpoint(console, "second")).to_be_visible()
    assert len(shop.call("GET", f"/v2/url-groups/{GROUP}")["endpoints"]) == 2


def test_endpoint_that_never_succeeds_and_one_that_is_there_twice_are_flagged(console, shop):
    add(shop, well="/well", again="/well/", broken="/broken")
    shop.breaks("/broken", status=503)
    for issue in range(3):
        shop.call("POST", f"/v2/publish/{GROUP}", {"issue": issue}, Upstash_Retries="0")
    console.open("url-groups", f"/{GROUP}?window=1h")
    broken = endpoint(console, "broken")
    expect(broken.get_by_text("Never succeeded")).to_be_visible()
    expect(broken.get_by_text("0 of 3 attempts")).to_be_visible()
    expect(broken.get_by_text(re.compile(r"\b503\b"))).to_be_visible()
    well = endpoint(console, "well")
    expect(well.get_by_text("Duplicate")).to_be_visible()
    expect(well.get_by_text("100 %")).to_be_visible()
    expect(well.get_by_text("p50")).to_be_visible()
    expect(
        console.page.get_by_role("row").filter(has_text=GROUP).get_by_text(re.compile("Duplicate . 2"))
    ).to_be_visible()


def test_one_message_tests_an_endpoint_and_its_answer_is_shown(console, shop):
    add(shop, mailer="/mailer")
    shop.breaks("/mailer", status=418, body=b"a teapot")
    page = console.open("url-groups", f"/{GROUP}").page
    page.get_by_role("button", name="Test mailer").click()
    page.get_by_label("Body", exact=True).fill('{"from": "the console"}')
    page.get_by_role("button", name="Send it").click()
    outcome = page.get_by_role("region", name="What came of it")
    expect(outcome.get_by_text("Failed")).to_be_visible()
    expect(outcome.get_by_text("418", exact=True)).to_be_visible()
    expect(outcome.get_by_text("a teapot")).to_be_visible()
    (received,) = shop.ledger.requests(f"/{shop.account.name}/mailer")
    assert received.body == b'{"from": "the console"}'
    assert len(shop.call("GET", "/v2/dlq?label=endpoint-test")["messages"]) == 1


def test_removing_an_endpoint_asks(console, shop):
    add(shop, mailer="/mailer", archive="/archive")
    asked_after = []
    page = console.open("url-groups", f"/{GROUP}").page
    page.get_by_role("button", name="Remove mailer").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove it").click()
    expect(endpoint(console, "mailer")).to_have_count(0)
    page.get_by_role("button", name="Remove archive").click()
    page.on("request", lambda one: asked_after.append((one.method, one.url)))
    question = page.get_by_role("dialog", name="Remove archive?")
    expect(question.get_by_text("is deleted with it")).to_be_visible()
    question.get_by_role("button", name="Remove it and the group").click()
    expect(page.get_by_role("heading", name="No URL groups yet")).to_be_visible()
    methods = [method for method, url in asked_after if f"/{GROUP}" in url]
    assert methods[methods.index("DELETE") :] == ["DELETE"]


def test_group_that_was_deleted_is_made_again_and_told_of(console, shop):
    add(shop, mailer="/mailer")
    page = console.open("url-groups", f"/{GROUP}").page
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("heading", name="No URL groups yet")).to_be_visible()
    add(shop, mailer="/mailer")
    page.get_by_role("link", name=GROUP).click()
    expect(endpoint(console, "mailer")).to_be_visible()
