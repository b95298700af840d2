"""Fuzz what reads bytes of others, guided by coverage: `python -m tests.fuzz [TARGET [option of libFuzzer …]]`.

Without a target each has a minute. It needs `atheris`, which is no part of `.venv`: `make fuzz` makes an environment
with it. A finding ends the run with the input, which is kept as `crash-…`; give its path as the option to see it again.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

import atheris

Target = Callable[[bytes], object]

SECONDS_EACH = 60


def main() -> int:
    with atheris.instrument_imports(include=["outrider"]):
        targets = _targets()
    if len(sys.argv) > 1:
        name = sys.argv.pop(1)
        atheris.Setup([f"fuzz {name}", *sys.argv[1:]], targets[name])
        atheris.Fuzz()
    for name in targets:
        command = [sys.executable, "-m", "tests.fuzz", name, f"-max_total_time={SECONDS_EACH}", "-verbosity=0"]
        command += ["-print_final_stats=1"]
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()
        if subprocess.run(command, check=False).returncode:
            return 1
    return 0


def _targets() -> dict[str, Target]:
    """What reads bytes, by name. A refusal is an answer; any other exception is a finding."""
    # Imported here, where they are instrumented.
    from outrider.domain.cron import Cron  # noqa: PLC0415
    from outrider.domain.duration import parse_duration  # noqa: PLC0415
    from outrider.domain.errors import Refusal  # noqa: PLC0415
    from outrider.domain.expression import compile_expression  # noqa: PLC0415
    from outrider.domain.limits import Limits  # noqa: PLC0415
    from outrider.http.framing import RequestReader  # noqa: PLC0415
    from outrider.sender.failures import BrokenOff, Disconnected, Lost, MalformedResponse  # noqa: PLC0415
    from outrider.sender.reception import Reception  # noqa: PLC0415
    from outrider.wire.bodies import parse_batch  # noqa: PLC0415
    from outrider.wire.destination import parse_target  # noqa: PLC0415
    from outrider.wire.options import parse_options  # noqa: PLC0415
    from outrider.wire.profiles import parse_profile  # noqa: PLC0415

    limits = Limits()

    def request(raw: bytes) -> None:
        RequestReader().feed(raw)

    def answer(raw: bytes) -> None:
        reception = Reception(1000)
        with suppress(BrokenOff, Disconnected, Lost, MalformedResponse):
            reception.feed(raw)

    def options(raw: bytes) -> None:
        fields = [line.partition(":") for line in raw.decode("latin-1").split("\n")]
        with suppress(Refusal):
            parse_options([(f"Upstash-{name}", value) for name, _, value in fields], [], limits)

    def destination(raw: bytes) -> None:
        remainder, _, query = raw.partition(b"?")
        with suppress(Refusal):
            parse_target(remainder, query)

    def batch(raw: bytes) -> None:
        with suppress(Refusal):
            parse_batch(raw, limits)

    def profile(raw: bytes) -> None:
        with suppress(Refusal):
            parse_profile(raw)

    def cron(raw: bytes) -> None:
        with suppress(ValueError):
            Cron.parse(raw.decode("latin-1")).next_after(1_767_225_600_000)

    def expression(raw: bytes) -> None:
        with suppress(ValueError):
            compile_expression(raw.decode("latin-1")).delay_ms(7)

    def duration(raw: bytes) -> None:
        with suppress(ValueError):
            parse_duration(raw.decode("latin-1"))

    every = (request, answer, options, destination, batch, profile, cron, expression, duration)
    return {target.__name__: target for target in every}


if __name__ == "__main__":
    sys.exit(main())
