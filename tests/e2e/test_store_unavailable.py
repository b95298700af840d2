"""A store that cannot write: publishing says 503, nothing that got a 2xx is lost, and it recovers by itself."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

RECOVERED_WITHIN_S = 5.0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and mounts of another process are Linux's")


def publish(server, destination, body, **headers):
    """The status, and the id where the message was accepted."""
    request = urllib.request.Request(
        f"{server.url}/v2/publish/{destination}",
        data=body,
        headers={"Authorization": f"Bearer {server.variables['QSTASH_TOKEN']}"} | headers,
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)["messageId"]
    except urllib.error.HTTPError as answer:
        with answer:
            said = json.load(answer)
            assert said["error"]
            return answer.code, None


def test_server_whose_files_cannot_grow_refuses_and_recovers(start_server, ledger, place):
    server = start_server("serve")
    _, most = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    answer_slow, slow = ledger.hold(place + "/slow"), ledger.url(place + "/slow")
    _, in_flight = publish(server, slow, b"x", **{"Upstash-Callback": ledger.url(place + "/callback")})
    ledger.wait_for(place + "/slow")
    parked = publish(server, ledger.url(place + "/parked"), b"x", **{"Upstash-Delay": "2s"})
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (1, most))
    answer_slow()
    refused = [publish(server, ledger.url(place + "/refused"), b"x") for _ in range(5)]
    assert refused == [(503, None)] * 5
    server.wait_for_status("/readyz", 503)
    assert server.get("/healthz") == 200
    server.wait_for_log("store_failed")  # the answer of /slow came, and cannot be settled
    server.wait_for_log("claim_failed")  # /parked is due, and cannot be leased
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (most, most))
    assert server.wait_for_status("/readyz", 200) <= RECOVERED_WITHIN_S
    status, afterwards = publish(server, ledger.url(place + "/afterwards"), b"x")
    assert status == 200
    assert [one.message_id for one in ledger.wait_for(place + "/afterwards")] == [afterwards]
    ledger.wait_for(place + "/callback")
    assert [one.message_id for one in ledger.requests(place + "/slow")] == [in_flight]
    assert [one.message_id for one in ledger.wait_for(place + "/parked")] == [parked[1]]
    assert ledger.requests(place + "/refused") == []


IN_A_SMALL_DISK = (
    "unshare",
    "--mount",
    "--map-root-user",
    "sh",
    "-c",
    'mkdir -p "$0" && mount -t tmpfs -o size=4m tmpfs "$0" && head -c 2097152 /dev/zero >"$0/ballast" && exec "$@"',
)


@pytest.fixture
def small_disk(tmp_path):
    """How to start a server whose data is alone on a disk of 4 MiB, half of it taken by `ballast`."""
    prefix = (*IN_A_SMALL_DISK, str(tmp_path / "data0"))
    try:
        subprocess.run([*prefix, "true"], check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine lets nobody mount")
    return prefix


def test_full_disk_refuses_and_recovers(start_server, small_disk, clock, ledger, place):
    server = start_server("serve", prefix=(*small_disk, *clock.prefix))
    accepted, body = [], os.urandom(64 * 1024)
    for _ in range(200):
        status, message_id = publish(server, ledger.url(place), body, **{"Upstash-Delay": "30s"})
        if status != 200:
            break
        accepted.append(message_id)
    assert status == 503
    assert accepted
    (Path(f"/proc/{server.pid}/root{server.data}") / "ballast").unlink()
    assert server.wait_for_status("/readyz", 200) <= RECOVERED_WITHIN_S
    status, message_id = publish(server, ledger.url(place), b"room")
    assert status == 200
    accepted.append(message_id)
    clock.skip(30)
    received = ledger.wait_for(place, len(accepted), timeout_s=30)
    assert sorted(one.message_id for one in received) == sorted(accepted)
    began = time.monotonic()
    assert server.terminate() == 0
    assert time.monotonic() - began < 20
