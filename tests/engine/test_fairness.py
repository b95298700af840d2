"""One bad neighbour hurts nobody: dead and slow hosts, and tenants with much to send, beside others."""

from tests.factories import make_message

from outrider.domain.attempt import Response, TimedOut, Unreachable, judge
from outrider.domain.message import new_id

TIMEOUT_MS = 30_000


def time_out(world, url: str) -> None:
    """Never answer there; an attempt takes its whole time."""

    async def behave(_):
        await world.clock.sleep_until(world.clock.now() + TIMEOUT_MS)
        return TimedOut(TIMEOUT_MS, "no answer")

    world.destinations.behave(url, behave)


def refuse(world, url: str) -> None:
    async def behave(_):
        return Unreachable("refused")

    world.destinations.behave(url, behave)


def answer_after(world, url: str, ms: int) -> None:
    async def behave(_):
        await world.clock.sleep_until(world.clock.now() + ms)
        return judge(Response(200))

    world.destinations.behave(url, behave)


async def publish_many(world, url: str, count: int, *, retries: int = 0) -> None:
    """In one go."""
    for start in range(0, count, 500):
        requests = [world.request(url, retries=retries) for _ in range(min(500, count - start))]
        await world.engine.publisher.publish_batch(requests)


async def park_many(world, tenant: str, url: str, count: int, due_at: int) -> None:
    """Store messages that are due then."""
    for start in range(0, count, 1000):
        messages = [
            make_message(id=new_id("msg", due_at), tenant=tenant, url=url, due_at=due_at)
            for _ in range(min(1000, count - start))
        ]
        await world.store.add(messages, world.clock.now())
    world.engine.dispatcher.look()


def calls_to(world, part: str) -> int:
    return sum(part in call.url for call in world.destinations.calls)


async def test_thirty_dead_hosts_leave_room_for_healthy_ones(make_world):
    world = await make_world(max_in_flight=500, max_in_flight_per_host=100)
    for number in range(30):
        time_out(world, f"https://dead{number}.example/")
        await publish_many(world, f"https://dead{number}.example/", 50)
    await world.rest()
    assert world.engine.dispatcher.in_flight <= 375 + 22 * 2, "they hold places, and leave some"
    for number in range(20):
        await world.publish(f"https://healthy{number}.example/")
    await world.rest()
    assert calls_to(world, "healthy") == 20, "before any of the dead ones has timed out"
    await world.clock.advance(2 * TIMEOUT_MS)
    assert world.engine.dispatcher.in_flight <= 375, "they are known now"
    for number in range(20):
        await world.publish(f"https://healthy{number}.example/")
    await world.rest()
    assert calls_to(world, "healthy") == 40


async def test_more_dead_hosts_than_the_window_has_places_leave_a_quarter(make_world):
    world = await make_world(max_in_flight=20, max_in_flight_per_host=10)
    for number in range(60):
        time_out(world, f"https://dead{number}.example/")
        await publish_many(world, f"https://dead{number}.example/", 3)
    for _ in range(6):
        await world.clock.advance(TIMEOUT_MS)
    assert world.engine.dispatcher.in_flight == 15, "all of them are known now"
    answer_after(world, "https://healthy.example/", 10)
    await publish_many(world, "https://healthy.example/", 20)
    await world.clock.advance(1_000)
    assert calls_to(world, "healthy") == 20


async def test_more_unknown_hosts_than_the_window_has_places_leave_an_eighth_while_they_hang(make_world):
    world = await make_world(max_in_flight=80, max_in_flight_per_host=40)
    known = [f"https://known{number}.example/" for number in range(10)]
    for url in known:
        await world.publish(url)
    await world.rest()
    for number in range(100):
        time_out(world, f"https://unknown{number}.example/")
    for number in range(100):
        await publish_many(world, f"https://unknown{number}.example/", 2)
    await world.rest()
    assert world.engine.dispatcher.in_flight == 70
    for number, url in enumerate(known, 11):
        await world.publish(url)
        await world.rest()
        assert calls_to(world, "/known") == number, "by its publish alone"
    for url in known:
        await park_many(world, world.tenant, url, 20, world.clock.now() + 1_000)
    await world.clock.advance(1_500)
    assert calls_to(world, "/known") == 20 + 200, "by claims"
    await world.clock.advance(10 * TIMEOUT_MS)
    assert calls_to(world, "/unknown") == 200, "none of them is forgotten"


async def test_host_that_answers_late_counts_as_one_in_trouble_until_it_is_quick(make_world):
    world = await make_world(max_in_flight=20, max_in_flight_per_host=20)
    urls = [f"https://slow{number}.example/" for number in range(20)]
    for url in urls:
        answer_after(world, url, 6_000)
        await publish_many(world, url, 20)
    await world.clock.advance(12_500)
    assert world.engine.dispatcher.in_flight == 15, "three quarters of the window"
    for url in urls:
        answer_after(world, url, 4_000)
    await world.clock.advance(10_000)
    assert world.engine.dispatcher.in_flight == 20


async def test_dead_host_with_a_backlog_delays_no_other(make_world):
    """Whatever waits for the dead one: each healthy message is attempted at once, by its publish alone."""
    world = await make_world(max_in_flight=1000, max_in_flight_per_host=200)
    time_out(world, "https://dead.example/")
    await publish_many(world, "https://dead.example/", 10_000)
    await world.clock.advance(1_000)
    assert calls_to(world, "dead") == 200
    for number in range(100):
        await world.publish(f"https://healthy{number}.example/")
        assert world.engine.dispatcher.in_flight > 200, "it is held before its publish is answered"
        await world.rest()
        assert calls_to(world, "healthy") == number + 1


async def test_host_that_refuses_is_attempted_more_and_more_seldom_until_it_answers(make_world):
    world = await make_world(max_in_flight=100, max_in_flight_per_host=20)
    refuse(world, "https://dead.example/")
    await publish_many(world, "https://dead.example/", 1_000)
    await world.clock.advance(20_000)
    called = calls_to(world, "dead")
    assert called > 200, "twenty at once, that rest for 5 s at most"
    await world.clock.advance(20_000)
    per_s = (calls_to(world, "dead") - called) / 20
    assert 0.7 < per_s / (20 / 5) < 1.3
    answer_after(world, "https://dead.example/", 0)
    await world.clock.advance(1_500)
    assert calls_to(world, "dead") == 1_000, "one answers, and no other rests any more"


async def test_retries_of_a_host_that_is_left_out_of_claims_cause_none(make_world, monkeypatch):
    world = await make_world(max_in_flight=100, max_in_flight_per_host=20)
    refuse(world, "https://dead.example/")
    await publish_many(world, "https://dead.example/", 1_000, retries=3)
    claims, claim_due = [], world.store.claim_due

    async def counted(*asked, **said):
        claims.append(said)
        return await claim_due(*asked, **said)

    monkeypatch.setattr(world.store, "claim_due", counted)
    await world.clock.advance(20_000)
    assert calls_to(world, "dead") > 200
    assert len(claims) < calls_to(world, "dead") / 4


async def test_host_that_refuses_for_a_moment_is_soon_attempted_again(make_world):
    world = await make_world(max_in_flight=400, max_in_flight_per_host=100)
    refuse(world, "https://restarted.example/")
    await publish_many(world, "https://restarted.example/", 100)
    await world.rest()
    answer_after(world, "https://restarted.example/", 0)
    await publish_many(world, "https://restarted.example/", 500)
    await world.clock.advance(100)
    assert calls_to(world, "restarted") == 600


async def test_attempts_that_rest_delay_no_stop(make_world):
    world = await make_world()
    refuse(world, "https://dead.example/")
    await publish_many(world, "https://dead.example/", 10)
    await world.rest()
    assert calls_to(world, "dead") == world.engine.dispatcher.in_flight == 10
    now = world.clock.now()
    await world.engine.drain(30_000)
    assert world.clock.now() == now


async def test_backlog_of_one_tenant_delays_another_by_one_turn(make_world):
    world = await make_world(max_in_flight=100, max_in_flight_per_host=100)
    other, _ = await world.directory.create_tenant("other")
    answer_after(world, "https://busy.example/", 50)
    due_at = world.clock.now() + 1_000
    await park_many(world, world.tenant, "https://busy.example/", 50_000, due_at)
    await park_many(world, other.id, "https://few.example/", 10, due_at + 100)
    await world.clock.advance(1_200)
    assert calls_to(world, "few") == 10
    assert calls_to(world, "busy") < 1_000, "most of it is still waiting"


async def test_tenants_with_one_host_in_common_take_turns(make_world):
    world = await make_world(max_in_flight=20, max_in_flight_per_host=10)
    other, _ = await world.directory.create_tenant("other")
    answer_after(world, "https://shared.example/busy", 50)
    due_at = world.clock.now() + 1_000
    await park_many(world, world.tenant, "https://shared.example/busy", 2_000, due_at)
    await park_many(world, other.id, "https://shared.example/few", 10, due_at + 100)
    await world.clock.advance(1_400)
    assert calls_to(world, "few") == 10
    assert calls_to(world, "busy") < 200
