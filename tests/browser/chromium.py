"""The real browser: Chromium, its own process, driven over its own protocol.

Its program is what OUTRIDER_TEST_CHROMIUM names, else that of the machine; `python -m tests.browser.chromium` says
which. No package that .venv could hold has it: `make setup` installs the system's where it may, and elsewhere the
browser's tests fail until somebody has.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first is the same browser without a window of its own: a new page takes 0.1 s instead of 0.5, and the tests of
a file two thirds of the CPU."""

FLAGS = (
    "--no-sandbox",  # as root there is none; it opens nothing but our own pages
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",  # the same picture on every machine
)


class MissingChromiumError(Exception):
    """There is no Chromium to test with; the message names the remedy."""


def program() -> str:
    """The path of Chromium. Raises MissingChromiumError."""
    named = os.environ.get("OUTRIDER_TEST_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise MissingChromiumError(
            f"the console's tests need Chromium, and none of {', '.join(NAMES)} is on PATH; "
            "install one (Debian: apt-get install chromium-headless-shell), "
            "or name its program in OUTRIDER_TEST_CHROMIUM"
        )
    return found


if __name__ == "__main__":
    try:
        path = program()
        version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    except (MissingChromiumError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(str(error))
    sys.stdout.write(f"{path}: {version}\n")
