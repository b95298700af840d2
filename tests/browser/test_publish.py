"""The form of Publish: what it previews, what it sends, and the code beside it."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
import urllib.request
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

THEMES = ("light", "dark")

NOTE_WHAT_IS_SAID = """
globalThis.said = new Set()
new MutationObserver(() => {
  for (const { textContent } of document.querySelectorAll('[role=status]')) said.add(textContent)
}).observe(document.body, { subtree: true, childList: true, characterData: true })
"""
"""Of what is said for a moment only, whoever looks too late would see nothing."""


@pytest.fixture
def place():
    return f"/{secrets.token_hex(6)}"


def ask(account, method, path, body=None):
    headers = {"Authorization": f"Bearer {account.token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(account.url + path, data=data, headers=headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def add_a_header(page):
    page.get_by_role("button", name="Add a header").click()
    expect(page.get_by_label("Name of header 1")).to_be_focused()  # a moment later: what is typed before goes astray


def test_message_is_sent_and_seen_to_arrive(console, ledger, place):
    page = console.open("publish").page
    page.get_by_label("Destination").fill(ledger.url(place))
    page.get_by_label("Method").select_option("PUT")
    page.get_by_label("Body").fill('{"order": 7}')
    add_a_header(page)
    page.get_by_label("Name of header 1").fill("X-Order")
    page.get_by_label("Value of header 1").fill("7")
    page.get_by_label("Label").fill("billing")
    page.get_by_role("button", name="Publish", exact=True).click()

    (received,) = ledger.wait_for(place)
    assert (received.method, received.body) == ("PUT", b'{"order": 7}')
    assert received.header("X-Order") == "7"
    assert received.header("Content-Type") == "application/json"
    assert received.header("Upstash-Label") == "billing"
    sent = page.get_by_role("region", name="Published here")
    expect(sent).to_contain_text(received.message_id)
    expect(sent).to_contain_text("Delivered")


def test_every_attempt_is_foreseen(console, ledger, place):
    page = console.open("publish").page
    page.get_by_label("Destination").fill(ledger.url(place))
    page.get_by_label("After a delay").check()
    page.get_by_label("Delay", exact=True).fill("1h30m")
    page.get_by_text("Retries and timeout").click()
    page.get_by_label("Retries").fill("2")
    page.get_by_label("Retry delay").fill("1000 * pow(2, retried)")
    preview = page.get_by_role("region", name="Preview")
    expect(preview).to_contain_text("in 1 h 30 min")
    expect(preview.get_by_role("row", name=re.compile("Retry 1 1 s"))).to_be_visible()
    expect(preview.get_by_role("row", name=re.compile("Retry 2 2 s"))).to_be_visible()
    assert ledger.requests(place) == []


def test_what_the_server_refuses_stands_at_its_field(console, ledger, place):
    console.expected = {400}
    page = console.open("publish").page
    page.get_by_label("Destination").fill(ledger.url(place))
    page.get_by_label("After a delay").check()
    delay = page.get_by_label("Delay", exact=True)
    delay.fill("soon")
    expect(delay).to_have_attribute("aria-invalid", "true")
    delay.fill("10s")
    expect(delay).not_to_have_attribute("aria-invalid", "true")


def test_form_is_its_link_but_for_secrets(console, ledger, place):
    page = console.open("publish").page
    page.get_by_label("Destination").fill(ledger.url(place))
    page.get_by_label("Body").fill("a & b")
    add_a_header(page)
    page.get_by_label("Name of header 1").fill("Authorization")
    page.get_by_label("Value of header 1").fill("Bearer hidden")
    expect(page).to_have_url(re.compile(r"body=a\+%26\+b&header=Authorization%3A\+$"))
    assert "hidden" not in page.url
    expect(page.get_by_text("leaves out Authorization")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Body")).to_have_value("a & b")
    expect(page.get_by_label("Name of header 1")).to_have_value("Authorization")
    expect(page.get_by_label("Value of header 1")).to_have_value("")


def test_schedule_is_foreseen_made_and_written_over(console, account, ledger, place):
    page = console.open("publish", "?" + urlencode({"to": ledger.url(place)})).page
    page.get_by_role("button", name="Save as schedule").click()
    expect(page.get_by_label("Cron")).to_be_focused()
    page.get_by_label("Cron").fill("0 9 * * MON-FRI")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_label("Schedule id").fill("daily")
    preview = page.get_by_role("region", name="Preview")
    expect(preview).to_contain_text("At 09:00, Monday through Friday")
    expect(preview.get_by_role("row", name=re.compile("09:00"))).to_have_count(5)
    expect(page).to_have_url(re.compile("[?&]scheduleId=daily"))  # which is come back to
    page.get_by_role("button", name="Create schedule").click()
    expect(page).to_have_url(re.compile("/console/schedules/daily$"))
    assert [(one["scheduleId"], one["cron"]) for one in ask(account, "GET", "/v2/schedules")] == [
        ("daily", "CRON_TZ=Europe/Berlin 0 9 * * MON-FRI")
    ]

    page.go_back()
    page.get_by_label("Cron").fill("0 10 * * *")
    page.get_by_role("button", name="Create schedule").click()
    expect(page.get_by_role("dialog")).to_contain_text("Write over the schedule daily?")
    page.get_by_role("button", name="Write over it").click()
    expect(page).to_have_url(re.compile("/console/schedules/daily$"))
    assert [one["cron"] for one in ask(account, "GET", "/v2/schedules")] == ["CRON_TZ=Europe/Berlin 0 10 * * *"]


@pytest.mark.parametrize("queue", ["", "orders"])
def test_python_code_sends_what_the_form_would(console, account, ledger, place, queue):
    options = {
        "to": ledger.url(place),
        "queue": queue,
        "body": json.dumps({"text": 'it\'s "quoted" \\ $HOME ü 😀\n', "number": 12345678901234567890}),
        "header": "X-Order: a 'b' \"c\"",
        "label": "billing",
        "flowControlKey": secrets.token_hex(4),
        "rate": "5",
        "period": "1m",
        "code": "python",
    }
    page = console.open("publish", "?" + urlencode({name: value for name, value in options.items() if value})).page
    code = page.get_by_role("region", name="Python code").inner_text()
    subprocess.run([sys.executable, "-c", code], env={"QSTASH_TOKEN": account.token}, check=True, timeout=30)
    (received,) = ledger.wait_for(place)
    assert json.loads(received.body) == json.loads(options["body"])
    assert received.header("Content-Type") == "application/json"
    assert received.header("X-Order") == "a 'b' \"c\""
    assert received.header("Upstash-Label") == "billing"
    assert received.header("Upstash-Queue-Name") == (queue or None)


def test_environment_is_copied_whole_though_it_is_shown_without_secrets(console, account):
    console.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    console.go("publish")
    shown = console.page.get_by_role("region", name="environment variables")
    expect(shown).to_contain_text("QSTASH_NEXT_SIGNING_KEY")
    expect(shown).not_to_contain_text(account.token)
    console.page.evaluate(NOTE_WHAT_IS_SAID)
    console.page.get_by_role("button", name="Copy environment variables").click()
    console.page.wait_for_function("said.has('Copied')")
    copied = console.page.evaluate("navigator.clipboard.readText()")
    assert f"QSTASH_URL={account.url}" in copied
    assert account.token in copied
    assert account.current in copied


def test_whoever_may_only_read_sees_all_and_sends_nothing(tab, account, ledger, place):
    reader = ask(account, "POST", "/v2/tokens", {"name": "reader", "scope": "read"})
    page = tab().sign_in(reader["token"]).open("publish").page
    page.get_by_label("Destination").fill(ledger.url(place))
    expect(page.get_by_role("region", name="Preview")).to_contain_text("Delivered at once")
    expect(page.get_by_role("region", name="curl code")).to_contain_text(place)
    for name in ("Publish", "Save as schedule", "Create schedule"):
        expect(page.get_by_role("main").get_by_role("button", name=name, exact=True)).to_have_count(0)


@pytest.mark.parametrize("theme", THEMES)
def test_everybody_can_use_it(console, ledger, place, theme):
    query = {"to": ledger.url(place), "cron": "0 9 * * *", "timezone": "Europe/Berlin", "header": "X-A: 1"}
    page = console.theme(theme).open("publish", "?" + urlencode(query)).page
    expect(page.get_by_role("region", name="Preview")).to_contain_text("At 09:00")
    assert console.axe() == []
