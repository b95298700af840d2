"""What a start of the command line costs, and how `serve` and `dev` begin the server."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from outrider.domain.errors import Misconfigured, StoreUnavailable

HEAVY = {"aiohttp", "starlette", "uvicorn", "prometheus_client", "structlog", "sqlite3", "asyncpg"}


def test_help_and_settings_need_nothing_heavy():
    code = (
        "import sys\n"
        "from outrider.cli.main import main\n"
        "try: main(['config', 'table'])\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "outrider.settings" in ended.stderr.splitlines()
    assert HEAVY & set(ended.stderr.splitlines()) == set()


@pytest.fixture
def server(monkeypatch):
    """A server that records how it was started; it ends as the test says."""
    started = SimpleNamespace(calls=[], ending=0)

    def run(loaded, mode):
        started.calls.append((loaded, mode))
        if isinstance(started.ending, Exception):
            raise started.ending
        return started.ending

    module = SimpleNamespace(run=run)
    monkeypatch.setitem(sys.modules, "outrider.server", module)
    monkeypatch.setattr("outrider.server", module, raising=False)
    return started


@pytest.mark.parametrize("mode", ["serve", "dev"])
def test_the_server_runs_with_the_loaded_settings(run, server, mode):
    server.ending = 7
    code, _, _ = run(mode, "--port", "0", "--data", "x", "--plan", "free")
    ((loaded, started_mode),) = server.calls
    assert code == 7
    assert started_mode == mode
    assert (loaded.settings.port, str(loaded.settings.data), loaded.settings.limits.queues) == (0, "x", 10)
    assert loaded.origins["data"] == "flag --data"


@pytest.mark.parametrize(
    ("failure", "code"),
    [(Misconfigured("port 80 is taken", hint="choose another"), 2), (StoreUnavailable("the disk is full"), 1)],
)
def test_a_failure_to_start_is_a_sentence_and_no_traceback(run, server, failure, code):
    server.ending = failure
    hint = f"hint: {failure.hint}\n" if failure.hint else ""
    assert run("serve") == (code, "", f"error: {failure.sentence}\n{hint}")
