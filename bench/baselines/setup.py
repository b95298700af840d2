"""Install what the baselines need, where it is missing.

    .venv/bin/python -m bench.baselines.setup

npm packages and a virtual environment are made in this folder. redis-server and nginx are those of the
machine; where it has none and this runs as root, apt-get installs them. What cannot be installed is
named, and its baselines are left out by name when they are to run.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
ENVIRONMENT = FOLDER / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"

PACKAGES = {
    "npm": (FOLDER / "package-lock.json", FOLDER / "node_modules" / ".ready"),
    "pip": (FOLDER / "requirements.txt", ENVIRONMENT / ".ready"),
}
"""What pins them, and what is newer once they are installed."""

REMEDY = "run .venv/bin/python -m bench.baselines.setup"

NPM = ("npm", "ci", "--silent", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved")
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", "requirements.txt")
APT = ("apt-get", "install", "--quiet", "--quiet", "--yes", "--no-install-recommends")
QUIET = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
"""A package's server is not to be started: the benchmarks start their own."""

PROGRAMS = ("redis-server", "nginx")
"""What the machine has to have; packages of Debian and Ubuntu have the same names."""

PATH = f"{os.environ.get('PATH', '')}:{Path(sys.executable).parent}:/usr/local/sbin:/usr/sbin:/sbin"


def find_program(name: str) -> str | None:
    return shutil.which(name, path=PATH)


def find_missing(needs: Iterable[str]) -> str | None:
    """Why a baseline that needs these cannot run; None: it can. Beside programs, `npm` and `pip` stand for packages."""
    for need in needs:
        if need in PACKAGES and not _is_installed(*PACKAGES[need]):
            return f"its {need} packages are not installed; {REMEDY}"
        if need not in PACKAGES and find_program(need) is None:
            return f"{need} is not on this machine; {REMEDY} as root, or install it"
    return None


def _is_installed(pins: Path, ready: Path) -> bool:
    return ready.exists() and ready.stat().st_mtime >= pins.stat().st_mtime


def versions() -> dict[str, str]:
    """Of everything that the peers are made of, as far as it is there."""
    found = {}
    for program, flag in (("node", "--version"), ("redis-server", "--version"), ("nginx", "-v")):
        path = find_program(program)
        if path is not None:
            said = subprocess.run([path, flag], capture_output=True, text=True, check=False)
            number = re.search(r"\d+(\.\d+)+", said.stdout + said.stderr)
            found[program] = number[0] if number else "unknown"
    packages: dict[str, str] = json.loads((FOLDER / "package.json").read_text())["dependencies"]
    pinned = (line.split("==") for line in (FOLDER / "requirements.txt").read_text().split())
    return found | packages | {name.partition("[")[0]: version for name, version in pinned}


def install_packages(kind: str) -> None:
    """Raises OSError or CalledProcessError where they could not be had."""
    if kind == "npm":
        _run(NPM)
    else:
        _run((sys.executable, "-m", "venv", str(ENVIRONMENT)))
        _run((str(PYTHON), *PIP))
    PACKAGES[kind][1].touch()


def install_program(name: str) -> None:
    """Raises OSError where only root could."""
    if os.geteuid() != 0:
        raise PermissionError(f"{name} has to be installed by root: apt-get install {name}")
    try:
        _run((*APT, name))
    except subprocess.CalledProcessError:
        _run(("apt-get", "update", "--quiet", "--quiet"))
        _run((*APT, name))


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, cwd=FOLDER, env=os.environ | QUIET | {"PATH": PATH}, check=True)


def main() -> None:
    failed = False
    for need in (*PACKAGES, *PROGRAMS):
        if find_missing([need]) is None:
            continue
        try:
            install_packages(need) if need in PACKAGES else install_program(need)
        except (OSError, subprocess.CalledProcessError) as failure:
            failed = True
            print(f"missing: {need}: {failure}", file=sys.stderr)
    if failed:
        raise SystemExit("the baselines that need these will be left out, and named")


if __name__ == "__main__":
    main()
