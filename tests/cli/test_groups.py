"""`outrider groups audit` on a real SQLite file."""

import asyncio
import json
import re

import pytest
from tests.factories import make_leased, make_settlement, refused, succeeded

from outrider.clock import SystemClock
from outrider.domain.addresses import AddressPolicy
from outrider.domain.limits import Limits
from outrider.domain.url_group import Endpoint
from outrider.engine.url_groups import UrlGroups
from outrider.store.sqlite import SqliteStore

GOOD = "https://good.example/x"
BAD = "https://bad.example/x"


@pytest.fixture
def fill(folder, run):
    """Add a tenant with a group, and attempts that ended just now: (url, outcome) each."""

    def fill(tenant, endpoints, attempts=(), *, group="news", ended_ago_ms=0):
        run("tenant", "add", tenant)
        database = folder / ".outrider" / "outrider.db"
        asyncio.run(_fill(database, tenant, endpoints, attempts, group=group, ended_ago_ms=ended_ago_ms))

    return fill


async def _fill(database, tenant_name, endpoints, attempts, *, group, ended_ago_ms):
    store = await SqliteStore.open(database, exclusive=False)
    (tenant,) = [one.id for one in await store.list_tenants() if one.name == tenant_name]
    clock = SystemClock()
    ended_at = clock.now() - ended_ago_ms
    await UrlGroups(store, clock, AddressPolicy(), Limits()).add_endpoints(tenant, group, endpoints)
    for url, outcome in attempts:
        message = make_leased(tenant=tenant, url=url, group=group, created_at=ended_at - 100, retries=0)
        await store.add([message], ended_at)
        await store.apply([make_settlement(message, outcome, ended_at=ended_at)], ended_at)
    await store.close()


def test_a_healthy_group_is_printed_and_the_exit_code_is_0(run, fill):
    fill("acme", [Endpoint(GOOD, "good")], [(GOOD, succeeded()), (GOOD, refused())])
    code, out, err = run("groups", "audit")
    header, row = out.splitlines()
    assert (code, err) == (0, "")
    assert header.split("  ")[0] == "tenant"
    assert re.split(r" {2,}", row) == [
        "acme", "news", f"good ({GOOD})", "2", "50.0%", "0.05s", "0.05s", "-", "destination answered 500",
    ]  # fmt: skip


def test_a_flagged_endpoint_makes_the_exit_code_1(run, fill):
    fill("acme", [Endpoint(GOOD), Endpoint(BAD)], [(GOOD, succeeded()), *[(BAD, refused())] * 3])
    code, out, _ = run("groups", "audit")
    assert code == 1
    assert "dead never_succeeding" in out.splitlines()[2]
    assert "dead" not in out.splitlines()[1]


def test_two_spellings_of_one_url_are_flagged(run, fill):
    fill("acme", [Endpoint(GOOD), Endpoint(f"{GOOD}/")])
    code, out, _ = run("groups", "audit")
    assert code == 1
    assert out.count("duplicate") == 2


def test_figures_are_given_as_json(run, fill):
    fill("acme", [Endpoint(GOOD, "good"), Endpoint(BAD)], [(GOOD, succeeded())])
    code, out, _ = run("groups", "audit", "--json")
    good, bad = json.loads(out)
    assert code == 0
    assert good.pop("lastSuccessTime") > 0
    assert good == {
        "tenant": "acme",
        "group": "news",
        "url": GOOD,
        "name": "good",
        "attempts": 1,
        "successes": 1,
        "successRate": 1.0,
        "latencyP50": 50,
        "latencyP95": 50,
        "flags": [],
    }
    assert bad == {"tenant": "acme", "group": "news", "url": BAD, "attempts": 0, "successes": 0, "flags": []}


def test_one_tenant_may_be_audited_alone(run, fill):
    fill("acme", [Endpoint(BAD)], [(BAD, refused())] * 3)
    fill("zeta", [Endpoint(GOOD)], [(GOOD, succeeded())])
    assert run("groups", "audit")[0] == 1
    code, out, _ = run("groups", "audit", "--tenant", "zeta")
    assert code == 0
    assert [row.split()[0] for row in out.splitlines()] == ["tenant", "zeta"]


def test_the_window_says_how_far_to_look_back(run, fill):
    fill("acme", [Endpoint(GOOD)], [(GOOD, succeeded())], ended_ago_ms=3 * 3_600_000)

    def attempts(*window):
        return json.loads(run("groups", "audit", "--json", *window)[1])[0]["attempts"]

    assert [attempts(), attempts("--window", "2h"), attempts("--window", "4h")] == [1, 0, 1]


@pytest.mark.parametrize(("window", "said"), [("5x", "is not a duration"), ("4d", "3d, for which the log is kept")])
def test_a_window_that_breaks_its_rule_is_no_finding(run, fill, window, said):
    fill("acme", [Endpoint(GOOD)])
    code, out, err = run("groups", "audit", "--window", window)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: --window '{window}' ")
    assert said in err


def test_what_does_not_exist_is_named(run, fill):
    assert "there is no store" in run("groups", "audit")[2]
    fill("acme", [Endpoint(GOOD)])
    assert "tenant 'gone' does not exist" in run("groups", "audit", "--tenant", "gone")[2]
