from __future__ import annotations

from bench.hotspots import name_of, part_of_stack, print_samples, read_samples

LIBRARY = "/usr/lib/python3.11/hmac.py"
MAIN = "thread (10): MainThread"
WRITER = "thread (11): store-writer"
SIGN = "sign (/app/src/outrider/signing.py:20)"
RUN = "run (/app/src/outrider/server.py:50)"
SEND = "send (/app/lib/site-packages/uvicorn/protocols/http.py:7)"


def test_samples_are_read_outermost_first():
    (sample,) = read_samples(f"{MAIN};{RUN};{SIGN} 12\n")
    assert sample == ([MAIN, RUN, SIGN], 12)


def test_standard_library_counts_for_its_caller():
    assert part_of_stack([MAIN, RUN, SIGN, f"new ({LIBRARY}:3)"]) == "outrider.signing"
    assert part_of_stack([MAIN, RUN, SEND]) == "uvicorn"
    assert part_of_stack([MAIN, RUN, "run (/usr/lib/python3.11/asyncio/runners.py:118)"]) == "event loop"
    assert part_of_stack([WRITER, "x (/app/src/outrider/store/sqlite/writer.py:9)"]) == "outrider.store"


def test_function_is_named_without_what_is_this_machines():
    assert name_of(SIGN) == "signing.py sign"
    assert name_of(SEND) == "uvicorn/protocols/http.py send"


def test_samples_of_a_thread_divide_its_cpu_time(capsys):
    samples = [([MAIN, RUN, SIGN], 1), ([MAIN, RUN, SEND], 3), ([WRITER, "w (/app/src/outrider/store/w.py:1)"], 400)]
    print_samples(samples, {10: 8.0, 11: 2.0})
    lines = capsys.readouterr().out.splitlines()
    for share in ("outrider.signing", "20.0 %"), ("uvicorn", "60.0 %"), ("outrider.store", "20.0 %"):
        assert any(line.split(maxsplit=1) == [share[0], share[1]] for line in lines), lines
