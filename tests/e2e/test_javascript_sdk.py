"""The official JavaScript SDK, unmodified, run by Node against the real server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

PROGRAMS = Path(__file__).parent / "js"
RUN_S = 90


def run(program, home, **variables):
    """Run a program of `js/` with nothing in its environment but these. Fails with what it printed."""
    node = shutil.which("node", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert node, "there is no node; `make setup` installs one"
    assert (PROGRAMS / "node_modules" / "@upstash").is_dir(), "the SDK is not installed; `make setup` installs it"
    done = subprocess.run(
        [node, str(PROGRAMS / program)],
        env={"HOME": str(home), "PATH": os.environ["PATH"], "UPSTASH_DISABLE_TELEMETRY": ""} | variables,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("program", ["publish.test.mjs", "manage.test.mjs", "signing.test.mjs"])
def test_javascript_sdk_works_unmodified(account, tmp_path, program):
    run(
        program,
        tmp_path,
        QSTASH_URL=account.url,
        QSTASH_TOKEN=account.token,
        QSTASH_CURRENT_SIGNING_KEY=account.current,
        QSTASH_NEXT_SIGNING_KEY=account.next,
    )


def test_javascript_sdk_in_development_mode_attaches_to_our_server(start_server, tmp_path):
    server = start_server("dev")
    run("development.test.mjs", tmp_path, QSTASH_DEV="true", QSTASH_DEV_PORT=str(urlsplit(server.url).port))
    assert not (tmp_path / ".cache").exists(), "the SDK began to download a server of its own"
