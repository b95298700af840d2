"""Coming in to the console, and going out."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.e2e.server_process import run_outrider


def test_pasted_token_signs_in(tab, account):
    console = tab().sign_in(account.token)
    expect(console.page.get_by_text(account.name, exact=True)).to_be_visible()


def test_wrong_token_is_refused_in_a_sentence(tab):
    console = tab()
    console.expected.add(401)
    console.page.goto(f"{console.url}/console")
    console.page.get_by_label("Token", exact=True).fill("nonsense")
    console.page.get_by_role("button", name="Sign in").click()
    expect(console.page.get_by_text("not known here")).to_be_visible()


def test_link_signs_in_once(tab, server, account):
    made = run_outrider("console", "link", "--tenant", account.name, "--data", str(server.data), "--url", server.url)
    link = made.strip()
    first, second = tab(), tab()
    first.page.goto(link)
    expect(first.page.get_by_text(account.name, exact=True)).to_be_visible()
    assert "#" not in first.page.url
    second.expected.add(401)
    second.page.goto(link)
    expect(second.page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(second.page.get_by_role("alert")).to_be_visible()


def test_who_follows_a_link_signed_out_comes_to_it_signed_in(tab, account):
    console = tab()
    console.page.goto(f"{console.url}/console/logs?state=DELIVERED")
    console.page.get_by_label("Token", exact=True).fill(account.token)
    console.page.get_by_role("button", name="Sign in").click()
    console.arrived("logs")
    assert console.page.url.endswith("/console/logs?state=DELIVERED")


def test_signing_out_ends_the_session(console):
    console.expected.add(401)  # what the overview was still asking for
    console.page.get_by_role("button", name="Sign out").click()
    expect(console.page.get_by_label("Token", exact=True)).to_be_visible()
    assert not console.page.context.cookies()
    console.page.goto(f"{console.url}/console/logs")
    expect(console.page.get_by_label("Token", exact=True)).to_be_visible()


def test_no_script_can_read_the_session(console):
    (cookie,) = console.page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert console.page.evaluate("document.cookie") == ""


@pytest.mark.parametrize("path", ["/console", "/console/logs", "/console/anything/else"])
def test_pages_come_with_the_policy_that_allows_no_foreign_script(tab, path):
    console = tab()
    answer = console.page.goto(console.url + path)
    policy = answer.header_value("content-security-policy")
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;")
    assert "unsafe" not in policy
    assert answer.header_value("x-content-type-options") == "nosniff"


def test_first_paint_within_a_second_and_150_kilobytes(tab, account):
    console = tab()
    finished = []

    def note(request):  # its size is asked for later: here, nothing would wait for the answer
        finished.append(request)

    console.page.on("requestfinished", note)
    console.sign_in(account.token)
    console.open("logs")
    painted = console.page.wait_for_function("performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
    assert painted.json_value() < 1000
    assert 10_000 < sum(request.sizes()["responseBodySize"] for request in finished) < 150_000
