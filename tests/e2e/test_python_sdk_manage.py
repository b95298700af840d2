"""The official Python SDK, unmodified, reads, cancels and deletes."""

from __future__ import annotations

import base64

import pytest
from qstash.errors import QStashError
from qstash.log import LogState


def states_of(qstash, message_id):
    """The states of a message's entries, earliest first."""
    entries = qstash.log.list(filter={"message_id": message_id}).logs
    return [entry.state for entry in reversed(entries)]


def fail_for_good(qstash, ledger, path, **options):
    """Publish something that its destination refuses; its dead letter."""
    url = ledger.answer(path, status=500, body=b"no", headers={"X-Why": "because"}, times=1)
    sent = qstash.message.publish(
        url=url, body="try", retries=0, failure_callback=ledger.url(path + "/failed"), **options
    )
    ledger.wait_for(path + "/failed")
    (letter,) = qstash.dlq.list(filter={"message_id": sent.message_id}).messages
    return letter


def park(qstash, ledger, place, count=1, **options):
    """Publish messages that wait for an hour; their ids."""
    return [
        qstash.message.publish(url=ledger.url(place), body=str(n), delay=3600, **options).message_id
        for n in range(count)
    ]


def test_cancelled_message_is_not_delivered(qstash, ledger, place):
    (message_id,) = park(qstash, ledger, place)
    qstash.message.cancel(message_id)
    assert states_of(qstash, message_id) == [LogState.CREATED, LogState.CANCEL_REQUESTED, LogState.CANCELED]
    with pytest.raises(QStashError, match="404"):
        qstash.message.cancel(message_id)


def test_cancel_many_counts_what_it_cancelled(qstash, ledger, place):
    first, second, third = park(qstash, ledger, place, 3)
    assert qstash.message.cancel_many([first, second, second, "msg_unknown"]) == 2
    assert states_of(qstash, third) == [LogState.CREATED]
    assert qstash.message.cancel_many([]) == 0
    assert states_of(qstash, third) == [LogState.CREATED]


def test_cancel_all_cancels_all(qstash, ledger, place):
    ids = park(qstash, ledger, place, 5)
    assert qstash.message.cancel_all() == 5
    assert {states_of(qstash, one)[-1] for one in ids} == {LogState.CANCELED}
    assert qstash.message.cancel_all() == 0


def test_unknown_message_is_not_found(qstash):
    with pytest.raises(QStashError, match="404"):
        qstash.message.get("msg_unknown")


def test_log_tells_a_delivery(qstash, ledger, place):
    sent = qstash.message.publish(
        url=ledger.url(place), body="hello", headers={"X-App": "1"}, label="told", callback=ledger.url(place + "/done")
    )
    ledger.wait_for(place + "/done")
    entries = qstash.log.list(filter={"message_id": sent.message_id}).logs
    assert [entry.state for entry in entries] == [LogState.DELIVERED, LogState.ACTIVE, LogState.CREATED]
    delivered = entries[0]
    assert delivered.response_status == 200
    assert delivered.url == ledger.url(place)
    assert delivered.headers["X-App"] == ["1"]
    assert base64.b64decode(delivered.body_base64) == b"hello"
    assert (delivered.label, delivered.max_retries, delivered.method) == ("told", 3, "POST")
    assert entries[0].time >= entries[1].time >= entries[2].time


def test_log_is_filtered(qstash, ledger, place):
    here = park(qstash, ledger, place + "/here", 2, label="mine")
    (there,) = park(qstash, ledger, place + "/there", label="other")
    qstash.message.cancel(there)

    def found(**filters):
        return {entry.message_id for entry in qstash.log.list(filter=filters).logs}

    assert found(label="mine") == set(here)
    assert found(url=ledger.url(place + "/there")) == {there}
    assert found(message_ids=[here[0], there]) == {here[0], there}
    assert found(state=LogState.CANCELED) == {there}
    assert found(state=LogState.CREATED) == {*here, there}
    assert found(label="mine", url=ledger.url(place + "/there")) == set()
    created_at = qstash.message.get(here[1]).created_at
    assert here[1] in found(from_time=created_at, to_time=created_at)
    assert here[1] not in found(to_time=created_at - 1)
    assert here[1] not in found(from_time=created_at + 60_000)


def test_log_is_read_page_by_page(qstash, ledger, place):
    ids = park(qstash, ledger, place, 7)
    seen, cursor, pages = [], None, 0
    while True:
        page = qstash.log.list(cursor=cursor, count=3)
        seen += [entry.message_id for entry in page.logs]
        pages += 1
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == ids[::-1]
    assert pages == 3


def test_dead_letter_shows_what_its_destination_said(qstash, ledger, place):
    letter = fail_for_good(qstash, ledger, place, label="lost")
    assert qstash.dlq.get(letter.dlq_id) == letter
    assert (letter.response_status, letter.response_body) == (500, "no")
    assert letter.response_headers["X-Why"] == ["because"]
    assert (letter.url, letter.body, letter.label) == (ledger.url(place), "try", "lost")
    assert states_of(qstash, letter.message_id) == [LogState.CREATED, LogState.ACTIVE, LogState.ERROR, LogState.FAILED]


def test_dead_letters_are_filtered_and_read_page_by_page(qstash, ledger, place):
    letters = [fail_for_good(qstash, ledger, f"{place}/{n}", label=f"l{n % 2}") for n in range(3)]

    def found(**filters):
        return {letter.dlq_id for letter in qstash.dlq.list(filter=filters).messages}

    assert found(label="l0") == {letters[0].dlq_id, letters[2].dlq_id}
    assert found(url=ledger.url(f"{place}/1")) == {letters[1].dlq_id}
    assert found(response_status=500) == {letter.dlq_id for letter in letters}
    assert found(response_status=404) == set()
    first = qstash.dlq.list(count=2)
    second = qstash.dlq.list(count=2, cursor=first.cursor)
    assert second.cursor is None
    assert [one.dlq_id for one in (*first.messages, *second.messages)] == [one.dlq_id for one in reversed(letters)]


def test_dead_letters_are_deleted(qstash, ledger, place):
    first, second, third = (fail_for_good(qstash, ledger, f"{place}/{n}") for n in range(3))
    qstash.dlq.delete(first.dlq_id)
    with pytest.raises(QStashError, match="404"):
        qstash.dlq.delete(first.dlq_id)
    with pytest.raises(QStashError, match="404"):
        qstash.dlq.get(first.dlq_id)
    assert qstash.dlq.delete_many([first.dlq_id, second.dlq_id]) == 1
    assert [one.dlq_id for one in qstash.dlq.list().messages] == [third.dlq_id]


def test_redacted_fields_are_hidden_from_readers_and_not_from_the_destination(qstash, ledger, place):
    url = ledger.answer(place, status=500, times=1)
    sent = qstash.message.publish(
        url=url,
        body="very secret",
        headers={"X-Secret": "kept-from-sight", "X-Open": "seen"},
        redact={"body": True, "header": ["X-Secret"]},
        retries=0,
        failure_callback=ledger.url(place + "/failed"),
    )
    (failed,) = ledger.wait_for(place + "/failed")
    (received,) = ledger.requests(place)
    assert (received.body, received.header("X-Secret")) == (b"very secret", "kept-from-sight")
    assert base64.b64encode(b"very secret") in failed.body
    message = qstash.message.get(sent.message_id)
    (letter,) = qstash.dlq.list().messages
    entries = qstash.log.list().logs
    assert message.headers["X-Secret"][0].startswith("REDACTED:")
    assert message.headers["X-Open"] == ["seen"]
    assert message.body == letter.body
    assert message.body.startswith("REDACTED:")
    shown = repr((message, letter, entries))
    for canary in (b"very secret", b"kept-from-sight"):
        assert canary.decode() not in shown
        assert base64.b64encode(canary).decode() not in shown


def test_server_log_shows_no_secret(server, account, qstash, ledger, place):
    url = ledger.answer(place, status=500, body=b"no")
    body, value = f"body-{place}", f"value-{place}"
    qstash.message.publish(
        url=url,
        body=body,
        headers={"Authorization": value},
        retries=0,
        failure_callback=ledger.url(place + "/failed"),
        redact={"body": True, "header": True},
    )
    (failed,) = ledger.wait_for(place + "/failed")
    (letter,) = qstash.dlq.list().messages
    server.wait_for_log("failed", about=letter.message_id)
    signature = failed.header("Upstash-Signature")
    for canary in (account.token, account.current, account.next, body, value, signature):
        assert canary not in server.log


async def test_asyncio_client_manages(account, qstash, async_qstash, ledger, place):
    letters = [fail_for_good(qstash, ledger, f"{place}/{n}") for n in range(3)]
    assert (await async_qstash.dlq.get(letters[0].dlq_id)).message_id == letters[0].message_id
    assert len((await async_qstash.dlq.list(count=2)).messages) == 2
    await async_qstash.dlq.delete(letters[0].dlq_id)
    assert await async_qstash.dlq.delete_many([letter.dlq_id for letter in letters]) == 2
    ids = park(qstash, ledger, place, 4)
    assert (await async_qstash.message.get(ids[0])).message_id == ids[0]
    await async_qstash.message.cancel(ids[0])
    assert await async_qstash.message.cancel_many(ids[:2]) == 1
    assert await async_qstash.message.cancel_all() == 2
    page = await async_qstash.log.list(count=1, filter={"state": LogState.CANCELED})
    assert [entry.message_id for entry in page.logs] == [ids[3]] or page.logs[0].message_id in ids
    assert page.cursor
    keys = await async_qstash.signing_key.get()
    assert (keys.current, keys.next) == (account.current, account.next)
    assert (await async_qstash.signing_key.rotate()).current == account.next
