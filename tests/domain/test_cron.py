import contextlib
import re
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import process_time
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outrider.domain.cron import LONGEST_TEXT, MACROS, ClockChange, Cron
from outrider.domain.instant import DAY_MS, HOUR_MS, MINUTE_MS

BERLIN = "Europe/Berlin"
SPRING_2026 = "2026-03-29"  # 02:00 becomes 03:00 in Berlin
AUTUMN_2026 = "2026-10-25"  # 03:00 becomes 02:00


def at(text, zone="UTC"):
    moment = datetime.fromisoformat(text)
    return int(moment.replace(tzinfo=moment.tzinfo or ZoneInfo(zone)).timestamp() * 1000)


def shown(instants, zone="UTC"):
    return [datetime.fromtimestamp(instant / 1000, ZoneInfo(zone)).strftime("%d %H:%M%z") for instant in instants]


def fires(text, start, n, zone="UTC"):
    return shown(Cron.parse(text).upcoming(at(start, zone), n), zone)


@pytest.mark.parametrize(
    ("text", "following"),
    [
        ("* * * * *", "2026-01-01T00:01"),
        ("*/5 * * * *", "2026-01-01T00:05"),
        ("3-59/15 * * * *", "2026-01-01T00:03"),
        ("5/20 * * * *", "2026-01-01T00:05"),
        ("0 9 * * MON", "2026-01-05T09:00"),
        ("0 9 * * mon-fri", "2026-01-01T09:00"),
        ("0 0 * * 7", "2026-01-04T00:00"),
        ("0 0 * * 0", "2026-01-04T00:00"),
        ("0 0 1 feb *", "2026-02-01T00:00"),
        ("0 0 1 JUL/2 *", "2026-07-01T00:00"),
        ("0 0 1 JAN,Mar *", "2026-03-01T00:00"),
        ("0 0 13 * FRI", "2026-01-02T00:00"),
        ("0 0 */2 * FRI", "2026-01-09T00:00"),
        ("0 0 L * *", "2026-01-31T00:00"),
        ("0 0 L 2 *", "2026-02-28T00:00"),
        ("0 0 LW * *", "2026-01-30T00:00"),
        ("0 0 * * 5L", "2026-01-30T00:00"),
        ("0 0 * * 1#2", "2026-01-12T00:00"),
        ("0 0 * * FRI#5", "2026-01-30T00:00"),
        ("0 0 29 2 *", "2028-02-29T00:00"),
        ("0 0 * 2 MON#5", "2044-02-29T00:00"),
        ("@hourly", "2026-01-01T01:00"),
        ("@daily", "2026-01-02T00:00"),
        ("@midnight", "2026-01-02T00:00"),
        ("@Weekly", "2026-01-04T00:00"),
        ("@monthly", "2026-02-01T00:00"),
        ("@yearly", "2027-01-01T00:00"),
        ("@annually", "2027-01-01T00:00"),
        ("CRON_TZ=UTC 0 9 * * *", "2026-01-01T09:00"),
        ("TZ=Asia/Tokyo 0 9 * * *", "2026-01-02T00:00"),
        ("CRON_TZ=America/New_York  @daily", "2026-01-01T05:00"),
        ("  0\t9 * * *  ", "2026-01-01T09:00"),
    ],
)
def test_expression_fires_next_when_it_says(text, following):
    assert Cron.parse(text).next_after(at("2026-01-01T00:00")) == at(following)


@pytest.mark.parametrize(
    ("text", "part", "remedy"),
    [
        ("", "0 of the five fields", "minute hour day month weekday"),
        ("* * * *", "4 of the five fields", "write all"),
        ("0 * * * * *", "six fields", "leave out the seconds"),
        ("0 0 * * * * *", "7 of the five fields", "write all"),
        ("60 * * * *", "'60' as its minute", "0 to 59"),
        ("-1 * * * *", "'-1' as its minute", "0 to 59"),
        ("* 24 * * *", "'24' as its hour", "0 to 23"),
        ("* * 0 * *", "'0' as its day of the month", "1 to 31"),
        ("* * 15W * *", "'15W' as its day of the month", "L or LW"),
        ("* * L-3 * *", "'L-3' as its day of the month", "L or LW"),
        ("* * L/2 * *", "'L/2' as its day of the month", "L or LW"),
        ("* * * 13 *", "'13' as its month", "JAN to DEC"),
        ("* * * JANUARY *", "'JANUARY' as its month", "JAN to DEC"),
        ("* * * * 8", "'8' as its day of the week", "SUN to SAT"),
        ("* * * * MON#6", "'MON#6' as its day of the week", "1#2"),
        ("* * * * FRI-MON", "'FRI-MON' as its day of the week", "do not run backwards"),
        ("*/0 * * * *", "'*/0' as its minute", "/n for steps"),
        ("1,,2 * * * *", "'1,,2' as its minute", "commas for lists"),
        ("? * * * *", "'?' as its minute", "or '*'"),
        ("@every 5m", "'@every 5m'", "@hourly"),
        ("@reboot", "'@reboot'", "five fields"),
        ("CRON_TZ=Mars/Olympus * * * * *", "'Mars/Olympus'", "CRON_TZ=Europe/Berlin"),
        ("TZ=America * * * * *", "'America'", "IANA name"),
        ("TZ= * * * * *", "''", "IANA name"),
        ("TZ=../../etc/localtime * * * * *", "'../../etc/localtime'", "IANA name"),
        ("TZ=localtime * * * * *", "'localtime'", "IANA name"),
        ("TZ=right/UTC * * * * *", "'right/UTC'", "IANA name"),
        ("CRON_TZ=UTC", "0 of the five fields", "write all"),
        ("* * * * fr\u0131", "character", "write ASCII"),
        ("* * *\n* *", "character", "fields apart by spaces"),
        ("9" * 300, f"longer than {LONGEST_TEXT}", "split it"),
        ("0 0 30 2 *", "never fires", "'0 0 L * *'"),
        ("0 0 31 2,4,6 *", "never fires", "'0 0 L * *'"),
        ("0 0 */31 * MON#5", "never fires", "a date and a time that come"),
        ("TZ=Europe/Berlin 30 2 * 3 7L", "never fires", "a date and a time that come"),
    ],
)
def test_broken_expression_is_refused_with_part_and_remedy(text, part, remedy):
    with pytest.raises(ValueError, match=re.escape(part)) as refusal:
        Cron.parse(text)
    assert remedy in str(refusal.value)


def test_text_is_kept_and_zone_is_named():
    cron = Cron.parse("  CRON_TZ=America/New_York 0  9 * * mon ")
    assert (cron.text, cron.zone) == ("CRON_TZ=America/New_York 0  9 * * mon", "America/New_York")
    assert Cron.parse("@daily").zone == "UTC"
    assert cron == Cron.parse("CRON_TZ=America/New_York 0  9 * * mon")
    assert len({cron, Cron.parse("@daily"), Cron.parse(" @daily")}) == 2


def test_next_is_strictly_after_and_last_includes_the_instant():
    cron, noon = Cron.parse("0 12 * * *"), at("2026-05-05T12:00")
    assert cron.next_after(noon) == noon + DAY_MS
    assert cron.next_after(noon - 1) == noon
    assert cron.last_at_or_before(noon) == noon
    assert cron.last_at_or_before(noon + 1) == noon
    assert cron.last_at_or_before(noon - 1) == noon - DAY_MS


def test_period_is_the_distance_of_the_fires_around():
    cron = Cron.parse("*/5 9-17 * * MON-FRI")
    assert cron.period_at(at("2026-05-05T12:01")) == 5 * MINUTE_MS
    assert cron.period_at(at("2026-05-09T12:01")) == 63 * HOUR_MS + 5 * MINUTE_MS


def test_gap_hour_is_skipped_and_not_moved():
    assert fires(f"TZ={BERLIN} 30 2 * * *", "2026-03-28T12:00", 2, BERLIN) == ["30 02:30+0200", "31 02:30+0200"]
    cron = Cron.parse(f"TZ={BERLIN} 30 2 * * *")
    assert shown([cron.last_at_or_before(at(f"{SPRING_2026}T12:00"))], BERLIN) == ["28 02:30+0100"]


def test_overlap_hour_fires_once_for_a_fixed_time():
    assert fires(f"TZ={BERLIN} 30 2 * * *", "2026-10-24T12:00", 2, BERLIN) == ["25 02:30+0200", "26 02:30+0100"]


@pytest.mark.parametrize("text", ["*/30 2 * * *", "*/30 2-2 * * *"])
def test_overlap_hour_fires_once_however_its_minutes_are_written(text):
    found = fires(f"TZ={BERLIN} {text}", "2026-10-24T12:00", 3, BERLIN)
    assert found == ["25 02:00+0200", "25 02:30+0200", "26 02:00+0100"]


def test_every_second_hour_is_a_time_of_day():
    found = fires(f"TZ={BERLIN} 0 */2 * * *", "2026-10-25T00:30", 3, BERLIN)
    assert found == ["25 02:00+0200", "25 04:00+0100", "25 06:00+0100"]


@pytest.mark.parametrize("date", [SPRING_2026, AUTUMN_2026])
@pytest.mark.parametrize("text", ["* * * * *", "* 0-23 * * *", "*/1 */1 * * *"])
def test_every_minute_goes_on_through_changes_of_clocks(text, date):
    found = Cron.parse(f"TZ={BERLIN} {text}").upcoming(at(f"{date}T00:00", BERLIN), 300)
    assert {later - earlier for earlier, later in pairwise(found)} == {MINUTE_MS}


@pytest.mark.parametrize("date", [SPRING_2026, AUTUMN_2026])
def test_every_hour_goes_on_through_changes_of_clocks(date):
    found = Cron.parse(f"TZ={BERLIN} 0 * * * *").upcoming(at(f"{date}T00:00", BERLIN), 8)
    assert {later - earlier for earlier, later in pairwise(found)} == {HOUR_MS}


def test_rhythm_of_one_day_finds_the_hour_that_repeats_at_its_end():
    # In Beirut midnight becomes 23:00: the day has two hours 23, and no other fire comes for a year.
    found = fires("TZ=Asia/Beirut 30 * 24 10 *", "2026-10-24T22:45", 3, "Asia/Beirut")
    assert found == ["24 23:30+0300", "24 23:30+0200", "24 00:30+0300"]


def test_last_fire_before_a_repeated_hour_is_found_within_it():
    cron = Cron.parse(f"TZ={BERLIN} 45 2 * * *")
    early_again = at(f"{AUTUMN_2026}T02:10+01:00")
    assert shown([cron.last_at_or_before(early_again)], BERLIN) == ["25 02:45+0200"]


def test_fixed_time_is_over_once_it_has_come_the_first_time():
    cron = Cron.parse(f"TZ={BERLIN} 45 2 * * *")
    assert shown([cron.next_after(at(f"{AUTUMN_2026}T02:10+01:00"))], BERLIN) == ["26 02:45+0100"]
    assert shown([cron.last_at_or_before(at(f"{AUTUMN_2026}T12:00+01:00"))], BERLIN) == ["25 02:45+0200"]


def test_ends_of_the_calendar_are_no_error():
    cron = Cron.parse("TZ=Europe/Berlin 0 0 29 2 *")
    for instant in (-(10**18), -1, 0, 253_402_300_799_999, 10**18):
        assert cron.next_after(instant) is None
        assert cron.last_at_or_before(instant) is None
        assert cron.period_at(instant) is None
        assert cron.upcoming(instant, 3) == []


# --- against an oracle that looks at every minute -----------------------------------------------

ZONES = (
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/Havana",
    "America/Santiago",
    "America/Nuuk",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Asia/Gaza",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Pacific/Chatham",
    "Atlantic/Azores",
)
START, END = at("2024-01-01"), at("2031-01-01")


def transitions(name):
    """When the zone's clock changes, to the minute, 2024 to 2030."""
    zone, found = ZoneInfo(name), []

    def offset(instant):
        return datetime.fromtimestamp(instant // 1000, zone).utcoffset()

    before = offset(START)
    for day in range(START + DAY_MS, END, DAY_MS):
        after = offset(day)
        if after != before:
            low, high = day - DAY_MS, day
            while high - low > MINUTE_MS:
                middle = (low + high) // (2 * MINUTE_MS) * MINUTE_MS
                low, high = (middle, high) if offset(middle) == before else (low, middle)
            found.append((high, before, after))
        before = after
    return found


TRANSITIONS = {name: transitions(name) for name in ZONES}


def oracle(fields, name, start, minutes):
    """Every fire in (start, start + minutes], by looking at each minute."""
    minute, hour, day, month, weekday = fields
    zone, rhythm, found = ZoneInfo(name), len(hour) == 24, []
    first = start // MINUTE_MS * MINUTE_MS
    for instant in range(first + MINUTE_MS, first + minutes * MINUTE_MS + 1, MINUTE_MS):
        local = datetime.fromtimestamp(instant // 1000, zone)
        if (
            local.minute in minute
            and local.hour in hour
            and local.day in day
            and local.month in month
            and local.isoweekday() % 7 in weekday
            and (rhythm or local.fold == 0)
        ):
            found.append(instant)
    return found


def written(values, everything):
    return "*" if values == everything else ",".join(map(str, sorted(values)))


EVERYTHING = (
    frozenset(range(60)),
    frozenset(range(24)),
    frozenset(range(1, 32)),
    frozenset(range(1, 13)),
    frozenset(range(7)),
)


@st.composite
def expressions(draw):
    """Field values and their text. One of day and weekday is `*`: whether both or either must match is tested above."""
    minute = draw(st.one_of(st.just(EVERYTHING[0]), st.frozensets(st.integers(0, 59), min_size=1, max_size=6)))
    early = st.frozensets(st.integers(0, 4) | st.integers(22, 23), min_size=1, max_size=5)
    hour = draw(st.one_of(st.just(EVERYTHING[1]), early))
    day, weekday = EVERYTHING[2], EVERYTHING[4]
    if draw(st.booleans()):
        day = draw(st.frozensets(st.integers(1, 28), min_size=8))
    elif draw(st.booleans()):
        weekday = draw(st.frozensets(st.integers(0, 6), min_size=1))
    fields = (minute, hour, day, EVERYTHING[3], weekday)
    return fields, " ".join(map(written, fields, EVERYTHING))


@st.composite
def moments(draw):
    """A zone and an instant: often just before or after its clock changes."""
    name = draw(st.sampled_from(ZONES))
    if TRANSITIONS[name] and draw(st.integers(0, 3)):
        changed = draw(st.sampled_from(TRANSITIONS[name]))[0]
        return name, changed - draw(st.integers(-3 * HOUR_MS, 30 * HOUR_MS))
    return name, draw(st.integers(START, END))


@settings(max_examples=150, deadline=None)
@given(expressions(), moments())
def test_fires_are_those_that_looking_at_every_minute_finds(expression, moment):
    fields, text = expression
    name, start = moment
    cron = Cron.parse(f"CRON_TZ={name} {text}")
    expected = oracle(fields, name, start, minutes=36 * 60)
    assert cron.upcoming(start, len(expected)) == expected
    following = cron.next_after(expected[-1] if expected else start)
    assert following > start // MINUTE_MS * MINUTE_MS + 36 * HOUR_MS


@settings(max_examples=150, deadline=None)
@given(expressions(), moments(), st.integers(0, HOUR_MS))
def test_last_fire_is_the_inverse_of_the_next(expression, moment, wait):
    name, start = moment
    cron = Cron.parse(f"CRON_TZ={name} {expression[1]}")
    first, second = cron.upcoming(start, 2)
    assert start < first < second
    assert cron.last_at_or_before(min(first + wait, second - 1)) == first
    assert cron.last_at_or_before(second) == second
    assert cron.last_at_or_before(first - 1) <= start
    assert cron.next_after(cron.last_at_or_before(first - 1)) == first
    assert cron.period_at(first) == second - first


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("*/15 * * * *", (frozenset({0, 15, 30, 45}), *EVERYTHING[1:])),
        ("*/20 0-5,22,23 * * *", (frozenset({0, 20, 40}), frozenset({0, 1, 2, 3, 4, 5, 22, 23}), *EVERYTHING[2:])),
    ],
)
def test_changes_of_clocks_in_every_zone_are_right(text, fields):
    seen = {}
    for name in sorted(available_timezones() - {"localtime", "Factory"}):
        seen.update(dict.fromkeys(transitions(name), name))
    assert len(seen) > 100
    for (changed, _, _), name in seen.items():
        start = changed - 150 * MINUTE_MS
        cron = Cron.parse(f"TZ={name} {text}")
        expected = oracle(fields, name, start, minutes=300)
        assert cron.upcoming(start, len(expected)) == expected, (name, changed)
        for instant in range(expected[0], expected[-1], 13 * MINUTE_MS):
            index = bisect_right(expected, instant)
            assert cron.next_after(instant) == expected[index], (name, instant)
            assert cron.last_at_or_before(instant) == expected[index - 1], (name, instant)


# --- whatever is written ----------------------------------------------------------------------------

PARTS = st.sampled_from(
    [
        "*",
        "*/7",
        "0",
        "59",
        "1-5",
        "5-1",
        "1,2",
        "MON",
        "jan",
        "L",
        "LW",
        "5L",
        "1#5",
        "L/2",
        "7#",
        "/",
        "#",
        "-",
        "a",
        "",
    ]
)
ALMOST = st.lists(PARTS | st.text("0123456789*/,-#LW ", max_size=6), max_size=7).map(" ".join)
PREFIXES = st.sampled_from(
    ["", "", "TZ=", "CRON_TZ=Europe/Berlin ", "TZ=UTC ", "TZ=Etc ", "TZ=x/../y ", "@", "TZ=\x00 "]
)


@settings(max_examples=300, deadline=None)
@given(st.builds(str.__add__, PREFIXES, ALMOST | st.text(max_size=40)), st.integers(START, END))
def test_anything_is_either_an_expression_or_a_value_error(text, instant):
    with contextlib.suppress(ValueError):
        cron = Cron.parse(text)
        following, last = cron.next_after(instant), cron.last_at_or_before(instant)
        assert last is None or last <= instant
        assert following is None or following > instant


@pytest.mark.parametrize(
    "text",
    [
        "0 0 * 2 MON#5",
        "0 0 */31 * MON#5",
        "TZ=Europe/Berlin * 2 * 3 7L",
        "TZ=Europe/Berlin * 1-2 29 3 *",
        "TZ=Africa/Casablanca 59 23 29 2 *",
        ",".join(["0-59"] * 50) + " * * * *",
        "9" * 100 + " * * * *",
        "*" + "/9" * 100 + " * * * *",
        "@" * 200,
        "9" * 1_000_000,
        " " * 1_000_000,
    ],
)
def test_absurd_expressions_cost_little(text):
    began = process_time()
    with contextlib.suppress(ValueError):
        cron = Cron.parse(text)
        for instant in range(START, END, 90 * DAY_MS):
            cron.next_after(instant)
            cron.last_at_or_before(instant)
    assert process_time() - began < 2  # usually a hundredth of that; a hang is what must not be


def test_macros_are_expressions():
    for macro, text in MACROS.items():
        assert Cron.parse(macro).upcoming(START, 3) == Cron.parse(text).upcoming(START, 3)


def test_local_midnights_of_a_year_are_a_day_apart_but_for_two():
    found = Cron.parse(f"TZ={BERLIN} 0 0 * * *").upcoming(at("2025-12-31T12:00"), 365)
    spans = [timedelta(milliseconds=later - earlier) for earlier, later in pairwise(found)]
    assert sorted(set(spans)) == [timedelta(hours=23), timedelta(hours=24), timedelta(hours=25)]
    assert spans.count(timedelta(hours=24)) == 362
    assert datetime.fromtimestamp(found[0] / 1000, UTC) == datetime(2025, 12, 31, 23, tzinfo=UTC)


class TestClockChanges:
    START = 1_767_225_600_000  # 2026-01-01

    def changes(self, zone, days=366, most=20):
        return Cron.parse(f"TZ={zone} @daily").clock_changes(self.START, self.START + days * DAY_MS, most)

    def test_each_is_told_with_the_offsets_before_and_after(self):
        assert self.changes("Europe/Berlin") == [
            ClockChange(1_774_746_000_000, HOUR_MS, 2 * HOUR_MS),
            ClockChange(1_792_890_000_000, 2 * HOUR_MS, HOUR_MS),
        ]

    def test_no_more_are_told_than_asked_for(self):
        assert len(self.changes("Europe/Berlin", most=1)) == 1
        assert self.changes("Europe/Berlin", days=30) == []

    @pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
    def test_a_zone_whose_clock_stays_has_none(self, zone):
        assert self.changes(zone) == []
