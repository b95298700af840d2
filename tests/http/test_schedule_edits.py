"""An edit changes what it says, and nothing else: asked of every option that the table has, now and later."""

from __future__ import annotations

import pytest
from msgspec import UNSET, structs

from outrider.domain.instant import DAY_MS, SECOND_MS
from outrider.domain.limits import Limits
from outrider.domain.options import OptionPatch
from outrider.wire.option_table import OPTIONS

URL = "https://example.com/a"
CRON = "*/5 * * * *"
CALLBACKS = ("Upstash-Callback", "Upstash-Failure-Callback")
OF_CALLBACKS = {
    f"{carrier}-{option.name.removeprefix('Upstash-')}": option.example
    for carrier in CALLBACKS
    for option in OPTIONS
    if option.in_callbacks
}
FORWARDED = {"Upstash-Forward-X-Order": "7", **{f"{carrier}-Forward-X-Report": "8" for carrier in CALLBACKS}}
EVERY_OPTION = {
    **{option.name: option.example for option in OPTIONS},
    **OF_CALLBACKS,
    **FORWARDED,
    "Content-Type": "text/plain",
}
NEVER_TAKEN_AWAY = {"Upstash-Cron", "Upstash-Schedule-Id", "Upstash-Header-Forward"}
TOGETHER = {
    "Upstash-Callback-Flow-Control-Key",
    "Upstash-Failure-Callback-Flow-Control-Key",
    "Upstash-Flow-Control-Key",
}
"""Each with its `-Value`: neither may be said without the other."""


def fits(name, *, queued):
    """A message of a queue has no delayed callback, so that no one schedule has every option."""
    is_delay = name in OF_CALLBACKS and name.endswith(("-Delay", "-Not-Before")) and not name.endswith("Retry-Delay")
    return name not in (({"Upstash-Queue-Name"}) if not queued else ()) and not (queued and is_delay)


EVERYTHING = [
    {name: value for name, value in EVERY_OPTION.items() if fits(name, queued=queued)} for queued in (True, False)
]


@pytest.fixture
async def api(api_with):
    """One that may be told to wait as long as an example says."""
    async with api_with(Limits(delay_ms=100 * 365 * DAY_MS)) as opened:
        yield opened


async def created(api, headers, body=b"hi"):
    response = await api.call("POST", f"/v2/schedules/{URL}", headers={"Upstash-Cron": CRON, **headers}, content=body)
    assert response.status_code == 200, response.text
    return await stored(api, response.json()["scheduleId"])


async def stored(api, schedule_id):
    return await api.engine.store.get_schedule(api.tenant, schedule_id)


async def edited(api, schedule_id, query="", **more):
    response = await api.call("PATCH", f"/v2/schedules/{schedule_id}{query}", **more)
    assert response.status_code == 200, response.text
    return await stored(api, schedule_id)


def said(schedule):
    """What was said of it: not who it is, and not what it has done."""
    return structs.replace(schedule, id="", created_at=0, updated_at=0, next_fire_at=None)


def test_between_them_these_say_everything_that_there_is():
    assert EVERYTHING[0].keys() | EVERYTHING[1].keys() == EVERY_OPTION.keys()
    assert {option.name for option in OPTIONS} <= EVERY_OPTION.keys()


async def test_every_field_of_the_options_is_kept_by_a_schedule(api):
    """So that what follows asks of a new field too."""
    kept = await created(api, EVERYTHING[1])
    own = {"queue", "cron", "cron_jitter_ms", "schedule_id"}
    unsaid = {name for name in OptionPatch.__struct_fields__ if getattr(kept.patch, name) is UNSET}
    assert unsaid == own
    assert {name for name in unsaid if getattr(kept.patch.callback.options, name) is not UNSET} == set()
    queued = await created(api, EVERYTHING[0])
    assert (queued.queue, queued.jitter_ms, queued.id) == ("orders", 300 * SECOND_MS, "weekday-report")


@pytest.mark.parametrize("everything", EVERYTHING, ids=["queued", "not queued"])
async def test_an_edit_of_the_expression_loses_nothing(api, everything):
    before = await created(api, everything)
    after = await edited(api, before.id, headers={"upstash-cron": "0 4 1 1 *"})
    assert after.cron == "0 4 1 1 *"
    assert said(structs.replace(after, cron=before.cron)) == said(before)
    assert (after.id, after.created_at, after.body) == (before.id, before.created_at, b"hi")


@pytest.mark.parametrize("everything", EVERYTHING, ids=["queued", "not queued"])
async def test_a_copy_has_everything_that_was_said(api, everything):
    before = await created(api, everything)
    response = await api.call("POST", f"/v2/schedules/{before.id}/copy", headers={"upstash-schedule-id": "other"})
    assert response.json()["scheduleId"] == "other"
    assert said(await stored(api, "other")) == said(before)
    assert await stored(api, before.id) == before
    response = await api.call("POST", f"/v2/schedules/{before.id}/copy", headers={"upstash-retries": "1"})
    assert response.json()["scheduleId"].startswith("scd_")
    assert (await stored(api, response.json()["scheduleId"])).patch == structs.replace(before.patch, retries=1)


@pytest.mark.parametrize("name", [name for name in EVERY_OPTION if name not in NEVER_TAKEN_AWAY])
async def test_what_is_taken_away_is_gone_and_nothing_else(api, name):
    everything = next(each for each in EVERYTHING if name in each)
    gone = {name}
    if name in CALLBACKS:
        gone |= {other for other in everything if other.startswith(f"{name}-")}
    if "-Flow-Control-" in name:
        gone |= {f"{name.rpartition('-')[0]}-{part}" for part in ("Key", "Value")}
    without = await created(api, {other: value for other, value in everything.items() if other not in gone})
    await created(api, everything)
    after = await edited(api, without.id, headers={"outrider-unset": name})
    assert said(after) == said(without)


@pytest.mark.parametrize("name", [name for name in EVERY_OPTION if name not in NEVER_TAKEN_AWAY])
async def test_what_is_added_is_there_and_nothing_else(api, name):
    with_it = next(each for each in EVERYTHING if name in each)
    added = {each: with_it[each] for each in with_it if each == name or _belongs(each, name)}
    others = {each: value for each, value in with_it.items() if each not in added}
    if name in CALLBACKS:
        others = {each: value for each, value in others.items() if not each.startswith(name)}
        with_it = {**others, **added}
    before = await created(api, others)
    # A Content-Type alone would be that of a body that the edit brings.
    added = {name.replace("Content-Type", "Upstash-Forward-Content-Type"): value for name, value in added.items()}
    after = await edited(api, before.id, headers=added)
    expected = await created(api, {**with_it, "Upstash-Schedule-Id": "expected"})
    assert _sorted(said(after)) == _sorted(said(expected))


def _belongs(each, name):
    return "-Flow-Control-" in name and each.rpartition("-")[0] == name.rpartition("-")[0]


def _sorted(schedule):
    """Different names have no order among headers."""
    if schedule.patch.headers is UNSET:
        return schedule
    headers = tuple(sorted(schedule.patch.headers))
    return structs.replace(schedule, patch=structs.replace(schedule.patch, headers=headers))


async def test_an_edit_answers_with_the_schedule(api):
    schedule = await created(api, {})
    response = await api.call("PATCH", f"/v2/schedules/{schedule.id}", headers={"upstash-retries": "1"})
    assert response.json() == (await api.call("GET", f"/v2/schedules/{schedule.id}")).json()
    assert response.json()["retries"] == 1


async def test_a_body_that_comes_takes_the_place_of_the_old_one(api):
    schedule = await created(api, {"content-type": "text/plain"})
    after = await edited(api, schedule.id, content=b"other")
    assert (after.body, after.patch.headers) == (b"other", (("Content-Type", "text/plain"),))
    after = await edited(api, schedule.id, content=b"{}", headers={"content-type": "application/json"})
    assert (after.body, after.patch.headers) == (b"{}", (("Content-Type", "application/json"),))
    after = await edited(api, schedule.id, headers={"content-type": "application/x-www-form-urlencoded"})
    assert (after.body, after.patch.headers) == (b"{}", (("Content-Type", "application/json"),))
    after = await edited(api, schedule.id, headers={"outrider-unset": "body, Content-Type"})
    assert (after.body, after.patch) == (b"", OptionPatch())


async def test_what_is_redacted_stays_though_its_editor_never_saw_it(api):
    headers = {"upstash-redact-fields": "body, header[X-Key]", "upstash-forward-x-key": "secret"}
    schedule = await created(api, headers)
    after = await edited(api, schedule.id, headers={"upstash-forward-x-other": "1"})
    assert (after.body, dict(after.patch.headers)) == (b"hi", {"X-Key": "secret", "X-Other": "1"})
    assert "secret" not in (await api.call("GET", f"/v2/schedules/{schedule.id}")).text


async def test_the_destination_is_edited_by_a_parameter(api):
    schedule = await created(api, {})
    after = await edited(api, schedule.id, "?destination=https://example.com/b%3Fx%3D1")
    assert after.destination.text == "https://example.com/b?x=1"
    assert said(structs.replace(after, destination=schedule.destination)) == said(schedule)


async def test_a_pause_and_what_the_last_run_did_stay(api):
    schedule = await created(api, {})
    done = {"last_fired_at": 1, "last_message_ids": ("msg_1",), "last_trigger": 1, "error": "why not"}
    await api.engine.store.change_schedule(api.tenant, schedule.id, lambda before: structs.replace(before, **done))
    assert (await api.call("POST", f"/v2/schedules/{schedule.id}/pause")).status_code == 200
    after = await edited(api, schedule.id, headers={"upstash-cron": "0 4 1 1 *"})
    assert after.paused
    assert {name: getattr(after, name) for name in done} == done


async def test_what_else_is_edited_leaves_the_next_run_as_it_was(api):
    schedule = await created(api, {"Upstash-Cron-Jitter": "4m"})
    await api.clock.advance(299 * SECOND_MS)
    after = await edited(api, schedule.id, headers={"upstash-retries": "1"})
    assert after.next_fire_at == schedule.next_fire_at


async def test_a_schedule_that_fires_meanwhile_is_edited_as_it_then_is(api, monkeypatch):
    schedule = await created(api, {})
    engine, draft, looks = api.engine, api.engine.publisher.draft, []

    async def another_comes_first(request):
        looks.append(request)
        if len(looks) == 1:
            await engine.schedules.pause(api.tenant, schedule.id)
        return await draft(request)

    monkeypatch.setattr(engine.publisher, "draft", another_comes_first)
    after = await edited(api, schedule.id, headers={"upstash-retries": "1"})
    assert (after.paused, after.patch.retries, len(looks)) == (True, 1, 2)


@pytest.mark.parametrize(
    ("query", "headers", "content", "named"),
    [
        ("", {"outrider-unset": "Upstash-Cron"}, b"", "a schedule has one"),
        ("", {"outrider-unset": "Upstash-Schedule-Id"}, b"", "keeps its id"),
        ("", {"outrider-unset": "Retries"}, b"", "'retries', which is no option"),
        ("", {"outrider-unset": "Upstash-Retires"}, b"", "'upstash-retires'"),
        ("", {"outrider-unset": "body"}, b"x", "leave out one of the two"),
        ("", {"upstash-schedule-id": "other"}, b"", "it keeps its id"),
        ("", {"upstash-retries": "many"}, b"", "Upstash-Retries"),
        ("", {"upstash-cron": "99 * * * *"}, b"", "Upstash-Cron"),
        ("?destination=", {}, b"", "destination"),
        ("?destination=example.com", {}, b"", "does not exist|invalid destination url"),
        ("?destination=http://10.0.0.1/", {}, b"", "10.0.0.1"),
        ("?destiny=x", {}, b"", "destiny"),
    ],
)
async def test_an_edit_that_cannot_be_is_refused_and_changes_nothing(api, query, headers, content, named):
    schedule = await created(api, {})
    response = await api.call("PATCH", f"/v2/schedules/{schedule.id}{query}", headers=headers, content=content)
    assert 400 <= response.status_code < 500
    assert any(word in response.text for word in named.split("|")), response.text
    assert await stored(api, schedule.id) == schedule


@pytest.mark.parametrize(("method", "path"), [("PATCH", ""), ("POST", "/copy")])
async def test_an_unknown_schedule_cannot_be_edited(api, method, path):
    response = await api.call(method, f"/v2/schedules/none{path}", headers={"upstash-retries": "1"})
    assert (response.status_code, response.json()["code"]) == (404, "schedule_not_found")
