"""`outrider demo`: the mix, how it is answered, and a real server that it plays with."""

import http.client
import itertools
import json
import signal
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.e2e.server_process import ServerProcess, outrider

from outrider.cli.demonstration.client import Client
from outrider.cli.demonstration.mix import GROUP, KINDS, QUEUE, SCHEDULES, sendings
from outrider.cli.demonstration.receiver import ANSWER_HEADER, AnswerPlan, receiving
from outrider.development import DEVELOPMENT_USERS

HERE, NOWHERE = "http://127.0.0.1:1", "http://127.0.0.1:2"
FAST = ("--rate", "60", "--minutes", "0.1")


def some(seed, n=500):
    return list(itertools.islice(sendings(seed, HERE, NOWHERE), n))


class TestMix:
    def test_same_seed_is_the_same_mix(self):
        assert some(7) == some(7)
        assert some(7) != some(8)

    def test_every_kind_comes(self):
        assert {sending.kind for sending in some(1, 2000)} == {kind.name for kind in KINDS}

    def test_messages_are_realistic_json(self):
        for sending in some(1):
            assert json.loads(sending.body)
            assert sending.headers["Upstash-Label"].startswith("demo,")

    @given(st.integers(200, 599), st.integers(0, 99), st.integers(0, 99_999))
    def test_plan_is_read_as_it_was_written(self, status, fail_first, delay_ms):
        plan = AnswerPlan(status=status, fail_first=fail_first, delay_ms=delay_ms)
        assert AnswerPlan.read(plan.written()) == plan

    @pytest.mark.parametrize("written", ["", "200", "200 after long, failing 1"])
    def test_message_without_a_plan_is_answered_200(self, written):
        assert AnswerPlan.read(written).status == 200


def test_receiver_answers_as_the_message_says():
    with receiving() as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        plan = AnswerPlan(status=404, fail_first=1, delay_ms=0).written()
        for retried, status in (("0", 503), ("1", 404)):
            connection.request("POST", "/x", b"{}", {ANSWER_HEADER: plan, "Upstash-Retried": retried})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
        connection.close()


@pytest.fixture
def server(tmp_path):
    started = ServerProcess(tmp_path).start()
    yield started
    started.stop()


@pytest.fixture
def client(server):
    with Client(server.url, DEVELOPMENT_USERS[0].token) as opened:
        yield opened


def play(server, *flags):
    process = outrider("demo", "--url", server.url, *flags)
    printed, complaints = process.communicate(timeout=60)
    return process.returncode, printed, complaints


def resources(client):
    schedules = {schedule["scheduleId"] for schedule in client.demand("GET", "/v2/schedules")}
    groups = {group["name"] for group in client.demand("GET", "/v2/topics")}
    return schedules, groups


def test_server_has_something_to_do_and_is_left_as_it_was(server, client):
    code, printed, complaints = play(server, *FAST)
    assert (code, complaints) == (0, ""), complaints
    assert "order" in printed
    totals = client.demand("GET", "/v2/activity")["totals"]
    assert totals["accepted"] > 100
    assert totals["delivered"] > 50
    assert totals["failed"] > 5
    assert {"status_5xx", "connect"} <= totals["errors"].keys()
    assert client.demand("GET", "/v2/status")["inFlight"]["delayed"] == 0
    assert resources(client) == (set(), set())


def test_what_is_to_be_kept_stays(server, client):
    code, _, _ = play(server, "--rate", "50", "--minutes", "0.02", "--keep")
    assert code == 0
    assert resources(client) == (set(SCHEDULES), {GROUP})
    assert client.demand("GET", f"/v2/queues/{QUEUE}")["parallelism"] == 2


def test_stopped_demo_cleans_up(server, client):
    process = outrider("demo", "--url", server.url, "--rate", "20")
    assert process.stdout.readline().startswith("Publishing 20 messages a second")
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "stopping" in printed
    assert resources(client) == (set(), set())


def test_wrong_token_is_told(server):
    code, _, complaints = play(server, "--token", "wrong")
    assert code != 0
    assert "the server refuses POST /v2/schedules" in complaints


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:8080"])
def test_url_that_is_none_is_refused(run, url):
    code, _, complaints = run("demo", "--url", url)
    assert code == 2
    assert "is not the URL of a server" in complaints


def test_server_that_is_not_there_is_told(run):
    code, _, complaints = run("demo", "--url", "http://127.0.0.1:1")
    assert code == 2
    assert "does not answer" in complaints
    assert "outrider dev" in complaints
