"""The lock names everything that Outrider runs on, and no place to get it from."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = (ROOT / "requirements.lock").read_text()
ENTRY = re.compile(r"^(\S+?)==(\S+)(?: ; [^\n\\]+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)
LOCKED = {canonicalize_name(name): version for name, version, _ in ENTRY.findall(LOCK)}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_every_dependency_is_locked_at_a_version_that_it_may_have():
    assert PROJECT["dependencies"]
    for requirement in map(Requirement, PROJECT["dependencies"]):
        assert requirement.specifier.contains(LOCKED[canonicalize_name(requirement.name)]), requirement.name


def test_lock_is_versions_with_hashes_and_nothing_else():
    lines = "".join(line for line in LOCK.splitlines(keepends=True) if not line.startswith("#"))
    assert ENTRY.sub("", lines) == ""
    assert "://" not in LOCK
