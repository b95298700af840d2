"""Callbacks are messages: made with the settlement, delivered like any other."""

import base64
import json

from outrider.domain.event import EventKind as E
from outrider.domain.message import MessageState
from outrider.domain.options import CallbackPatch, OptionPatch, Redaction

URL, HOOK, FAIL = "https://a.example/x", "https://a.example/hook", "https://a.example/fail"


async def test_callback_reports_the_attempt(world):
    world.destinations.answer(URL, 201, headers=(("X-Answer", "yes"),))
    message_id = await world.publish(URL, b"ask", callback=CallbackPatch(url=HOOK))
    await world.rest()
    (call,) = world.destinations.calls_to(HOOK)
    report = json.loads(call.body)
    assert (report["status"], report["sourceMessageId"], report["retried"]) == (201, message_id, 0)
    assert base64.b64decode(report["body"]) == b"answer"
    assert base64.b64decode(report["sourceBody"]) == b"ask"
    assert "dlqId" not in report
    assert ("Content-Type", "application/json") in call.headers
    assert call.method == "POST"


async def test_every_attempt_is_reported_and_the_last_failure_twice(world):
    world.destinations.answer(URL, 500)
    await world.publish(
        URL,
        retries=1,
        retry_delay="0",
        callback=CallbackPatch(url=HOOK),
        failure_callback=CallbackPatch(url=FAIL),
    )
    await world.rest()
    await world.clock.advance(1)
    assert [json.loads(call.body)["retried"] for call in world.destinations.calls_to(HOOK)] == [0, 1]
    (failure,) = world.destinations.calls_to(FAIL)
    (letter,) = await world.dead_letters()
    assert json.loads(failure.body)["dlqId"] == letter.id


async def test_callback_has_options_of_its_own_and_no_callbacks(world):
    options = OptionPatch(method="PUT", retries=0, delay_ms=5_000, headers=(("X-Cb", "1"),))
    await world.publish(URL, callback=CallbackPatch(url=HOOK, options=options))
    world.destinations.answer(HOOK, 500)
    await world.clock.advance(4_999)
    assert not world.destinations.calls_to(HOOK)
    await world.clock.advance(1)
    (call,) = world.destinations.calls_to(HOOK)
    assert call.method == "PUT"
    assert ("X-Cb", "1") in call.headers
    (letter,) = await world.dead_letters()
    assert letter.message.url == HOOK


async def test_callback_takes_the_retries_of_its_source(world):
    world.destinations.answer(HOOK, 500)
    await world.publish(URL, retries=2, callback=CallbackPatch(url=HOOK, options=OptionPatch(retry_delay="1")))
    await world.rest()
    await world.clock.advance(2)
    assert len(world.destinations.calls_to(HOOK)) == 3


async def test_callback_names_its_source_and_hides_what_the_source_hides(world):
    message_id = await world.publish(
        URL, redaction=Redaction(headers=("authorization",)), callback=CallbackPatch(url=HOOK)
    )
    await world.rest()
    (created,) = [e for e in world.witness.seen if e.kind is E.CREATED and e.message_id != message_id]
    callback = await world.message(created.message_id)
    assert callback.callback_of == message_id
    assert callback.options.redaction.body
    assert callback.state is MessageState.DELIVERED
    assert await world.log(callback.id) == [E.CREATED, E.ACTIVE, E.DELIVERED]


async def test_cancelled_message_sends_no_failure_callback(world):
    world.destinations.answer(URL, 500)
    message_id = await world.publish(
        URL, retries=5, retry_delay="1000", callback=CallbackPatch(url=HOOK), failure_callback=CallbackPatch(url=FAIL)
    )
    await world.rest()
    await world.engine.messages.cancel(world.tenant, message_id)
    await world.clock.advance(10_000)
    assert len(world.destinations.calls_to(HOOK)) == 1
    assert not world.destinations.calls_to(FAIL)
