"""What the server runs with, what is used of it, and how this reader likes it shown."""

from __future__ import annotations

from playwright.sync_api import expect
from tests.browser.shop import Shop


def test_each_value_says_where_it_came_from(console):
    page = console.open("settings").page
    page.get_by_role("searchbox", name="Search").fill("allow_http")
    row = page.get_by_role("row").filter(has_text="allow_http")
    expect(row).to_contain_text("true")
    expect(row).to_contain_text("Flag")
    expect(row).to_contain_text("--allow-http")


def test_what_was_set_is_told_from_defaults_by_a_link(console):
    page = console.open("settings", "?changed=true").page
    expect(page.get_by_label("Only what is not the default")).to_be_checked()
    expect(page.get_by_role("row").filter(has_text="allow_http")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="drain_timeout")).to_have_count(0)


def test_use_of_today_and_retention_are_shown(console, account, ledger):
    page = console.open("settings").page
    limits = page.get_by_role("region", name="Limits and use")
    expect(limits.get_by_text("Dead letters", exact=True)).to_be_visible()
    shop = Shop(account, ledger)
    for _ in range(2):
        shop.publish("/orders")
    expect(limits.get_by_text("2, no limit")).to_be_visible()


def test_theme_and_times_are_chosen_and_kept(console):
    page = console.open("settings").page
    page.get_by_label("Theme", exact=True).select_option(label="Dark")
    page.get_by_label("Times", exact=True).select_option(label="UTC")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.get_by_label("Theme", exact=True)).to_have_value("dark")
    expect(page.get_by_label("Times", exact=True)).to_have_value("utc")
