"""URL groups, driven by the official Python SDKs."""

from __future__ import annotations

import json

import pytest
from qstash.errors import QStashError
from tests.conformance.coverage import covers


@covers("url_group.upsert_endpoints", "url_group.get", "url_group.list", "url_group.delete")
def test_group_is_made_changed_shown_and_deleted(qstash, name):
    qstash.url_group.upsert_endpoints(name, [{"url": "https://a.example", "name": "a"}, {"url": "https://b.example"}])
    made = qstash.url_group.get(name)
    assert made.name == name
    assert {(one.url, one.name) for one in made.endpoints} == {("https://a.example", "a"), ("https://b.example", None)}
    qstash.url_group.upsert_endpoints(name, [{"url": "https://c.example", "name": "a"}])
    changed = qstash.url_group.get(name)
    assert {(one.url, one.name) for one in changed.endpoints} == {
        ("https://c.example", "a"),
        ("https://b.example", None),
    }
    assert changed.created_at == made.created_at <= changed.updated_at
    assert qstash.url_group.list() == [changed]
    qstash.url_group.delete(name)
    assert qstash.url_group.list() == []
    qstash.url_group.delete(name)
    with pytest.raises(QStashError, match=r"status: 404"):
        qstash.url_group.get(name)


@covers("url_group.remove_endpoints")
def test_endpoints_are_removed_by_name_and_by_url_and_the_last_takes_the_group(qstash, name):
    qstash.url_group.upsert_endpoints(
        name, [{"url": f"https://{one}.example", "name": one} for one in "ab"] + [{"url": "https://c.example"}]
    )
    qstash.url_group.remove_endpoints(name, [{"name": "a"}, {"url": "https://c.example"}])
    assert [one.name for one in qstash.url_group.get(name).endpoints] == ["b"]
    qstash.url_group.remove_endpoints(name, [{"name": "b"}])
    with pytest.raises(QStashError, match=r"status: 404"):
        qstash.url_group.get(name)


@covers("message.publish", "message.publish_json")
def test_each_endpoint_gets_a_message_of_its_own(qstash, ledger, place, name):
    endpoints = {ledger.url(f"{place}/{n}"): f"endpoint-{n}" for n in range(3)}
    qstash.url_group.upsert_endpoints(name, [{"url": url, "name": label} for url, label in endpoints.items()])
    for sent in (
        qstash.message.publish(url_group=name, body="[1]"),
        qstash.message.publish_json(url_group=name, body=[1]),
    ):
        assert {one.url for one in sent} == set(endpoints)
        for one in sent:
            (received,) = ledger.wait_for(message_id=one.message_id)
            assert ledger.url(received.path) == one.url
            assert received.body == b"[1]"
            assert received.header("Upstash-Topic-Name") == name
            assert received.header("Upstash-Endpoint-Name") == endpoints[one.url]
    assert {entry.url for entry in qstash.log.list(filter={"url_group": name}).logs} == set(endpoints)


@covers("message.publish")
def test_headers_of_a_group_are_defaults(qstash, ledger, place, name):
    qstash.url_group.upsert_endpoints(name, [{"url": ledger.url(place)}])
    headers = {"Upstash-Forward-X-Group": ["g"], "Upstash-Retries": "7", "Upstash-Label": "from-group"}
    qstash.http.request(
        path=f"/v2/topics/{name}", method="PATCH", body=json.dumps({"headers": headers}), parse_response=False
    )
    (sent,) = qstash.message.publish(url_group=name, headers={"X-Own": "o"}, label="own")
    (received,) = ledger.wait_for(message_id=sent.message_id)
    assert (received.header("X-Group"), received.header("X-Own")) == ("g", "o")
    message = qstash.message.get(sent.message_id)
    assert (message.max_retries, message.label) == (7, "own")


@covers("message.batch", "message.batch_json")
def test_group_in_a_batch_answers_with_a_list(qstash, ledger, place, name):
    qstash.url_group.upsert_endpoints(name, [{"url": ledger.url(f"{place}/{n}")} for n in range(2)])
    for call in (qstash.message.batch, qstash.message.batch_json):
        alone, group = call([{"url": ledger.url(place), "body": "a"}, {"url_group": name, "body": "b"}])
        assert ledger.wait_for(message_id=alone.message_id)
        assert {one.url for one in group} == {ledger.url(f"{place}/{n}") for n in range(2)}
        for one in group:
            assert ledger.wait_for(message_id=one.message_id)
