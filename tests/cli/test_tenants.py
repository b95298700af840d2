"""`outrider tenant` and `outrider token` on a real SQLite file."""

import asyncio
import re
import sqlite3
import subprocess
import sys

import pytest

from outrider.clock import SystemClock
from outrider.domain.tenant import Scope, hash_token
from outrider.engine.directory import Directory
from outrider.store.sqlite import SqliteStore


def in_store(database, ask):
    async def open_and_ask():
        store = await SqliteStore.open(database, exclusive=False)
        try:
            return await ask(store)
        finally:
            await store.close()

    return asyncio.run(open_and_ask())


def test_a_tenant_is_added_with_signing_keys(run, folder):
    code, out, err = run("tenant", "add", "acme")
    assert code == 0
    keys = dict(line.split("=") for line in out.splitlines())
    assert list(keys) == ["QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY"]
    assert all(re.fullmatch(r"sig_[A-Za-z0-9]{28}", key) for key in keys.values())
    assert "outrider token create --tenant acme" in err
    (tenant,) = in_store(folder / ".outrider" / "outrider.db", lambda store: store.list_tenants())
    assert tenant.name == "acme"
    assert (folder / ".outrider").stat().st_mode & 0o077 == 0


def test_tenants_are_listed_and_removed(run):
    run("tenant", "add", "acme")
    run("tenant", "add", "zeta")
    _, out, _ = run("tenant", "list")
    header, *rows = out.splitlines()
    assert re.split(r"  +", header) == ["name", "id", "created", "standard webhooks"]
    assert sorted(row.split()[0] for row in rows) == ["acme", "zeta"]
    assert re.search(r"ten_\w+ +\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ +no$", rows[0])
    assert run("tenant", "remove", "acme", "--yes") == (0, "", "Removed tenant 'acme'.\n")
    assert [row.split()[0] for row in run("tenant", "list")[1].splitlines()] == ["name", "zeta"]


def test_standard_webhooks_of_a_tenant_are_switched_and_listed(run, folder):
    run("tenant", "add", "acme")
    before = in_store(folder / ".outrider" / "outrider.db", lambda store: store.list_tenants())[0]
    assert run("tenant", "set", "acme", "--standard-webhooks") == (
        0,
        "",
        "Deliveries of tenant 'acme' are signed by Standard Webhooks.\n",
    )
    assert run("tenant", "list")[1].splitlines()[1].endswith(" yes")
    keys = in_store(folder / ".outrider" / "outrider.db", lambda store: store.get_keys(before.id))
    assert keys.standard_webhooks
    assert run("tenant", "set", "acme", "--no-standard-webhooks")[2].endswith("are not signed by Standard Webhooks.\n")
    assert run("tenant", "list")[1].splitlines()[1].endswith(" no")


def test_setting_nothing_of_a_tenant_is_refused(run):
    run("tenant", "add", "acme")
    code, out, err = run("tenant", "set", "acme")
    assert (code, out) == (2, "")
    assert "--standard-webhooks" in err


def test_removing_a_tenant_asks_first(run, folder):
    def remove(answer):
        command = [sys.executable, "-m", "outrider.cli.main", "tenant", "remove", "acme"]
        return subprocess.run(command, input=answer, capture_output=True, text=True, check=False).returncode

    run("tenant", "add", "acme")
    database = folder / ".outrider" / "outrider.db"
    assert remove("n\n") == 1
    assert len(in_store(database, lambda store: store.list_tenants())) == 1
    assert remove("y\n") == 0
    assert in_store(database, lambda store: store.list_tenants()) == []


def test_a_token_is_printed_once_and_alone_on_standard_output(run, folder):
    run("tenant", "add", "acme")
    code, secret, err = run("token", "create", "--tenant", "acme", "--name", "web shop")
    assert code == 0
    assert re.fullmatch(r"otr_[A-Za-z0-9_-]{43}\n", secret)
    secret = secret.strip()
    assert secret not in err
    stored = in_store(folder / ".outrider" / "outrider.db", lambda store: store.find_token(hash_token(secret)))
    assert (stored.scope, stored.name) == (Scope.FULL, "web shop")
    _, out, _ = run("token", "list")
    assert secret not in out
    assert re.search(rf"{stored.id} +acme +full +{re.escape(secret[-4:])} +web shop +\d{{4}}-", out)


def test_a_token_may_be_read_only(run, folder):
    run("tenant", "add", "acme")
    secret = run("token", "create", "--tenant", "acme", "--read-only")[1].strip()
    stored = in_store(folder / ".outrider" / "outrider.db", lambda store: store.find_token(hash_token(secret)))
    assert stored.scope is Scope.READ
    assert " read " in run("token", "list", "--tenant", "acme")[1]


def test_tokens_are_listed_by_tenant(run):
    for name in ("acme", "zeta"):
        run("tenant", "add", name)
        run("token", "create", "--tenant", name)
    assert len(run("token", "list")[1].splitlines()) == 3
    _, out, _ = run("token", "list", "--tenant", "zeta")
    assert [row.split()[1] for row in out.splitlines()] == ["tenant", "zeta"]


def test_a_revoked_token_is_gone(run, folder):
    run("tenant", "add", "acme")
    run("tenant", "add", "zeta")
    secret = run("token", "create", "--tenant", "zeta")[1].strip()
    database = folder / ".outrider" / "outrider.db"
    token = in_store(database, lambda store: store.find_token(hash_token(secret)))
    code, _, err = run("token", "revoke", token.id, "--tenant", "acme")
    assert code == 1
    assert err.startswith(f"error: there is no token '{token.id}'")
    assert run("token", "revoke", token.id) == (0, "", f"Revoked token {token.id}.\n")
    assert in_store(database, lambda store: store.find_token(hash_token(secret))) is None
    assert run("token", "revoke", token.id)[0] == 1


def test_what_does_not_exist_is_named(run):
    run("tenant", "add", "acme")
    for command in (
        ("tenant", "remove", "gone", "--yes"),
        ("tenant", "set", "gone", "--standard-webhooks"),
        ("token", "create", "--tenant", "gone"),
        ("token", "list", "--tenant", "gone"),
    ):
        code, out, err = run(*command)
        assert (code, out) == (1, "")
        assert err == "error: tenant 'gone' does not exist\nhint: `outrider tenant list` shows the names\n"


def test_a_name_that_is_taken_is_refused(run):
    run("tenant", "add", "acme")
    code, out, err = run("tenant", "add", "acme")
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert "acme" in err


@pytest.mark.parametrize("command", [("tenant", "list"), ("tenant", "remove", "a", "--yes"), ("token", "list")])
def test_looking_at_a_store_that_is_not_there_makes_none(run, folder, command):
    code, _, err = run(*command, "--data", "elsewhere")
    assert code == 2
    assert err.startswith("error: there is no store at 'elsewhere/outrider.db'\nhint: ")
    assert list(folder.iterdir()) == []


def test_development_and_production_are_different_stores(run, folder):
    run("tenant", "add", "acme", "--dev")
    assert (folder / ".outrider" / "dev.db").exists()
    assert not (folder / ".outrider" / "outrider.db").exists()
    assert "acme" in run("tenant", "list", "--dev")[1]
    assert run("tenant", "list")[0] == 2


def test_the_store_is_where_the_settings_say(run, folder, monkeypatch):
    (folder / "other.toml").write_text("data = 'in-file'")
    run("tenant", "add", "a", "--config", "other.toml")
    monkeypatch.setenv("OUTRIDER_DATA", "in-environment")
    run("tenant", "add", "b")
    run("tenant", "add", "c", "--data", "in-flag")
    for name, where in (("a", "in-file"), ("b", "in-environment"), ("c", "in-flag")):
        (tenant,) = in_store(folder / where / "outrider.db", lambda store: store.list_tenants())
        assert tenant.name == name


def test_tenants_can_be_changed_while_a_server_has_the_store(folder):
    database = folder / ".outrider" / "outrider.db"
    database.parent.mkdir()
    command = [sys.executable, "-m", "outrider.cli.main"]

    async def serve_and_change():
        store = await SqliteStore.open(database)
        try:
            directory = Directory(store, SystemClock(), None)
            add = await asyncio.create_subprocess_exec(*command, "tenant", "add", "acme", stdout=-1, stderr=-1)
            await add.communicate()
            create = await asyncio.create_subprocess_exec(
                *command, "token", "create", "--tenant", "acme", stdout=-1, stderr=-1
            )
            out, _ = await create.communicate()
            return add.returncode, create.returncode, await directory.principal(out.decode().strip())
        finally:
            await store.close()

    added, created, principal = asyncio.run(serve_and_change())
    assert (added, created) == (0, 0)
    assert principal.scope is Scope.FULL


def test_a_token_is_nowhere_in_the_database(run, folder):
    run("tenant", "add", "acme")
    secret = run("token", "create", "--tenant", "acme")[1].strip()
    with sqlite3.connect(folder / ".outrider" / "outrider.db") as database:
        dump = "\n".join(database.iterdump())
    database.close()
    assert hash_token(secret) in dump or hash_token(secret).upper() in dump
    assert secret not in dump
