"""What a destination profile holds reaches its host, and is found nowhere else."""

from __future__ import annotations

import json

import pytest
from tests.e2e.calls import call, publish
from tests.e2e.canaries import traces_of
from tests.e2e.ledger import Ledger

CANARY = "c4nary-5ecret-of-a-preview"
HEADER = "X-Protection-Bypass"


@pytest.fixture
def elsewhere():
    """Another host than the ledger's."""
    ledger = Ledger().start()
    yield ledger
    ledger.stop()


def put_profile(server, ledger):
    body = json.dumps({"headers": {HEADER: CANARY}}).encode()
    return call(server, "PUT", f"/v2/profiles/{ledger.origin.removeprefix('http://')}", body)


def test_profile_is_found_in_deliveries_to_its_host_and_nowhere_else(start_server, ledger, elsewhere, place):
    server = start_server("serve", "--log-level", "debug")
    answers = [put_profile(server, ledger)]
    failing = ledger.answer(place + "/failing", status=500)
    moved = ledger.answer(place + "/moved", status=302, headers={"Location": elsewhere.url("/stolen")})
    callbacks = {"Upstash_Callback": elsewhere.url("/callback"), "Upstash_Retries": "0"}
    sent = [
        publish(server, ledger.url(place), **callbacks),
        publish(server, failing, Upstash_Failure_Callback=elsewhere.url("/failed"), Upstash_Retries="0"),
        publish(server, moved, **callbacks),
    ]
    publish(server, elsewhere.url("/plain"), Upstash_Callback=ledger.url(place + "/callback"))
    for message_id in sent:
        assert ledger.wait_for(message_id=message_id)[0].values(HEADER) == [CANARY]
    assert ledger.wait_for(place + "/callback")[0].values(HEADER) == [CANARY]
    elsewhere.wait_until(lambda: len(elsewhere.requests("/callback")) == 2, "both callbacks")
    elsewhere.wait_for("/failed")
    elsewhere.wait_for("/plain")
    assert elsewhere.requests("/stolen") == []
    for received in elsewhere.requests():
        assert HEADER.lower() not in {name.lower() for name, _ in received.headers}
        assert HEADER.encode().lower() not in received.body.lower()
        assert traces_of(CANARY, received.body) == []
    paths = ["/v2/profiles", "/v2/logs?count=1000", "/v2/dlq", "/v2/keys", "/metrics", "/openapi.json"]
    answers += [call(server, "GET", path) for path in (*paths, *(f"/v2/messages/{one}" for one in sent))]
    assert HEADER.encode() in answers[0]
    assert HEADER.encode() not in b"".join(answers[2:])
    kept = [file.read_bytes() for file in server.data.iterdir()]
    assert server.terminate() == 0
    kept += [file.read_bytes() for file in server.data.iterdir()]
    assert any(b"CREATE TABLE profiles" in content for content in kept)
    told = [server.log.encode(), server.output.encode()]
    assert [traces for content in (*answers, *kept, *told) if (traces := traces_of(CANARY, content))] == []


def test_profile_outlives_a_restart_by_the_key_beside_the_store(start_server, ledger, place):
    server = start_server("serve")
    put_profile(server, ledger)
    assert server.terminate() == 0
    assert (server.data / "secret.key").stat().st_mode & 0o777 == 0o600
    server.start()
    message_id = publish(server, ledger.url(place))
    assert ledger.wait_for(message_id=message_id)[0].values(HEADER) == [CANARY]


def test_key_of_the_environment_is_used_and_no_file_is_made(start_server, ledger, place):
    server = start_server("serve", environ={"OUTRIDER_SECRET_KEY": "5ec2e7" * 10 + "beef"})
    put_profile(server, ledger)
    message_id = publish(server, ledger.url(place))
    assert ledger.wait_for(message_id=message_id)[0].values(HEADER) == [CANARY]
    assert not (server.data / "secret.key").exists()
    assert server.terminate() == 0
    assert "5ec2e7" not in server.log + server.output
