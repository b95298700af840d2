"""Ids: sorted by time, never twice, not even after a fork."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from outrider.domain.message import new_id

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

FORKING = """
import os, sys
from outrider.domain.message import new_id
new_id("msg", 0)
pid = os.fork()
for _ in range(3):
    sys.stdout.write(new_id("msg", 0) + "\\n")
sys.stdout.flush()
if pid:
    os.waitpid(pid, 0)
else:
    os._exit(0)
"""


def number_of(id_):
    number = 0
    for letter in id_.rpartition("_")[2]:
        number = number * 32 + ALPHABET.index(letter)
    return number


@given(st.integers(0, 2**48 - 1))
def test_id_spells_its_time_and_80_random_bits(now):
    id_ = new_id("msg", now)
    assert id_.startswith("msg_")
    assert len(id_) == 4 + 26
    assert number_of(id_) >> 80 == now


@given(st.integers(0, 2**48 - 2), st.integers(1, 1000))
def test_later_ids_sort_later(now, ms):
    assert new_id("msg", now) < new_id("msg", min(now + ms, 2**48 - 1))


def test_ids_of_one_instant_are_never_the_same():
    assert len({new_id("msg", 1) for _ in range(5000)}) == 5000


def test_forked_process_repeats_no_id():
    printed = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, check=True, timeout=20)
    ids = printed.stdout.split()
    assert len(set(ids)) == len(ids) == 6
