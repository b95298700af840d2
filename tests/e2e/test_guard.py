"""No denied address is ever connected to, however it is written and whatever way it comes in."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from ipaddress import ip_address

import pytest
from tests.e2e.denied_addresses import ADDRESSES, NAMES, SPELLINGS, UNCALLABLE
from tests.e2e.guarded_world import EVERYTHING, PUBLIC, in_server, try_literals

WAYS = ("publish", "batch", "enqueue", "callback", "failure_callback", "group", "schedule")

NAMESPACES = (("unshare", "--net", "--mount"), ("unshare", "--user", "--map-root-user", "--net", "--mount"))


@cache
def isolated() -> tuple[str, ...] | None:
    """The beginning of a command that runs in a network of its own, where this machine lets us make one."""
    probe = "ip link set lo up && ip route add local default dev lo && mount --bind /etc/hosts /etc/resolv.conf"
    for prefix in NAMESPACES:
        try:
            made = subprocess.run([*prefix, "sh", "-c", probe], capture_output=True, check=False, timeout=10)
        except OSError:
            continue
        if made.returncode == 0:
            return prefix
    return None


def run_isolated(folder, allowed: str) -> dict:
    folder.mkdir()
    command = [*isolated(), sys.executable, "-m", "tests.e2e.guarded_world", str(folder), allowed]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=220, env=os.environ)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(ended.stdout)


def called(address: str) -> str:
    """How the listener knows a connection to the address."""
    meant = ip_address(address)
    meant = getattr(meant, "ipv4_mapped", None) or meant
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(str(meant), str(meant))


def test_there_are_enough_of_them():
    assert len(set(ADDRESSES)) >= 60
    assert len(set(SPELLINGS)) >= 120


@pytest.mark.timeout(240)
def test_no_denied_address_is_reached_where_every_address_leads_here(tmp_path):
    """Beside it runs the same with everything allowed: there the listener is reached, by each way, at each address."""
    if isolated() is None:
        pytest.skip("a network namespace cannot be made here")
    with ThreadPoolExecutor() as threads:
        guarded = threads.submit(run_isolated, tmp_path / "guarded", f"{PUBLIC}/32")
        control = threads.submit(run_isolated, tmp_path / "control", EVERYTHING).result()
        guarded = guarded.result()

    assert {address for address, _, _ in guarded["reached"]} == {PUBLIC}
    literals = [accepted for accepted in guarded["accepted_literals"] if "-redirect" not in accepted]
    assert {literal.split("//")[1].split("/")[0] for literal in literals} == set(NAMES), "all others at publish already"
    assert guarded["other_errors"] == control_only_errors(guarded)
    # By name: seven ways and what is rebound. What is mixed goes to the public address.
    assert guarded["blocked"] >= (len(WAYS) + 1) * guarded["numbers"]

    reached = {(address, path) for address, path, _ in control["reached"]}
    callable_ = [address for address in ADDRESSES if address not in UNCALLABLE]
    for kind in ("name", "literal"):
        for way in WAYS:
            missed = [one for one in callable_ if (called(one), f"/{kind}-{way}") not in reached]
            assert not missed, f"the control did not reach them by {kind} and {way}"
    assert not [one for one in callable_ if (called(one), "/fail-rebinding") not in reached]
    assert not [path for _, path in reached if path.endswith("-redirect") and not path.startswith("/redirect/")], (
        "redirects are followed by nobody"
    )


def control_only_errors(guarded: dict) -> list[str]:
    """The errors of the destinations that were to fail."""
    return [error for error in guarded["other_errors"] if "answered 500" in error or "answered 302" in error]


def test_no_spelling_of_this_machine_is_reached(tmp_path):
    """The lesser form, for which no namespace is needed."""
    (tmp_path / "guarded").mkdir()
    (tmp_path / "control").mkdir()
    guarded = in_server(tmp_path / "guarded", f"{PUBLIC}/32", try_literals)
    control = in_server(tmp_path / "control", "127.0.0.0/8", lambda server: try_literals(server, ["127.0.0.1"]))

    assert guarded["reached"] == []
    assert {path for _, path, _ in control["reached"]} >= {"/publish", "/batch", "/enqueue", "/group"}
