"""The overview: from the first message to the logs of a spike."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
import urllib.request

import pytest
from playwright.sync_api import Route, expect
from tests.browser.console import SILENT

THEMES = ("light", "dark")
BY_SECOND = re.compile(r"/v2/activity\?.*points=240")


def publish(account, destination, **options):
    headers = {"Authorization": f"Bearer {account.token}", "Content-Type": "application/json"}
    headers |= {f"Upstash-{name.replace('_', '-')}": value for name, value in options.items()}
    request = urllib.request.Request(
        f"{account.url}/v2/publish/{destination}", data=b'{"order": 7}', headers=headers, method="POST"
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["messageId"]


@pytest.fixture
def place():
    return f"/{secrets.token_hex(6)}"


@pytest.fixture
def busy(console, account, ledger, place):
    """An overview of an account with two messages that arrived and one that was given up."""
    publish(account, ledger.url(place))
    publish(account, ledger.url(place))
    publish(account, ledger.answer(f"{place}-failing", status=500), Retries="0")
    ledger.wait_for(place, 2)
    ledger.wait_for(f"{place}-failing")
    console.open("overview", "?range=15m")
    expect(console.page.get_by_role("heading", name="Messages a second")).to_be_visible()
    return console


@pytest.fixture
def still(busy):
    """The same overview, which stays as it was read: what is chosen on a chart moves with no new point."""
    expect(busy.page.get_by_role("meter", name="5xx")).to_have_attribute("aria-valuenow", "1")
    busy.page.add_init_script(SILENT)
    busy.open("overview", "?range=15m")
    expect(busy.page.get_by_role("heading", name="Messages a second")).to_be_visible()
    return busy


def test_first_message_is_sent_by_the_code_that_is_shown(console, account, ledger, place):
    page = console.page
    expect(page.get_by_role("heading", name="Send the first message")).to_be_visible()
    environment = page.get_by_role("region", name="environment variables")
    expect(environment).to_contain_text(f"QSTASH_URL={account.url}")
    expect(environment).not_to_contain_text(account.token)
    page.get_by_role("button", name="Show secrets").click()
    expect(environment).to_contain_text(account.token)

    page.get_by_label("Destination").fill(ledger.url(place))
    page.get_by_role("tab", name="Python").click()
    code = page.get_by_role("region", name="Python code").inner_text()
    subprocess.run([sys.executable, "-c", code], env={"QSTASH_TOKEN": account.token}, check=True, timeout=30)

    (received,) = ledger.wait_for(place)
    assert json.loads(received.body) == {"hello": "world"}
    expect(page.get_by_role("heading", name="Messages a second")).to_be_visible()
    expect(page.get_by_role("list", name="Right now")).to_contain_text("Accepted")


UNTIL_COUNTED = """
async (wanted) => {
  for (;;) {
    const { totals } = await (await fetch('/v2/activity?points=1')).json()
    if (totals.delivered === wanted) return
  }
}
"""

UNTIL_REMEMBERED = """
async (wanted) => {
  for (;;) {
    const { points, to } = await (await fetch(`/v2/activity?from=${Date.now() - 120_000}&points=240`)).json()
    const lately = points.filter(({ time }) => time <= to - 3000).slice(-8)
    const sum = (name) => lately.reduce((sum, one) => sum + one[name], 0)
    if (sum('accepted') >= wanted && sum('delivered') >= wanted) return
  }
}
"""
"""Until so many are of the last ten seconds that the overview remembers, and will be for two more."""


def test_rates_are_there_before_the_first_pulse(console, account, ledger, place):
    publish(account, ledger.url(place))
    console.page.evaluate(UNTIL_COUNTED, 1)
    console.page.add_init_script(SILENT)
    console.open("overview")
    now = console.page.get_by_role("list", name="Right now").get_by_role("listitem")
    for label in ("Accepted", "Delivered"):
        expect(now.filter(has_text=label)).to_contain_text("\u2013")
    for _ in range(3):
        publish(account, ledger.url(place))
    console.page.evaluate(UNTIL_REMEMBERED, 3)
    console.page.evaluate("beginEvents()")
    for label in ("Accepted", "Delivered"):
        expect(now.filter(has_text=label)).to_contain_text(re.compile(r"\d\.\d+\s*/ s"))


def test_no_rate_is_told_before_there_is_one(console, account, ledger, place):
    publish(account, ledger.url(place))
    ledger.wait_for(place)
    console.page.evaluate(UNTIL_COUNTED, 1)
    console.page.add_init_script(SILENT)
    console.page.route(BY_SECOND, answer_without_points)
    console.open("overview")
    with console.page.expect_response(BY_SECOND) as remembered:
        console.page.evaluate("beginEvents()")
    remembered.value.finished()
    now = console.page.get_by_role("list", name="Right now").get_by_role("listitem")
    expect(now.filter(has_text="Accepted")).to_contain_text("\u2013")


def answer_without_points(route: Route) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, json={**answer.json(), "points": []})


def test_figures_follow_what_happens(busy, account, ledger, place):
    page = busy.page
    errors = page.get_by_role("list", name="Errors by kind")
    expect(errors).to_contain_text("5xx")
    expect(errors.get_by_role("meter", name="5xx")).to_have_attribute("aria-valuenow", "1")
    publish(account, ledger.url(f"{place}-failing"), Retries="0")
    expect(errors.get_by_role("meter", name="5xx")).to_have_attribute("aria-valuenow", "2")


def test_spike_leads_to_the_logs_of_its_time(still):
    page = still.page
    page.get_by_role("button", name="Show Errors by kind as a table").click()
    table = page.get_by_role("region", name="Errors by kind, table")
    row = table.get_by_role("row").filter(has=page.get_by_role("cell", name=re.compile("^[1-9]")))
    row.first.get_by_role("button").click()
    still.arrived("logs")
    assert re.search(r"[?&]state=FAILED&fromDate=\d+&toDate=\d+", page.url)


def test_press_on_the_chart_leads_there_too(still):
    plot = still.page.get_by_role("region", name="Messages a second").locator(".u-over")
    box = plot.bounding_box()
    still.page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    still.arrived("logs")
    assert re.search(r"[?&]fromDate=\d+&toDate=\d+", still.page.url)


def test_range_and_zoom_are_part_of_the_link(still):
    page = still.page
    page.get_by_role("button", name="6 h", exact=True).click()
    expect(page).to_have_url(re.compile(r"\?range=6h$"))
    expect(page.get_by_role("heading", name="The last 6 h")).to_be_visible()
    expect(page.get_by_text("Each point is 5 min")).to_be_visible()

    plot = page.get_by_role("region", name="Messages a second").locator(".u-over")
    box = plot.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 40, steps=5)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"overview\?from=\d+&to=\d+$|console\?from=\d+&to=\d+$"))
    page.reload()
    expect(page.get_by_role("button", name="6 h", exact=True)).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Back to now").click()
    expect(page.get_by_role("heading", name="The last 1 h")).to_be_visible()


def test_chart_is_zoomed_by_keys(still):
    page = still.page
    shown = re.compile(r"\?from=(\d+)&to=(\d+)$")
    chart = page.get_by_role("slider", name="Messages a second")
    chart.focus()
    last = int(chart.get_attribute("aria-valuenow"))
    page.keyboard.press("ArrowLeft")
    expect(chart).to_have_attribute("aria-valuenow", str(last - 1))
    expect(chart).to_have_attribute("aria-valuetext", re.compile(r"^\d\d-\d\d \d\d:\d\d:\d\d, Accepted "))
    for _ in range(10):
        page.keyboard.press("Shift+ArrowLeft")
    expect(chart).to_have_attribute("aria-valuetext", re.compile(r" to "))
    assert page.locator(".u-select").first.bounding_box()["width"] > 0
    page.keyboard.press("Enter")
    expect(page).to_have_url(shown)
    from_, to = map(int, shown.search(page.url).groups())
    assert 0 < to - from_ < 15 * 60_000 / 2

    expect(page.get_by_role("button", name="Back to now")).to_be_visible()
    chart.focus()
    page.keyboard.press("-")
    expect(page).not_to_have_url(re.compile(f"from={from_}&"))
    wider_from, wider_to = map(int, shown.search(page.url).groups())
    assert wider_to - wider_from > to - from_


def test_point_of_a_chart_leads_to_its_logs_by_keys(busy):
    chart = busy.page.get_by_role("slider", name="Messages a second")
    chart.focus()
    busy.page.keyboard.press("Home")
    busy.page.keyboard.press("Enter")
    busy.arrived("logs")
    assert re.search(r"[?&]fromDate=\d+&toDate=\d+", busy.page.url)


@pytest.mark.parametrize("theme", THEMES)
def test_everybody_can_use_it(busy, theme):
    assert busy.theme(theme).axe() == []


@pytest.mark.parametrize("theme", THEMES)
def test_everybody_can_use_it_before_the_first_message(console, theme):
    expect(console.page.get_by_role("heading", name="Send the first message")).to_be_visible()
    assert console.theme(theme).axe() == []
