"""The parent of workers. Each test forks from a process of its own, which has no threads."""

import itertools
import subprocess
import sys

from outrider.supervisor import LEAST_PAUSE_S

HEAD = """
import os, signal, sys, time
from outrider.domain.errors import Misconfigured, StoreUnavailable
from outrider.supervisor import Supervisor

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

served, serves = os.pipe()

class Watcher:
    def serving(self): say("serving"), os.write(serves, b"!")
    def lost(self, number, process, ending, cpu_seconds): say("lost", number, ending)
    def failed(self, number, sentence): say("failed", number, sentence)
    def stopping(self): say("stopping")

names = iter("abcdefgh")
parent = os.getpid()

def stop_parent():
    os.kill(parent, signal.SIGTERM)

def wait_for_word(seat):
    return seat._parent.recv(1)

def wait_until_serving():
    os.read(served, 1)
"""


def supervise(count, work, *, before=""):
    """What was said, line by line, until the supervisor came to its end."""
    body = "\n".join(f"    {line}" for line in work.strip().splitlines())
    tail = f"Supervisor({count}, lambda: next(names), work, Watcher()).run()\nsay('end')"
    code = f"{HEAD}\ndef work(seat):\n{body}\n{before}\n{tail}"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    return ended.stdout.splitlines(), ended.stderr


def test_serving_is_said_once_when_all_are_ready():
    said, _ = supervise(
        3,
        """
seat.ready()
if seat.number == 2: wait_until_serving(), stop_parent()
wait_for_word(seat)
""",
    )
    assert said == ["serving", "stopping", "end"]


def test_worker_that_cannot_begin_at_the_start_ends_all_with_its_reason():
    said, stderr = supervise(
        2,
        """
if seat.number: raise Misconfigured("port 80 is taken", hint="choose another", code="of_its_own")
wait_for_word(seat)
""",
    )
    assert said == []
    assert stderr.splitlines()[-1] == "outrider.domain.errors.Misconfigured: port 80 is taken"


def test_reason_is_heard_of_a_worker_that_ends_between_two_looks():
    said, stderr = supervise(
        1,
        'raise Misconfigured("port 80 is taken", hint="choose another", code="of_its_own")',
        before="""
import select
def select_when_one_has_ended(*_):
    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    return [], [], []
select.select = select_when_one_has_ended
""",
    )
    assert said == []
    assert stderr.splitlines()[-1] == "outrider.domain.errors.Misconfigured: port 80 is taken"


def test_failure_that_is_no_misconfiguration_is_none_in_the_parent_either():
    _, stderr = supervise(1, 'raise StoreUnavailable("the disk is full")')
    assert stderr.splitlines()[-1] == "outrider.domain.errors.Unavailable: the disk is full"


def test_successor_learns_who_had_its_place_until_one_was_ready():
    said, _ = supervise(
        1,
        """
say(seat.name, *seat.former)
if seat.name in "acd":
    seat.ready()
if seat.name == "d":
    stop_parent()
    wait_for_word(seat)
if seat.name == "b":
    raise StoreUnavailable("not now")
time.sleep(0.1)
os.kill(os.getpid(), signal.SIGKILL)
""",
    )
    assert said == [
        *("a", "serving", "lost 0 SIGKILL"),
        *("b a", "failed 0 not now", "lost 0 exit code 1"),
        *("c a b", "lost 0 SIGKILL"),
        *("d c", "stopping", "end"),
    ]


def test_worker_that_dies_young_is_replaced_ever_later():
    said, _ = supervise(
        1,
        """
if seat.name == "d": stop_parent(), wait_for_word(seat)
say(time.monotonic())
seat.ready()
""",
    )
    began = [float(line) for line in said if line[0].isdigit()]
    pauses = [later - earlier for earlier, later in itertools.pairwise(began)]
    assert pauses[1] >= LEAST_PAUSE_S


def test_what_a_worker_raises_is_shown_and_the_parent_goes_on():
    said, stderr = supervise(
        1,
        """
if seat.name == "b": stop_parent(), wait_for_word(seat)
else: raise ZeroDivisionError
""",
    )
    assert said == ["lost 0 exit code 1", "stopping", "end"]
    assert "ZeroDivisionError" in stderr


def test_second_signal_hurries():
    said, _ = supervise(
        1,
        """
seat.ready()
stop_parent()
say(wait_for_word(seat))
stop_parent()
say(wait_for_word(seat))
""",
    )
    assert said == ["serving", "stopping", "b's'", "b'h'", "end"]
