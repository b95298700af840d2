"""The programs in C that make and take requests: built here, so that they cost little beside what is measured."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

SOURCES = Path(__file__).parent / "native"
BUILD = SOURCES / "build"

FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Wshadow")


class CannotBuildError(Exception):
    """There is no compiler, or it refused; says which, and what helps."""


class Programs(NamedTuple):
    load: Path
    receiver: Path


def build(folder: Path = BUILD) -> Programs:
    """Compile what is not there or older than its sources. Raises CannotBuildError."""
    newest = max(source.stat().st_mtime for source in SOURCES.glob("*.[ch]"))
    programs = Programs(*(folder / name for name in Programs._fields))
    for program in programs:
        if not program.exists() or program.stat().st_mtime < newest:
            _compile(SOURCES / f"{program.name}.c", program)
    return programs


def compiler() -> str:
    """The C compiler: what CC names, else the first of the usual ones. Raises CannotBuildError."""
    candidates = [os.environ["CC"]] if os.environ.get("CC") else ["cc", "gcc", "clang"]
    for name in candidates:
        found = shutil.which(name)
        if found is not None:
            return found
    raise CannotBuildError(
        f"no C compiler: {' nor '.join(candidates)} is on PATH, and the benchmarks build two small programs; "
        "install one (Debian, Ubuntu: apt install gcc libc6-dev; Fedora: dnf install gcc) or name it in CC"
    )


def _compile(source: Path, program: Path) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    fresh = program.with_suffix(f".{os.getpid()}")
    done = subprocess.run(
        [compiler(), *FLAGS, "-o", str(fresh), str(source)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise CannotBuildError(
            f"{compiler()} refused {source.name}, which needs Linux and its C library:\n{done.stderr}"
        )
    fresh.replace(program)
