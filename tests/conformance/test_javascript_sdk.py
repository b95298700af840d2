"""The official JavaScript SDK, unmodified, run by Node against the real server."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from tests.conformance.coverage import OF_SPECIAL_SERVERS, covered_by, covers, parameter, programs
from tests.conformance.surface import JAVASCRIPT
from tests.e2e.account import open_account
from tests.e2e.javascript import PROGRAMS, run_program

*DEVELOPMENT, LIMITS = OF_SPECIAL_SERVERS
NARROW = {"OUTRIDER_LIMIT_MESSAGES_PER_DAY": "3", "OUTRIDER_LIMIT_BURST_PER_SECOND": "2"}


@pytest.mark.parametrize("program", programs())
def test_javascript_sdk_works_unmodified(account, tmp_path, program):
    run_program(
        program,
        HOME=str(tmp_path),
        QSTASH_URL=account.url,
        QSTASH_TOKEN=account.token,
        QSTASH_CURRENT_SIGNING_KEY=account.current,
        QSTASH_NEXT_SIGNING_KEY=account.next,
    )


@pytest.mark.parametrize("program", [parameter(PROGRAMS / name) for name in DEVELOPMENT])
def test_javascript_sdk_in_development_mode_attaches_to_our_server(start_server, tmp_path, program):
    server = start_server("dev")
    run_program(program, HOME=str(tmp_path), QSTASH_DEV="true", QSTASH_DEV_PORT=str(urlsplit(server.url).port))
    assert not (tmp_path / ".cache").exists(), "the SDK began to download a server of its own"


@covers(*covered_by(PROGRAMS / LIMITS), by=JAVASCRIPT)
def test_javascript_sdk_tells_limits_apart(start_server, tmp_path):
    server = start_server("serve", environ=NARROW)
    account = open_account(server)
    run_program(LIMITS, HOME=str(tmp_path), QSTASH_URL=account.url, QSTASH_TOKEN=account.token)
