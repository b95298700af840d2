"""Signing keys shown and rotated; tokens made and revoked."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.browser.shop import Shop


@pytest.fixture
def shop(account, ledger) -> Shop:
    return Shop(account, ledger)


def test_keys_are_shown_on_demand_alone(console, account):
    asked = []

    def note(request):  # the overview, which was open before, asks for the keys that it shows in code
        if console.page.url.endswith("/console/keys"):
            asked.append(request.url.removeprefix(console.url))

    console.page.on("request", note)
    page = console.open("keys").page
    assert "/v2/keys" not in asked
    page.get_by_role("button", name="Show keys").click()
    expect(page.get_by_text(account.current)).to_be_visible()
    expect(page.get_by_text(account.next)).to_be_visible()
    assert {"/v2/keys", "/v2/tokens"} <= {*asked}
    page.get_by_role("button", name="Hide keys").click()
    expect(page.get_by_text(account.current)).to_have_count(0)


def test_rotating_warns_that_two_in_a_row_break_receivers(console, shop, account):
    page = console.open("keys").page
    page.get_by_role("button", name="Rotate").click()
    question = page.get_by_role("dialog", name="Rotate the signing keys?")
    expect(question.get_by_text("Two rotations in a row break them")).to_be_visible()
    question.get_by_role("button", name="Rotate", exact=True).click()
    expect(page.get_by_text("The keys are rotated")).to_be_visible()
    assert shop.call("GET", "/v2/keys")["current"] == account.next
    page.get_by_role("button", name="Rotate").click()
    expect(question.get_by_text("They were rotated")).to_be_visible()
    question.get_by_role("button", name="Keep as it is").click()
    assert shop.call("GET", "/v2/keys")["current"] == account.next


def test_rotating_warns_of_a_rotation_that_somebody_else_made(console, shop, account):
    page = console.open("keys").page
    shop.call("POST", "/v2/keys/rotate")
    page.get_by_role("button", name="Rotate").click()
    question = page.get_by_role("dialog", name="Rotate the signing keys?")
    expect(question.get_by_text("They were rotated")).to_be_visible()
    question.get_by_role("button", name="Keep as it is").click()
    assert shop.call("GET", "/v2/keys")["current"] == account.next


def test_token_is_shown_once_works_and_is_revoked(console, shop):
    page = console.open("keys").page
    page.get_by_role("button", name="New token").click()
    page.get_by_label("Name", exact=True).fill("dashboard")
    page.get_by_label("Scope", exact=True).select_option(label="Read only")
    page.get_by_role("button", name="Make the token").click()
    token = page.get_by_role("region", name="token", exact=True).inner_text()
    assert shop.call("GET", "/v2/queues", Authorization=f"Bearer {token}") == []
    page.get_by_role("button", name="I have copied it").click()
    expect(page.get_by_text(token)).to_have_count(0)
    row = page.get_by_role("row").filter(has_text="dashboard")
    expect(row.get_by_text("Read only")).to_be_visible()
    page.get_by_role("button", name="Revoke dashboard").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke it").click()
    expect(row).to_have_count(0)


def test_revoking_ones_own_token_says_so_and_signs_out(tab, shop):
    token = shop.call("POST", "/v2/tokens", {"name": "mine", "scope": "full"})["token"]
    console = tab().sign_in(token).open("keys")
    console.expected |= {401}
    console.page.get_by_role("button", name="Revoke mine").click()
    question = console.page.get_by_role("dialog", name="Revoke mine?")
    expect(question.get_by_text("You are signed in with this very token")).to_be_visible()
    question.get_by_role("button", name="Revoke it and sign me out").click()
    expect(console.page.get_by_role("button", name="Sign in")).to_be_visible()


def test_read_only_token_finds_nothing_to_press(tab, shop):
    token = shop.call("POST", "/v2/tokens", {"name": "onlooker", "scope": "read"})["token"]
    page = tab().sign_in(token).open("keys").page
    expect(page.get_by_role("row").filter(has_text="onlooker")).to_be_visible()
    for name in ("Rotate", "New token", "Revoke"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
