"""A message published once more is the same message: asked of every option that the table has, now and later."""

from __future__ import annotations

import pytest
from msgspec import structs
from tests.http.test_schedule_edits import EVERYTHING

from outrider.domain.event import EventKind
from outrider.domain.instant import DAY_MS
from outrider.domain.limits import Limits
from outrider.domain.message import MessageState

OF_SCHEDULES = {"Upstash-Cron", "Upstash-Cron-Jitter", "Upstash-Schedule-Id", "Upstash-Queue-Name"}


@pytest.fixture
async def api(api_with):
    """One that may be told to wait as long as an example says."""
    async with api_with(Limits(delay_ms=100 * 365 * DAY_MS)) as opened:
        yield opened


async def republished(api, message_id, **more):
    response = await api.call("POST", f"/v2/messages/{message_id}/republish", **more)
    assert response.status_code == 200, response.text
    return await api.stored(response.json()["messageId"])


def said(message):
    """All of it but who it is, when it was published, and what the deduplication of the first would refuse."""
    options = structs.replace(message.options, delay_ms=0, not_before=None)
    unsaid = {"id": "", "created_at": 0, "not_before": 0, "due_at": 0, "deduplication": None, "lease": None}
    return structs.replace(message, options=options, state=MessageState.DUE, **unsaid)


@pytest.mark.parametrize("path", ["publish", "enqueue/q"])
async def test_every_option_is_that_of_the_first(api, path):
    everything = EVERYTHING[0 if "q" in path else 1]
    headers = {name: value for name, value in everything.items() if name not in OF_SCHEDULES}
    response = await api.call("POST", f"/v2/{path}/https://example.com/a", headers=headers, content=b"hi")
    first = await api.stored(response.json()["messageId"])
    again = await republished(api, first.id)
    assert said(again) == said(first)
    assert again.id != first.id
    assert again.due_at == api.clock.now() < first.due_at
    assert again.deduplication is None


async def test_headers_override_and_a_content_type_says_nothing(api):
    first = await api.published(Content_Type="text/plain", Upstash_Retries="5", Upstash_Label="a")
    headers = {"upstash-label": "b", "content-type": "application/json"}
    again = await republished(api, first, headers=headers)
    assert (again.options.labels, again.options.retries) == (("b",), 5)
    assert again.options.headers == (("Content-Type", "text/plain"),)


async def test_what_is_redacted_is_delivered_once_more(api, deliver):
    redaction = {"Upstash_Redact_Fields": "body, header[X-Key]", "Upstash_Forward_X_Key": "secret"}
    async with deliver(api.engine):
        first = await api.published(body=b"hidden", **redaction)
        await api.observer.saw(EventKind.DELIVERED, 1)
        await republished(api, first)
        await api.observer.saw(EventKind.DELIVERED, 2)
    one, two = api.sender.requests
    assert one.body == two.body == b"hidden"
    assert "secret" in str(two.headers)
    assert "secret" not in (await api.call("GET", "/v2/logs")).text


async def test_what_is_not_there_is_404(api):
    response = await api.call("POST", "/v2/messages/msg_none/republish")
    assert (response.status_code, response.json()["code"]) == (404, "message_not_found")
