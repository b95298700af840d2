"""Where a server's time goes under end-to-end load: samples of its stacks, by part and by function.

    .venv/bin/pip install py-spy
    .venv/bin/python -m bench.hotspots [--seconds 10] [--holding-lock] [--folder DIR]

A sample counts for the innermost function that is on the stack, and for the part that this function
belongs to; the standard library's functions count for the part that called them. What C code does (the
event loop, SQLite, system calls) counts for the Python function that called it. Shares are of CPU time:
the samples of a thread divide what it used. With `--holding-lock` only threads that hold the
interpreter's lock are sampled, and shares are of the samples: what limits one process.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.harness import TICKS, BenchmarkError, Receiver, Server, publish, run
from bench.report import print_table

SAMPLES_PER_SECOND = 200
TOP = 40

LOOP = "event loop"
BELOW_ALL = frozenset({"cli", "server"})
"""What lies below everything on the main thread's stack: a sample that ends there is the loop's own."""


def record(server: Server, seconds: float, output: Path, *flags: str) -> None:
    """Sample the server's stacks while it works. Raises BenchmarkError if that is impossible."""
    py_spy = shutil.which("py-spy", path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin")
    if py_spy is None:
        raise BenchmarkError("py-spy is not installed, and it takes the samples; run .venv/bin/pip install py-spy")
    command = [py_spy, "record", "--pid", str(server.pid), "--output", str(output), "--format", "raw", "--threads"]
    command += ["--full-filenames", "--duration", str(round(seconds)), "--rate", str(SAMPLES_PER_SECOND), *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchmarkError(f"py-spy could not look into the server; it may need to run as root:\n{done.stderr}")


def read_samples(recorded: str) -> Iterator[tuple[list[str], int]]:
    """Stacks, outermost first, and how often each was met. A frame is `function (file:line)`."""
    for line in recorded.splitlines():
        stack, _, count = line.rpartition(" ")
        yield stack.split(";"), int(count)


def part_of(frame: str) -> str | None:
    """The part that a frame belongs to; None for the standard library."""
    path = frame.rpartition(" (")[2].rpartition(":")[0]
    if "/site-packages/" in path:
        return path.rpartition("/site-packages/")[2].partition("/")[0]
    if "/outrider/" in path:
        name = path.rpartition("/outrider/")[2].partition("/")[0].removesuffix(".py")
        return LOOP if name in BELOW_ALL else f"outrider.{name}"
    return None


def part_of_stack(stack: Sequence[str]) -> str:
    return next((part for frame in reversed(stack) if (part := part_of(frame)) is not None), "other")


def name_of(frame: str) -> str:
    function, _, place = frame.rpartition(" (")
    path = place.rpartition(":")[0]
    for root in ("/site-packages/", "/src/outrider/", "/lib/python"):
        path = path.rpartition(root)[2]
    return f"{path} {function}"


def cpu_of_threads(pid: int) -> dict[int, float]:
    """CPU seconds of each thread so far."""
    return {
        int(task.name): sum(map(int, (task / "stat").read_text().rpartition(")")[2].split()[11:13])) / TICKS
        for task in Path(f"/proc/{pid}/task").iterdir()
    }


def thread_of(stack: Sequence[str]) -> int:
    """The number of the thread that a stack is of: its outermost frame is `thread (NUMBER): NAME`."""
    return int(stack[0].partition("(")[2].partition(")")[0])


def print_shares(head: str, counted: Counter[str]) -> None:
    whole = sum(counted.values())
    rows = [(name, f"{100 * count / whole:.1f} %") for name, count in counted.most_common(TOP)]
    print()
    print_table((head, "share"), rows, right=(1,))


def print_samples(samples: Sequence[tuple[list[str], int]], cpu: dict[int, float] | None) -> None:
    """Print the shares. Given the CPU time of each thread, its samples divide that among them."""
    met: Counter[int] = Counter()
    for stack, count in samples:
        met[thread_of(stack)] += count
    weights = {number: (cpu.get(number, 0.0) if cpu is not None else count) / count for number, count in met.items()}
    shares: tuple[Counter[str], Counter[str], Counter[str]] = (Counter(), Counter(), Counter())
    for stack, count in samples:
        for counter, name in zip(shares, (stack[0], part_of_stack(stack), name_of(stack[-1])), strict=True):
            counter[name] += count * weights[thread_of(stack)]  # type: ignore[assignment] # a share of CPU seconds
    print(f"{sum(met.values()):,} samples")
    for head, counter in zip(("thread", "part", "function"), shares, strict=True):
        print_shares(head, counter)


def main() -> None:
    parser = argparse.ArgumentParser(description="where a server's time goes under end-to-end load")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--holding-lock", action="store_true", help="only threads that hold the interpreter's lock")
    parser.add_argument("--folder", type=Path, help="where the database is made")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=said.folder) as name, Receiver(Path(name)) as receiver:
        output = Path(name) / "samples"
        with Server(Path(name)) as server:
            publish([server], f"{receiver.url}/hook", count=5000)
            load = threading.Thread(
                target=publish, args=([server], f"{receiver.url}/hook"), kwargs={"seconds": said.seconds + 2}
            )
            load.start()
            before, began = cpu_of_threads(server.pid), time.monotonic()
            record(server, said.seconds, output, *(["--gil"] if said.holding_lock else []))
            took, after = time.monotonic() - began, cpu_of_threads(server.pid)
            load.join()
        samples = list(read_samples(output.read_text()))
    used = {number: seconds - before.get(number, 0.0) for number, seconds in after.items()}
    print(f"the server used {sum(used.values()) / took:.2f} CPUs")
    print_samples(samples, None if said.holding_lock else used)


if __name__ == "__main__":
    run(main)
