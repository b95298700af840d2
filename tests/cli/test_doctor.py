"""`outrider doctor` given real receivers on this machine."""

import json
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.free_port import free_port

from outrider.sender import resolver
from outrider.signing import InvalidSignature, verify

KEY = "sig_theReceiversOwnKey0000000000"


class Receiver(ThreadingHTTPServer):
    """Answers by `answer(request)`, a status and headers; keeps what it was sent."""

    daemon_threads = True

    def __init__(self, answer, context=None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.requests = []
        self.scheme = "http" if context is None else "https"
        self.host = "127.0.0.1"
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def url(self):
        return f"{self.scheme}://{self.host}:{self.server_address[1]}/hook?x=1"

    def handle_error(self, *_):
        """A handshake that the caller ends is no fault."""


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(self)
        status, headers = self.server.answer(self)
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass


def verifying(request):
    token = request.headers.get("Upstash-Signature", "")
    try:
        verify(token, keys=[KEY], body=request.body, url=request.server.url, now_s=int(time.time()))
    except InvalidSignature:
        return 401, {}
    return 200, {}


def gullible(_):
    return 200, {}


@pytest.fixture
def start():
    running = []

    def start(answer, context=None):
        server = Receiver(answer, context)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def examine(run, monkeypatch):
    """Run the doctor: exit code, verdicts by check, sentences by check."""
    monkeypatch.delenv("QSTASH_CURRENT_SIGNING_KEY", raising=False)

    def examine(url, *flags):
        code, out, err = run("doctor", url, "--json", *flags)
        assert err == ""
        document = json.loads(out)
        assert document["url"] == url
        assert document["healthy"] is (code == 0)
        checks = document["checks"]
        return code, {one["check"]: one["verdict"] for one in checks}, {one["check"]: one["sentence"] for one in checks}

    return examine


def look_ups_find(monkeypatch, *addresses):
    """Look-ups find these addresses; with none, they fail."""

    def look_up(_host, port, _family):
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(resolver, "_look_up", look_up)


def make_certificate(folder, days):
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", str(days), "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, str(certificate)


@pytest.fixture(scope="module")
def soon(tmp_path_factory):
    """A certificate that expires in 5 days."""
    return make_certificate(tmp_path_factory.mktemp("soon"), 5)


@pytest.fixture(scope="module")
def late(tmp_path_factory):
    """A certificate that expires in 90 days."""
    return make_certificate(tmp_path_factory.mktemp("late"), 90)


def test_a_verifying_receiver_is_healthy(start, examine):
    receiver = start(verifying)
    code, verdicts, sentences = examine(receiver.url, "--dev", "--key", KEY)
    assert code == 0
    assert verdicts == {
        "url": "warn",
        "dns": "ok",
        "address": "ok",
        "latency": "ok",
        "unsigned": "ok",
        "forged": "ok",
        "signed": "ok",
    }
    assert "127.0.0.1" in sentences["dns"]
    assert "loopback" in sentences["address"]


def test_its_requests_are_harmless_and_say_who_sends_them(start, examine):
    receiver = start(verifying)
    examine(receiver.url, "--dev", "--key", KEY)
    assert {request.headers["User-Agent"] for request in receiver.requests} == {"Outrider-Doctor"}
    assert {request.body for request in receiver.requests} == {b"{}"}
    assert {request.path for request in receiver.requests} == {"/hook?x=1"}
    assert ["Upstash-Signature" in request.headers for request in receiver.requests] == [False] * 3 + [True] * 2


def test_a_receiver_that_verifies_nothing_fails(start, examine):
    code, verdicts, sentences = examine(start(gullible).url, "--dev")
    assert code == 1
    assert (verdicts["unsigned"], verdicts["forged"], verdicts["signed"]) == ("fail", "fail", "warn")
    assert "anybody may call it" in sentences["forged"]
    assert "--key" in sentences["signed"]


def test_a_receiver_with_another_key_fails(start, examine):
    code, verdicts, sentences = examine(start(verifying).url, "--dev", "--key", "sig_another")
    assert (code, verdicts["forged"], verdicts["signed"]) == (1, "ok", "fail")
    assert "has this key" in sentences["signed"]


def test_the_key_is_taken_from_the_environment_and_never_printed(start, run, monkeypatch):
    monkeypatch.setenv("QSTASH_CURRENT_SIGNING_KEY", KEY)
    receiver = start(verifying)
    code, out, err = run("doctor", receiver.url, "--dev")
    assert code == 0
    assert "a rightly signed request was accepted with 200" in out
    assert KEY not in out + err
    assert KEY not in run("doctor", "--help")[1]


def test_people_read_a_line_for_each_check(start, run, monkeypatch):
    monkeypatch.delenv("QSTASH_CURRENT_SIGNING_KEY", raising=False)
    _, out, _ = run("doctor", start(verifying).url, "--dev")
    header, *lines = out.splitlines()
    assert header.split() == ["result", "check", "finding"]
    assert [line.split()[:2] for line in lines] == [
        ["warn", "url"],
        ["ok", "dns"],
        ["ok", "address"],
        ["ok", "latency"],
        ["ok", "unsigned"],
        ["ok", "forged"],
        ["warn", "signed"],
    ]


def test_a_redirect_is_reported_and_not_followed(start, examine):
    target = start(gullible)
    receiver = start(lambda _: (308, {"Location": target.url}))
    code, verdicts, sentences = examine(receiver.url, "--dev")
    assert (code, verdicts["redirect"]) == (1, "fail")
    assert target.url in sentences["redirect"]
    assert (len(receiver.requests), target.requests) == (1, [])


def test_a_receiver_that_does_not_answer_in_time_fails(start, examine):
    ended = threading.Event()

    def slow(_):
        ended.wait(10)
        return 200, {}

    code, verdicts, sentences = examine(start(slow).url, "--dev", "--timeout", "0.2s")
    ended.set()
    assert (code, verdicts["answer"]) == (1, "fail")
    assert "did not answer within 0.2 s" in sentences["answer"]


def test_a_port_where_nobody_listens_fails(examine):
    code, verdicts, sentences = examine(f"http://127.0.0.1:{free_port()}", "--dev")
    assert (code, verdicts["answer"]) == (1, "fail")
    assert "connection refused" in sentences["answer"]


class TestAddresses:
    def test_http_and_this_machine_are_refused_as_in_serve_and_nothing_is_sent(self, start, examine):
        receiver = start(verifying)
        code, verdicts, sentences = examine(receiver.url)
        assert (code, verdicts) == (1, {"url": "fail", "dns": "ok", "address": "fail"})
        assert "only https is allowed" in sentences["url"]
        assert "127.0.0.0/8" in sentences["address"]
        assert receiver.requests == []

    def test_a_refused_url_at_an_allowed_address_is_sent_nothing(self, start, examine, monkeypatch):
        monkeypatch.setenv("OUTRIDER_ALLOW_NETWORKS", "127.0.0.0/8")
        receiver = start(verifying)
        code, verdicts, _ = examine(receiver.url)
        assert (code, verdicts) == (1, {"url": "fail", "dns": "ok", "address": "ok"})
        assert receiver.requests == []

    def test_settings_may_allow_them(self, start, examine, monkeypatch):
        monkeypatch.setenv("OUTRIDER_ALLOW_HTTP", "true")
        monkeypatch.setenv("OUTRIDER_ALLOW_NETWORKS", "127.0.0.0/8")
        code, verdicts, _ = examine(start(verifying).url)
        assert (code, verdicts["address"]) == (0, "ok")

    def test_a_name_without_an_address_fails(self, examine, monkeypatch):
        look_ups_find(monkeypatch)
        code, verdicts, sentences = examine("https://nowhere.example/x")
        assert (code, verdicts) == (1, {"url": "ok", "dns": "fail"})
        assert "'nowhere.example'" in sentences["dns"]

    def test_all_addresses_are_listed_and_private_ones_are_refused(self, examine, monkeypatch):
        look_ups_find(monkeypatch, "10.0.0.1", "192.168.0.1")
        code, verdicts, sentences = examine("https://inside.example/x")
        assert (code, verdicts) == (1, {"url": "ok", "dns": "ok", "address": "fail"})
        assert "10.0.0.1, 192.168.0.1" in sentences["dns"]

    def test_an_address_that_is_refused_beside_another_warns(self, start, examine, monkeypatch):
        look_ups_find(monkeypatch, "10.0.0.1", "127.0.0.1")
        receiver = start(verifying)
        receiver.host = "receiver.example"
        code, verdicts, sentences = examine(receiver.url, "--dev", "--key", KEY)
        assert (code, verdicts["address"], verdicts["signed"]) == (0, "warn", "ok")
        assert sentences["address"].startswith("1 of 2 addresses would never be called")


class TestTls:
    @pytest.fixture
    def trusting(self, start, monkeypatch):
        """A TLS receiver whose certificate this process trusts."""

        def trusting(made):
            context, file = made
            monkeypatch.setenv("SSL_CERT_FILE", file)
            return start(verifying, context)

        return trusting

    def test_a_valid_certificate_is_told_with_the_days_it_has_left(self, trusting, late, examine):
        code, verdicts, sentences = examine(trusting(late).url, "--dev", "--key", KEY)
        assert (code, verdicts["url"], verdicts["tls"], verdicts["signed"]) == (0, "ok", "ok", "ok")
        assert "valid for 89 more days" in sentences["tls"]

    def test_a_certificate_that_expires_soon_warns(self, trusting, soon, examine):
        code, verdicts, sentences = examine(trusting(soon).url, "--dev")
        assert (code, verdicts["tls"], verdicts["unsigned"]) == (0, "warn", "ok")
        assert "valid for 4 more days" in sentences["tls"]

    def test_a_certificate_of_nobody_known_fails_and_nothing_is_sent(self, start, late, examine):
        receiver = start(verifying, late[0])
        code, verdicts, sentences = examine(receiver.url, "--dev")
        assert (code, verdicts["tls"]) == (1, "fail")
        assert "self-signed certificate" in sentences["tls"]
        assert receiver.requests == []

    def test_a_certificate_for_another_host_fails(self, trusting, late, examine, monkeypatch):
        look_ups_find(monkeypatch, "127.0.0.1")
        receiver = trusting(late)
        receiver.host = "other.example"
        code, verdicts, sentences = examine(receiver.url, "--dev")
        assert (code, verdicts["tls"]) == (1, "fail")
        assert "other.example" in sentences["tls"]

    def test_an_address_that_is_down_is_passed_over(self, trusting, late, examine, monkeypatch):
        look_ups_find(monkeypatch, "127.0.0.2", "127.0.0.1")
        receiver = trusting(late)
        receiver.host = "localhost"
        code, verdicts, _ = examine(receiver.url, "--dev")
        assert (code, verdicts["tls"]) == (0, "ok")

    def test_a_port_without_tls_fails(self, start, examine):
        receiver = start(verifying)
        code, verdicts, sentences = examine(receiver.url.replace("http", "https"), "--dev", "--timeout", "2s")
        assert (code, verdicts["tls"]) == (1, "fail")
        assert "no TLS with 127.0.0.1" in sentences["tls"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("receiver.example",), 1, "receiver.example"),
        (("https://a.example/ x",), 1, "https://a.example/ x"),
        (("https://a.example", "--timeout", "soon"), 2, "--timeout 'soon' is not a duration"),
        (("https://a.example", "--timeout", "0"), 2, "leaves no time"),
    ],
)
def test_what_is_written_wrongly_is_named(run, arguments, code, said):
    ended, out, err = run("doctor", *arguments)
    assert (ended, out) == (code, "")
    assert err.startswith("error: ")
    assert said in err
