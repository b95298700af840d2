from __future__ import annotations

import pytest

from outrider.domain.errors import StoreUnavailable
from outrider.domain.limits import Limits

URL = "https://example.com/a"


async def test_a_publish_is_answered_with_the_message_it_stored(api):
    response = await api.call("POST", f"/v2/publish/{URL}", content=b"\x00\xffbytes")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert answer == {"messageId": answer["messageId"], "url": URL}
    message = await api.stored(answer["messageId"])
    assert (message.url, message.body, message.caller_ip) == (URL, b"\x00\xffbytes", "203.0.113.9")


async def test_options_are_read_from_headers(api):
    message_id = await api.published(Upstash_Retries="7", Upstash_Forward_X_Trace="t1", Content_Type="text/x")
    options = (await api.stored(message_id)).options
    assert options.retries == 7
    assert dict(options.headers) == {"Content-Type": "text/x", "X-Trace": "t1"}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_a_webhook_sender_publishes_with_the_method_it_has(api, method):
    response = await api.client.request(method, f"/v2/publish/{URL}?qstash_token={api.token}&upstash-retries=1&x=1")
    assert response.status_code == 200
    message = await api.stored(response.json()["messageId"])
    assert message.url == f"{URL}?x=1"
    assert message.options.retries == 1
    assert message.options.method == "POST"


async def test_the_querys_token_counts_before_the_senders_own_authorization(api):
    path = f"/v2/publish/{URL}?qstash_token={api.token}"
    response = await api.client.post(path, headers={"authorization": "Basic c2VuZGVyOnNlY3JldA=="})
    assert response.status_code == 200
    wrong = await api.call("POST", f"/v2/publish/{URL}?qstash_token=wrong")
    assert wrong.status_code == 401


async def test_a_header_beats_a_query_parameter(api):
    response = await api.call("POST", f"/v2/publish/{URL}?upstash-retries=1", headers={"upstash-retries": "2"})
    assert (await api.stored(response.json()["messageId"])).options.retries == 2


async def test_head_publishes_nothing(api):
    response = await api.call("HEAD", f"/v2/publish/{URL}")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST, GET, PUT, PATCH, DELETE, OPTIONS"
    assert response.content == b""
    assert await api.stored_ids() == set()


async def test_a_duplicate_is_202_with_the_first_id(api):
    first = await api.published(Upstash_Deduplication_Id="d1")
    again = await api.call("POST", f"/v2/publish/{URL}", headers={"upstash-deduplication-id": "d1"})
    assert again.status_code == 202
    assert again.json() == {"messageId": first, "url": URL, "deduplicated": True}


async def test_an_unknown_group_is_named(api):
    response = await api.call("POST", "/v2/publish/my-group")
    assert response.status_code == 404
    assert "my-group" in response.json()["error"]
    assert response.json()["code"] == "url_group_not_found"


async def test_a_url_without_a_scheme_gets_the_text_that_clients_know(api):
    response = await api.call("POST", "/v2/publish/example.com/a")
    assert response.status_code == 400
    assert response.json()["error"] == "invalid destination url: endpoint has invalid scheme, add http:// or https://"


@pytest.mark.parametrize("path", ["/v2/publish/", "/v2/publish/%20"])
async def test_no_destination_is_refused(api, path):
    assert (await api.call("POST", path)).status_code == 400


async def test_a_broken_option_is_refused_before_anything_is_stored(api):
    response = await api.call("POST", f"/v2/publish/{URL}", headers={"upstash-delay": "5x"})
    assert response.status_code == 400
    assert "Upstash-Delay '5x'" in response.json()["error"]
    assert await api.stored_ids() == set()


async def test_a_private_address_is_refused(api):
    response = await api.call("POST", "/v2/publish/https://10.0.0.1/")
    assert response.status_code == 400
    assert response.json()["code"] == "destination_refused"


@pytest.mark.parametrize("path", ["/llm/v1/chat/completions", "/v2/publish/api/llm"])
async def test_the_llm_provider_is_to_be_named(api, path):
    response = await api.call("POST", path)
    assert response.status_code == 400
    assert response.json()["code"] == "no_llm_provider"


async def test_the_word_publish_is_matched_in_any_case(api):
    response = await api.call("POST", f"/v2/Publish/{URL}/MixedCase")
    assert response.json()["url"] == f"{URL}/MixedCase"


async def test_a_body_over_the_limit_is_413_naming_limit_and_size(api_with):
    async with api_with(Limits(body_bytes=8)) as api:
        assert (await api.call("POST", f"/v2/publish/{URL}", content=b"12345678")).status_code == 200
        response = await api.call("POST", f"/v2/publish/{URL}", content=b"123456789")
        assert response.status_code == 413
        assert response.json()["error"] == "a body of 9 bytes is over the limit of 8 bytes"
        assert "reference" in response.json()["hint"]
        assert len(await api.stored_ids()) == 1


async def test_a_body_of_unknown_length_is_counted(api_with):
    async def pieces():
        for _ in range(100):
            yield b"1234"

    async with api_with(Limits(body_bytes=8)) as api:
        response = await api.call("POST", f"/v2/publish/{URL}", content=pieces())
        assert response.status_code == 413
        assert await api.stored_ids() == set()


async def test_a_store_that_cannot_commit_is_503_and_never_2xx(api, monkeypatch):
    async def broken(*_args, **_kwargs):
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(api.engine.store, "add", broken)
    response = await api.call("POST", f"/v2/publish/{URL}")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert response.json() == {"error": "the disk is full", "code": "store_unavailable"}


async def test_a_fault_is_a_plain_500_and_a_note_to_the_observer(api, monkeypatch):
    async def broken(*_args, **_kwargs):
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(api.engine.store, "add", broken)
    response = await api.call("POST", f"/v2/publish/{URL}")
    assert response.status_code == 500
    assert response.json()["code"] == "internal_error"
    assert "secret detail" not in response.text
    (name, facts) = api.observer.notes[-1]
    assert name == "request_faulted"
    assert "secret detail" in facts["error"]
    assert "in broken" in facts["where"]
