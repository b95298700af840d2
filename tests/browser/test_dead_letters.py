"""Dead letters: why they are there, and how they are mended, sent again or thrown away."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect
from tests.e2e.calls import call, publish


@pytest.fixture
def give_up(server, account, ledger):
    """Have a message fail for good, as the tab's tenant; the id of the message."""

    def make(path: str, status: int, body: bytes = b'{"ok":false}', **headers: str) -> str:
        url = ledger.answer(path, status=status, body=b"no, thank you", times=1)
        said = {"Content-Type": "application/json", "Upstash_Retries": "0", **headers}
        message = publish(server, url, body, Authorization=f"Bearer {account.token}", **said)
        ledger.wait_until(lambda: bool(ledger.requests(message_id=message)), f"{path} was called")
        return message

    return make


def rows(console):
    return (
        console.page.get_by_role("grid", name="Dead letters").get_by_role("row").filter(has=console.page.locator("a"))
    )


def test_dead_letter_is_mended_and_delivered(console, ledger, give_up):
    give_up("/dead/mended", 422, Upstash_Forward_X_Order="7")
    console.open("dead-letters")
    rows(console).get_by_role("link").click()
    panel = console.page.get_by_role("region", name="Dead letter").first
    expect(panel).to_contain_text("no, thank you")
    panel.get_by_role("button", name="Edit and retry").click()

    dialog = console.page.get_by_role("dialog", name="Edit and retry")
    dialog.get_by_label("Body").fill('{"ok":true}')
    dialog.get_by_role("button", name="Add a header").click()
    names = dialog.get_by_label("Name of header")
    expect(names.last).to_be_focused()
    last = names.count()
    dialog.get_by_label(f"Name of header {last}").fill("X-Mended")
    dialog.get_by_label(f"Value of header {last}").fill("yes")
    dialog.get_by_role("button", name="Retry", exact=True).click()

    expect(console.heading("Logs")).to_be_visible()
    expect(console.page.get_by_role("region", name="Message").first).to_contain_text("Delivered")
    mended = ledger.requests("/dead/mended")[-1]
    assert (mended.body, mended.header("X-Mended"), mended.header("X-Order")) == (b'{"ok":true}', "yes", "7")
    assert mended.header("Content-Type") == "application/json"
    console.go("dead-letters")
    expect(console.page.get_by_text("No dead letters")).to_be_visible()


@pytest.mark.parametrize("taken_by", ["POST /v2/dlq/retry/", "DELETE /v2/dlq/"])
def test_what_somebody_else_took_is_gone_here_too(console, server, account, give_up, taken_by):
    method, path = taken_by.split(" ")
    give_up(f"/dead/taken/{method}", 422)
    console.open("dead-letters")
    rows(console).get_by_role("link").click()
    panel = console.page.get_by_role("region", name="Dead letter").first
    expect(panel).to_contain_text("no, thank you")
    authorization = [("Authorization", f"Bearer {account.token}")]
    (letter,) = json.loads(call(server, "GET", "/v2/dlq", None, authorization))["messages"]
    call(server, method, path + letter["dlqId"], None, authorization)
    expect(console.page.get_by_text("No dead letters")).to_be_visible()
    expect(panel.get_by_text("It is no dead letter any more")).to_be_visible()
    expect(panel.get_by_role("button", name="Retry", exact=True)).to_have_count(0)


def test_body_alone_is_replaced_and_keeps_its_type(console, ledger, give_up):
    give_up("/dead/body", 400, Upstash_Forward_X_Order="8")
    console.open("dead-letters")
    rows(console).get_by_role("link").click()
    console.page.get_by_role("button", name="Edit and retry").click()
    dialog = console.page.get_by_role("dialog", name="Edit and retry")
    dialog.get_by_label("Body").fill("{")
    expect(dialog.get_by_role("alert")).to_contain_text("The type says JSON, and this is none")
    dialog.get_by_label("Body").fill("{}")
    dialog.get_by_role("button", name="Retry", exact=True).click()
    expect(console.heading("Logs")).to_be_visible()
    ledger.wait_until(lambda: len(ledger.requests("/dead/body")) == 2, "it is sent again")
    sent = ledger.requests("/dead/body")[-1]
    assert (sent.body, sent.header("Content-Type"), sent.header("X-Order")) == (b"{}", "application/json", "8")


def test_cluster_narrows_and_its_letters_are_deleted_after_their_count_was_said(console, give_up):
    for path, status in (("/dead/a", 500), ("/dead/b", 500), ("/dead/c", 404)):
        give_up(path, status)
    console.open("dead-letters")
    expect(rows(console)).to_have_count(3)
    clusters = console.page.get_by_role("region", name="Clusters")
    expect(clusters.get_by_role("link")).to_have_count(2)
    clusters.get_by_role("link", name=re.compile(r"^500\b")).click()
    expect(rows(console)).to_have_count(2)

    console.page.get_by_role("button", name="Delete all that match").click()
    question = console.page.get_by_role("dialog", name="Delete all dead letters that match?")
    expect(question).to_contain_text("2 dead letters")
    question.get_by_role("button", name="Delete them").click()
    expect(console.page.get_by_text("2 dead letters deleted")).to_be_visible()
    console.page.get_by_role("button", name="Clear").click()
    expect(rows(console)).to_have_count(1)
    expect(rows(console)).to_contain_text("404")


def test_all_are_retried_after_their_count_was_said(console, ledger, give_up):
    for path in ("/dead/1", "/dead/2"):
        give_up(path, 503)
    console.open("dead-letters")
    expect(rows(console)).to_have_count(2)
    console.page.get_by_role("button", name="Retry all").click()
    question = console.page.get_by_role("dialog", name="Retry all dead letters?")
    expect(question).to_contain_text("2 dead letters")
    question.get_by_role("button", name="Retry them").click()
    expect(console.page.get_by_text("2 dead letters published anew")).to_be_visible()
    ledger.wait_until(lambda: len(ledger.requests("/dead/1")) == 2, "the first is sent again")
    ledger.wait_until(lambda: len(ledger.requests("/dead/2")) == 2, "so is the second")
    expect(console.page.get_by_text("No dead letters")).to_be_visible()


def test_selected_are_retried(console, ledger, give_up):
    for path in ("/dead/x", "/dead/y"):
        give_up(path, 503)
    console.open("dead-letters")
    expect(rows(console)).to_have_count(2)
    rows(console).filter(has_text="/dead/x").get_by_role("checkbox").check()
    console.page.get_by_role("button", name="Retry", exact=True).click()
    question = console.page.get_by_role("dialog", name="Retry the selected dead letters?")
    expect(question).to_contain_text("1 dead letter")
    question.get_by_role("button", name="Retry them").click()
    ledger.wait_until(lambda: len(ledger.requests("/dead/x")) == 2, "it is sent again")
    expect(rows(console)).to_have_count(1)
    expect(rows(console)).to_contain_text("/dead/y")


def test_reader_finds_nothing_to_press(tab, server, account, give_up):
    give_up("/dead/read", 500)
    asked = json.dumps({"name": "reader", "scope": "read"}).encode()
    authorization = ("Authorization", f"Bearer {account.token}")
    made = json.loads(call(server, "POST", "/v2/tokens", asked, [authorization]))
    console = tab().sign_in(made["token"]).open("dead-letters")
    rows(console).get_by_role("link").click()
    expect(console.page.get_by_role("link", name="Log", exact=True)).to_be_visible()
    for name in ("Retry", "Delete", "Edit"):
        expect(console.page.get_by_role("button", name=name)).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(console, give_up, theme):
    give_up("/dead/axe", 500)
    console.theme(theme).open("dead-letters")
    expect(rows(console)).to_have_count(1)
    expect(console.page.get_by_role("region", name="Clusters").get_by_role("link")).to_have_count(1)
    assert console.axe() == []
    rows(console).get_by_role("link").click()
    console.page.get_by_role("button", name="Edit and retry").click()
    expect(console.page.get_by_role("dialog", name="Edit and retry")).to_be_visible()
    assert console.axe() == []
