from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from tests.browser.chromium import FLAGS, program
from tests.browser.console import Console
from tests.browser.shop import Shop
from tests.e2e.account import Account, open_account
from tests.e2e.ledger import Ledger
from tests.e2e.server_process import ServerProcess

WIDTH, HEIGHT = 1280, 800
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def ledger() -> Iterator[Ledger]:
    """A destination that this process's tests share; each uses paths of its own."""
    ledger = Ledger().start()
    yield ledger
    ledger.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[ServerProcess]:
    """A server that this process's tests share; each uses an account of its own."""
    server = ServerProcess(tmp_path_factory.mktemp("console"), "serve")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One for a file's tests: while it is there, this thread has a running loop and can run no other."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=[*FLAGS])
        yield browser
        browser.close()


@pytest.fixture
def account(server) -> Account:
    """A tenant of the shared server that nobody else uses."""
    return _open_account(server)


@pytest.fixture(scope="session")
def busy_shop(server, ledger) -> Shop:
    """A tenant with something on every screen; tests look at it and change nothing."""
    return Shop(_open_account(server), ledger).open()


@pytest.fixture
def tab(chromium, server) -> Iterator[Callable[..., Console]]:
    """Opens a tab of its own, signed out, at the shared server or another.

    The test fails if the browser complained of anything in one.
    """
    consoles = []

    def make(url: str = server.url) -> Console:
        context = chromium.new_context(viewport={"width": WIDTH, "height": HEIGHT}, timezone_id="UTC")
        context.set_default_timeout(PATIENCE_MS)
        consoles.append(Console(context.new_page(), url))
        return consoles[-1]

    yield make
    problems = [problem for console in consoles for problem in console.problems]
    for console in consoles:
        console.page.context.close()
    assert not problems, "\n".join(problems)


@pytest.fixture
def console(tab, account) -> Console:
    """A tab signed in with full access."""
    return tab().sign_in(account.token)


def _open_account(server: ServerProcess) -> Account:
    with ThreadPoolExecutor(1) as elsewhere:
        return elsewhere.submit(open_account, server).result()
