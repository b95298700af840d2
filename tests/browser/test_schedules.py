"""Schedules: made, run, changed, paused, cloned and deleted by a person."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect
from tests.e2e.calls import call


@pytest.fixture
def make_schedule(server, account):
    """A schedule of the tab's tenant; its id."""

    def make(schedule_id: str, url: str, cron: str = "0 3 1 1 *", **headers: str) -> str:
        said = {"Authorization": f"Bearer {account.token}", "Upstash-Cron": cron, "Upstash-Schedule-Id": schedule_id}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = call(server, "POST", f"/v2/schedules/{url}", b'{"a":1}', {**said, **named}.items())
        return json.loads(answer)["scheduleId"]

    return make


def rows(console):
    return console.page.get_by_role("grid", name="Schedules").get_by_role("row").filter(has=console.page.locator("a"))


def panel_of(console, schedule_id):
    return console.page.get_by_role("region", name=f"Schedule {schedule_id}", exact=True)


def test_schedule_is_made_and_run(console, ledger):
    console.open("schedules")
    expect(console.page.get_by_text("No schedules yet")).to_be_visible()
    console.page.get_by_role("button", name="New schedule").click()
    form = console.page.get_by_role("dialog", name="New schedule")
    form.get_by_label("Destination").fill(ledger.url("/schedules/made"))
    form.get_by_label("Cron expression").fill("30 7 * * 1-5")
    form.get_by_label("Time zone").fill("Europe/Berlin")
    form.get_by_label("Schedule id").fill("made")
    form.get_by_label("Body").fill('{"report":"daily"}')
    expect(form.get_by_text("At 07:30, Monday through Friday")).to_be_visible()
    expect(form.get_by_role("region", name="Next runs").get_by_role("row")).to_have_count(6)
    form.get_by_role("button", name="Create").click()

    panel = panel_of(console, "made")
    expect(panel).to_contain_text("30 7 * * 1-5 in Europe/Berlin")
    panel.get_by_role("button", name="Run now").click()
    ledger.wait_until(lambda: bool(ledger.requests("/schedules/made")), "it runs")
    sent = ledger.requests("/schedules/made")[0]
    assert (sent.body, sent.header("Content-Type")) == (b'{"report":"daily"}', "application/json")
    expect(panel.get_by_role("img", name="Last 1: 1 delivered")).to_be_visible()


def test_wrong_expression_is_told_while_it_is_typed(console):
    console.expected.add(400)
    console.open("schedules", "?form=new")
    form = console.page.get_by_role("dialog", name="New schedule")
    form.get_by_label("Cron expression").fill("99 * * * *")
    expect(form.get_by_role("alert")).to_contain_text("99")
    form.get_by_label("Often used").select_option(label="Every 5 minutes")
    expect(form.get_by_label("Cron expression")).to_have_value("*/5 * * * *")
    expect(form.get_by_role("alert")).to_have_count(0)


def test_clock_changes_before_the_next_runs_are_told(console, ledger, make_schedule):
    make_schedule("yearly", ledger.url("/schedules/yearly"), "CRON_TZ=Europe/Berlin 30 2 29 3 *")
    console.open("schedules", "/yearly")
    panel = panel_of(console, "yearly")
    expect(panel.get_by_text("clocks in Europe/Berlin go").first).to_be_visible()
    expect(panel.get_by_role("columnheader", name="UTC", exact=True)).to_be_visible()


def test_edit_keeps_what_was_not_touched_and_a_pause(console, server, account, ledger, make_schedule):
    make_schedule(
        "kept",
        ledger.url("/schedules/kept"),
        Upstash_Retries="5",
        Upstash_Label="a, b",
        Upstash_Forward_X_Order="7",
        Upstash_Cron_Jitter="5m",
        Upstash_Redact_Fields="body, header[X-Key]",
        Upstash_Forward_X_Key="secret",
        Upstash_Callback=ledger.url("/schedules/kept/callback"),
        Upstash_Callback_Method="PUT",
        Upstash_Callback_Forward_X_Report="9",
        Upstash_Standard_Webhooks="true",
    )
    console.open("schedules", "/kept")
    panel = panel_of(console, "kept")
    panel.get_by_role("button", name="Pause").click()
    expect(panel.get_by_role("button", name="Resume")).to_be_visible()
    panel.get_by_role("button", name="Edit").click()
    form = console.page.get_by_role("dialog", name="Edit kept")
    form.get_by_label("Cron expression").fill("0 4 1 1 *")
    form.get_by_role("button", name="Save").click()
    expect(panel).to_contain_text("0 4 1 1 *")

    authorization = ("Authorization", f"Bearer {account.token}")
    kept = json.loads(call(server, "GET", "/v2/schedules/kept", None, [authorization]))
    assert (kept["cron"], kept["retries"], kept["labels"], kept["jitter"]) == ("0 4 1 1 *", 5, ["a", "b"], 300)
    assert (kept["header"]["X-Order"], kept["isPaused"]) == (["7"], True)

    panel.get_by_role("button", name="Run now").click()
    ledger.wait_until(lambda: bool(ledger.requests("/schedules/kept/callback")), "its callback comes")
    sent = ledger.requests("/schedules/kept")[0]
    assert (sent.body, sent.header("X-Key")) == (b'{"a":1}', "secret")
    assert sent.header("webhook-signature")
    report = ledger.requests("/schedules/kept/callback")[0]
    assert (report.method, report.header("X-Report")) == ("PUT", "9")


def test_editor_takes_options_away_and_leaves_what_it_was_not_shown(console, server, account, ledger, make_schedule):
    make_schedule(
        "less",
        ledger.url("/schedules/less"),
        Upstash_Delay="5m",
        Upstash_Redact_Fields="header[X-Key]",
        Upstash_Forward_X_Key="secret",
    )
    console.open("schedules", "/less?form=edit")
    form = console.page.get_by_role("dialog", name="Edit less")
    form.get_by_text("More options").click()
    form.get_by_label("Delay", exact=True).fill("")
    form.get_by_label("Body").fill("")
    form.get_by_role("button", name="Save").click()
    panel = panel_of(console, "less")
    expect(panel.get_by_text("No body")).to_be_visible()
    panel.get_by_role("button", name="Run now").click()
    ledger.wait_until(lambda: bool(ledger.requests("/schedules/less")), "it runs without a delay")
    sent = ledger.requests("/schedules/less")[0]
    assert (sent.body, sent.header("X-Key")) == (b"", "secret")


def test_schedule_is_cloned_and_both_are_deleted(console, ledger, make_schedule):
    make_schedule("first", ledger.url("/schedules/cloned"), Upstash_Redact_Fields="body")
    console.open("schedules", "/first")
    panel_of(console, "first").get_by_role("button", name="Clone").click()
    form = console.page.get_by_role("dialog", name="Clone first")
    form.get_by_label("Schedule id").fill("second")
    form.get_by_role("button", name="Create").click()
    expect(panel_of(console, "second")).to_contain_text("/schedules/cloned")
    expect(rows(console)).to_have_count(2)

    console.page.get_by_role("checkbox", name="Select all that are loaded").check()
    console.page.locator("header").get_by_role("button", name="Delete").first.click()
    question = console.page.get_by_role("dialog", name="Delete the selected schedules?")
    expect(question).to_contain_text("2 schedules")
    question.get_by_role("button", name="Delete").click()
    expect(console.page.get_by_text("No schedules yet")).to_be_visible()


def test_nothing_is_written_over_unasked(console, ledger, make_schedule):
    make_schedule("taken", ledger.url("/schedules/taken"))
    console.open("schedules", "/taken?form=clone")
    form = console.page.get_by_role("dialog", name="Clone taken")
    form.get_by_label("Schedule id").fill("taken")
    form.get_by_label("Cron expression").fill("0 5 1 1 *")
    form.get_by_role("button", name="Create").click()
    question = console.page.get_by_role("dialog", name="Write over the schedule taken?")
    question.get_by_role("button", name="Keep as it is").click()
    expect(question).to_have_count(0)
    form.get_by_role("button", name="Leave it").click()
    expect(panel_of(console, "taken")).to_contain_text("0 3 1 1 *")


def test_row_runs_at_once(console, ledger, make_schedule):
    make_schedule("quick", ledger.url("/schedules/quick"))
    console.open("schedules")
    console.page.get_by_role("button", name="Run quick now").click()
    ledger.wait_until(lambda: bool(ledger.requests("/schedules/quick")), "it runs")


def test_reader_finds_nothing_to_press(tab, server, account, ledger, make_schedule):
    make_schedule("read", ledger.url("/schedules/read"))
    asked = json.dumps({"name": "reader", "scope": "read"}).encode()
    authorization = ("Authorization", f"Bearer {account.token}")
    made = json.loads(call(server, "POST", "/v2/tokens", asked, [authorization]))
    console = tab().sign_in(made["token"]).open("schedules", "/read?form=edit")
    expect(panel_of(console, "read")).to_contain_text("0 3 1 1 *")
    for name in ("New schedule", "Run", "Pause", "Edit", "Clone", "Delete"):
        expect(console.page.get_by_role("button", name=name)).to_have_count(0)
    expect(console.page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(console, ledger, make_schedule, theme):
    make_schedule("axe", ledger.url("/schedules/axe"), "CRON_TZ=Europe/Berlin 30 2 29 3 *")
    console.theme(theme).open("schedules")
    expect(rows(console)).to_have_count(1)
    assert console.axe() == []
    console.open("schedules", "/axe")
    expect(panel_of(console, "axe").get_by_role("region", name="Next runs")).to_be_visible()
    assert console.axe() == []
    panel_of(console, "axe").get_by_role("button", name="Edit").click()
    form = console.page.get_by_role("dialog", name="Edit axe")
    expect(form.get_by_role("region", name="Next runs")).to_be_visible()
    form.get_by_text("More options").click()
    assert console.axe() == []
