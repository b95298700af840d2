"""Runs programs that use the official JavaScript SDK, unmodified, with Node."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROGRAMS = Path(__file__).parent / "js"
RUN_S = 90


def run_program(program: str, **variables: str) -> str:
    """Run a program of `js/` with nothing in its environment but these; what it printed. Fails with what it printed."""
    node = shutil.which("node", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert node, "there is no node; `make setup` installs one"
    assert (PROGRAMS / "node_modules" / "@upstash").is_dir(), "the SDK is not installed; `make setup` installs it"
    done = subprocess.run(
        [node, str(PROGRAMS / program)],
        env={"PATH": os.environ["PATH"], "UPSTASH_DISABLE_TELEMETRY": ""} | variables,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
