"""Lines that several processes write to one pipe."""

import os
import select

from outrider.observe import LogObserver, SharedLines


def test_lines_come_whole_from_several_processes():
    read, write = os.pipe()
    children = []
    for letter in "abc":
        child = os.fork()
        if not child:
            lines = SharedLines(write)
            for _ in range(200):
                for length in (10, 300, 700, 2_000):
                    lines.write(letter * length + "\n")
                lines.flush()
            os._exit(0)
        children.append(child)
    os.close(write)
    with os.fdopen(read) as stream:
        come = stream.read().splitlines()
    for child in children:
        os.waitpid(child, 0)
    assert len(come) == 3 * 200 * 4
    assert all(len(set(line)) == 1 and len(line) in (10, 300, 700, 2_000) for line in come)


def test_a_line_longer_than_a_pipe_takes_at_once_comes_too():
    read, write = os.pipe()
    lines = SharedLines(write)
    lines.write("short\n")
    lines.write("x" * (select.PIPE_BUF + 1) + "\n")
    lines.write("\ud800 cannot be encoded\n")
    lines.flush()
    lines.flush()
    os.close(write)
    with os.fdopen(read) as stream:
        assert stream.read().splitlines() == ["short", "x" * (select.PIPE_BUF + 1), "\\ud800 cannot be encoded"]


def test_a_log_is_written_at_each_flush():
    read, write = os.pipe()
    LogObserver("info", "json", SharedLines(write)).note("engine_started", node="node_1")
    os.close(write)
    with os.fdopen(read) as stream:
        assert '"event":"engine_started","node":"node_1"' in stream.read()
