"""The contract of every Store: how attempts of endpoints ended."""

from tests.factories import NOW, TENANT, make_message, make_settlement, refused, succeeded, unreachable
from tests.store.conftest import OTHER_TENANT
from tests.store.steps import add_leased, get

from outrider.domain.health import EndedAttempt, EndpointAttempts

URL = "https://a.example/x"


async def attempt(store, outcome=None, *, ended_at=NOW, **fields):
    """A message to the endpoint that was attempted once."""
    message = await add_leased(store, **{"url": URL, "group": "g"} | fields)
    await store.apply([make_settlement(message, outcome, ended_at=ended_at)], NOW)
    return message


async def attempts(store, *, tenant=TENANT, group="g", url=URL, limit=100):
    return await store.endpoint_attempts(tenant, group, url, limit)


async def test_attempts_come_latest_first_with_how_they_ended(store):
    await attempt(store, succeeded(), ended_at=NOW + 2)
    await attempt(store, refused(), ended_at=NOW + 1)
    await attempt(store, unreachable(), ended_at=NOW + 3)
    assert await attempts(store) == EndpointAttempts(
        (
            EndedAttempt(NOW + 3, 50, succeeded=False),
            EndedAttempt(NOW + 2, 50, succeeded=True),
            EndedAttempt(NOW + 1, 50, succeeded=False),
        ),
        "connection refused",
    )


async def test_every_attempt_of_a_message_counts(store):
    message = await attempt(store, refused(), retries=2)
    await store.claim_due("node_1", NOW + 10**9, 1)
    await store.apply([make_settlement(await get(store, message), succeeded(), ended_at=NOW + 9)], NOW)
    assert [one.succeeded for one in (await attempts(store)).attempts] == [True, False]


async def test_failure_at_the_end_counts_once(store):
    await attempt(store, refused(), retries=0)
    assert len((await attempts(store)).attempts) == 1


async def test_no_attempt_of_another_is_among_them(store):
    await attempt(store)
    await attempt(store, group="other")
    await attempt(store, group=None)
    await attempt(store, url="https://a.example/y")
    await attempt(store, tenant=OTHER_TENANT)
    assert len((await attempts(store)).attempts) == 1
    assert len((await attempts(store, tenant=OTHER_TENANT)).attempts) == 1


async def test_endpoint_that_was_never_called_has_none(store):
    assert await attempts(store) == EndpointAttempts()
    await add_leased(store, url=URL, group="g")
    assert await attempts(store) == EndpointAttempts()


async def test_only_the_latest_are_given(store):
    for n in range(5):
        await attempt(store, refused() if n == 0 else succeeded(), ended_at=NOW + n)
    given = await attempts(store, limit=2)
    assert [one.ended_at for one in given.attempts] == [NOW + 4, NOW + 3]
    assert given.last_error is None


async def test_many_messages_that_wait_hide_no_attempt(store):
    await attempt(store)
    await store.add([make_message(url=URL, group="g", due_at=NOW + 10**6) for _ in range(5)], NOW)
    assert len((await attempts(store, limit=2)).attempts) == 1
