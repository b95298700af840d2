"""`outrider config`, and how the command line refuses."""

import json

import pytest

from outrider.settings import SETTINGS
from outrider.settings_page import settings_table


def rows(table):
    return {cells[0]: cells[1:] for line in table.splitlines() if (cells := line.split(maxsplit=2))}


def test_show_prints_every_setting_with_value_and_origin(run, folder, monkeypatch):
    (folder / "outrider.toml").write_text("plan = 'free'\n[limits]\nbody = '2MiB'\n")
    monkeypatch.setenv("OUTRIDER_PORT", "9000")
    code, out, _ = run("config", "show", "--allow-http", "--drain-timeout", "1m", "--allow-networks", "10.0.0.0/8")
    shown = rows(out)
    assert code == 0
    assert set(shown) == {setting.name for setting in SETTINGS} | {"setting"}
    assert shown["port"] == ["9000", "environment OUTRIDER_PORT"]
    assert shown["plan"] == ["free", "outrider.toml"]
    assert shown["limits.body"] == ["2MiB", "outrider.toml"]
    assert shown["limits.queues"] == ["10", "plan free"]
    assert shown["allow_http"] == ["true", "flag --allow-http"]
    assert shown["allow_networks"] == ["10.0.0.0/8", "flag --allow-networks"]
    assert shown["drain_timeout"] == ["1m", "flag --drain-timeout"]
    assert shown["host"] == ["127.0.0.1", "default"]


def test_show_aligns_its_columns_and_cuts_nothing(run):
    networks = [f"10.{i}.0.0/16" for i in range(40)]
    _, out, _ = run("config", "show", "--allow-networks", ",".join(networks))
    lines = out.splitlines()
    assert ", ".join(networks) in out
    assert len(lines) == len(SETTINGS) + 1
    assert len({line.index(line.split()[1]) for line in lines}) == 1


def test_show_as_json_holds_what_the_file_would(run):
    code, out, _ = run("config", "show", "--json", "--no-metrics", "--allow-hosts", "a", "--allow-hosts", "b")
    document = json.loads(out)
    assert code == 0
    assert document["port"] == {"value": 8080, "origin": "default"}
    assert document["metrics"] == {"value": False, "origin": "flag --metrics"}
    assert document["allow_hosts"] == {"value": ["a", "b"], "origin": "flag --allow-hosts"}
    assert document["drain_timeout"]["value"] == "25s"
    assert document["limits.body"]["value"] == "1MiB"
    assert document["public_url"]["value"] is None
    assert document["data"]["value"] == ".outrider"


def test_a_settings_file_can_be_named(run, folder):
    (folder / "other.toml").write_text("port = 7")
    _, out, _ = run("config", "show", "--config", "other.toml")
    assert rows(out)["port"] == ["7", "other.toml"]


def test_table_prints_the_documentation(run):
    assert run("config", "table") == (0, settings_table(), "")


@pytest.mark.parametrize("command", [("config", "show"), ("serve",), ("dev",)])
def test_a_bad_setting_is_one_sentence_and_exit_code_2(run, command):
    code, out, err = run(*command, "--port", "80a")
    assert code == 2
    assert out == ""
    assert err == "error: port '80a' (flag --port) is not a whole number from 0 to 65535\n"


def test_a_misspelt_variable_stops_the_start(run, monkeypatch):
    monkeypatch.setenv("OUTRIDER_PROT", "1")
    code, _, err = run("serve")
    assert code == 2
    assert err == (
        "error: environment variable OUTRIDER_PROT is unknown; did you mean OUTRIDER_PORT?\n"
        "hint: `outrider config show` lists every setting\n"
    )


def test_an_empty_flag_is_refused(run):
    assert "host '' (flag --host) is not text" in run("serve", "--host", "")[2]


def test_every_setting_but_limits_and_secrets_is_a_flag_of_serve_and_dev(run):
    for command in ("serve", "dev"):
        _, out, _ = run(command, "--help")
        missing = {one.name for one in SETTINGS if not one.name.startswith("limits.") and f"{one.flag} " not in out}
        assert missing == {"secret_key", "metrics_token"}


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_secret_is_never_shown(run, monkeypatch, form):
    monkeypatch.setenv("OUTRIDER_SECRET_KEY", "c0ffee" * 10 + "beef")
    code, out, err = run("config", "show", *form)
    assert code == 0
    assert "[hidden]" in out
    assert "environment OUTRIDER_SECRET_KEY" in out
    assert "c0ffee" not in out + err


def test_a_secret_that_is_none_is_refused_without_showing_it(run, monkeypatch):
    monkeypatch.setenv("OUTRIDER_SECRET_KEY", "c0ffee")
    code, out, err = run("config", "show")
    assert (code, out) == (2, "")
    assert err.startswith("error: secret_key [hidden] (environment OUTRIDER_SECRET_KEY) is not 32 bytes as base64")
    assert "c0ffee" not in err


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_the_password_of_the_database_is_never_shown(run, monkeypatch, form):
    monkeypatch.setenv("OUTRIDER_DATABASE", "postgresql://queue:c0ffee@db.internal/queue?sslmode=require")
    code, out, err = run("config", "show", *form)
    assert code == 0
    assert "postgresql://queue:[hidden]@db.internal/queue?sslmode=require" in out
    assert "c0ffee" not in out + err


def test_a_flag_with_a_password_stops_the_start_and_does_not_repeat_it(run):
    code, out, err = run("serve", "--database", "postgresql://queue:c0ffee@db.internal/queue")
    assert (code, out) == (2, "")
    assert "holds a password" in err
    assert "set OUTRIDER_DATABASE" in err
    assert "c0ffee" not in err


def test_an_unknown_command_or_flag_is_exit_code_2(run):
    assert run("serv")[0] == 2
    assert run("serve", "--prot", "1")[0] == 2


def test_without_a_command_there_is_help(run):
    _, out, err = run()
    assert "Usage: outrider" in out + err


def test_version_is_a_version(run):
    code, out, _ = run("version")
    assert code == 0
    assert out.strip().replace(".", "").isdigit()
