"""Queues made, looked into, paused, resumed, resized and deleted."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect
from tests.browser.shop import Shop

QUEUE = "invoices"


@pytest.fixture
def shop(account, ledger) -> Shop:
    shop = Shop(account, ledger)
    shop.call("POST", "/v2/queues", {"queueName": QUEUE, "parallelism": 1})
    return shop


def row(console, name: str = QUEUE) -> Locator:
    return console.page.get_by_role("row").filter(has_text=name)


def enqueue(shop: Shop, count: int) -> None:
    for order in range(count):
        shop.call("POST", f"/v2/enqueue/{QUEUE}/{shop.destination}/invoices", {"order": order})


def test_paused_queue_grows_and_is_worked_off_once_resumed(console, shop):
    console.open("queues")
    console.page.get_by_role("button", name=f"Pause {QUEUE}").click()
    expect(row(console).get_by_text("Paused")).to_be_visible()
    enqueue(shop, 3)
    expect(row(console).get_by_role("gridcell", name="3", exact=True)).to_be_visible()
    expect(row(console).get_by_role("link", name=re.compile(r"\d s$"))).to_be_visible()  # the oldest one's age
    console.page.get_by_role("button", name=f"Resume {QUEUE}").click()
    expect(row(console).get_by_role("gridcell", name="0", exact=True)).to_be_visible()
    assert len(shop.ledger.requests(f"/{shop.account.name}/invoices")) == 3


def test_parallelism_in_use_is_shown(console, shop):
    shop.breaks("/invoices", delay_s=5)
    console.open("queues")
    enqueue(shop, 2)
    expect(row(console).get_by_text("1 of 1")).to_be_visible()


def test_queue_is_made_with_its_parallelism(console, shop):
    page = console.open("queues").page
    page.get_by_role("button", name="New queue").click()
    page.get_by_label("Name", exact=True).fill("thumbnails")
    page.get_by_label("Parallelism", exact=True).fill("4")
    page.get_by_role("button", name="Make the queue").click()
    panel = page.get_by_role("region", name="Queue thumbnails", exact=True)
    expect(panel.get_by_label("Parallelism", exact=True)).to_have_value("4")
    assert shop.call("GET", "/v2/queues/thumbnails")["parallelism"] == 4


def test_parallelism_is_set(console, shop):
    page = console.open("queues", f"/{QUEUE}").page
    button = page.get_by_role("button", name="Set parallelism")
    expect(button).to_be_disabled()
    page.get_by_label("Parallelism", exact=True).fill("7")
    button.click()
    expect(page.get_by_role("region", name=f"Queue {QUEUE}", exact=True).get_by_text("0 of 7")).to_be_visible()
    assert shop.call("GET", f"/v2/queues/{QUEUE}")["parallelism"] == 7


def test_deleting_asks_and_says_how_many_wait(console, shop):
    shop.call("POST", f"/v2/queues/{QUEUE}/pause")
    enqueue(shop, 2)
    page = console.open("queues", f"/{QUEUE}").page
    page.get_by_role("button", name="Delete", exact=True).click()
    question = page.get_by_role("dialog", name=f"Delete the queue {QUEUE}?")
    expect(question.get_by_text("2 messages")).to_be_visible()
    question.get_by_role("button", name="Keep as it is").click()
    assert shop.call("GET", f"/v2/queues/{QUEUE}")["lag"] == 2
    page.get_by_role("button", name="Delete", exact=True).click()
    question.get_by_role("button", name="Delete it and cancel them").click()
    expect(page.get_by_role("heading", name="No queues yet")).to_be_visible()
    assert shop.call("GET", "/v2/queues") == []


def test_search_is_kept_in_the_link(console, shop):
    shop.call("POST", "/v2/queues", {"queueName": "mail"})
    page = console.open("queues", "?search=inv").page
    expect(page.get_by_role("searchbox", name="Search")).to_have_value("inv")
    expect(row(console)).to_be_visible()
    expect(row(console, "mail")).to_have_count(0)


def test_read_only_token_finds_nothing_to_press(tab, shop):
    token = shop.call("POST", "/v2/tokens", {"name": "onlooker", "scope": "read"})["token"]
    page = tab().sign_in(token).open("queues", f"/{QUEUE}").page
    expect(page.get_by_role("region", name=f"Queue {QUEUE}", exact=True)).to_be_visible()
    changing = re.compile("New queue|Pause|Resume|Delete|Set parallelism")
    expect(page.get_by_role("main").get_by_role("button", name=changing)).to_have_count(0)
