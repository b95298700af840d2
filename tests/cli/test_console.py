"""`outrider console link`, beside a server and without one."""

from __future__ import annotations

import pytest
from tests.cli.test_tenants import in_store

from outrider.clock import SystemClock
from outrider.domain.tenant import Scope
from outrider.engine.directory import Directory
from outrider.engine.sign_in_links import SignInLinks


@pytest.fixture
def made(run):
    assert run("tenant", "add", "acme")[0] == 0


def used(folder, link):
    async def use(store):
        clock = SystemClock()
        return await SignInLinks(store, clock, Directory(store, clock, None)).use(link.partition("#")[2].strip())

    return in_store(folder / ".outrider" / "outrider.db", use)


def test_a_link_signs_in_to_the_only_tenant(run, folder, made):
    code, out, _ = run("console", "link")
    assert code == 0
    assert out.startswith("http://127.0.0.1:8080/console/sign-in#")
    assert used(folder, out).scope is Scope.FULL
    assert used(folder, out) is None


def test_a_link_may_be_for_reading_only(run, folder, made):
    _, out, _ = run("console", "link", "--tenant", "acme", "--read-only")
    assert used(folder, out).scope is Scope.READ


@pytest.mark.parametrize(
    ("flags", "environ", "begins"),
    [
        (["--url", "https://queue.example/"], {}, "https://queue.example/console/"),
        ([], {"OUTRIDER_PUBLIC_URL": "https://queue.example"}, "https://queue.example/console/"),
        ([], {"OUTRIDER_HOST": "0.0.0.0", "OUTRIDER_PORT": "99"}, "http://127.0.0.1:99/console/"),
        ([], {"OUTRIDER_HOST": "::1"}, "http://[::1]:8080/console/"),
    ],
)
def test_it_leads_to_where_the_server_is(run, monkeypatch, flags, environ, begins):
    assert run("tenant", "add", "acme")[0] == 0
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert run("console", "link", *flags)[1].startswith(begins)


def test_of_several_tenants_one_must_be_named(run, made):
    assert run("tenant", "add", "other")[0] == 0
    code, _, err = run("console", "link")
    assert code == 2
    assert "--tenant" in err
    assert run("console", "link", "--tenant", "other")[0] == 0


def test_an_unknown_tenant_is_told(run, made):
    code, _, err = run("console", "link", "--tenant", "nobody")
    assert code == 1
    assert "tenant 'nobody' does not exist" in err


def test_its_token_is_remembered_as_made_by_the_command_line(run, made):
    run("console", "link")
    assert "token.create" in run("audit")[1]
    assert "command line" in run("audit")[1]
