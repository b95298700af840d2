"""Settings: layers, origins, refusals, and the page that documents them."""

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from outrider.database_url import SqliteFile
from outrider.domain.errors import Misconfigured
from outrider.domain.limits import Limits, limits_of
from outrider.domain.tenant import hash_token
from outrider.node import shown_settings
from outrider.setting import format_size, parse_size
from outrider.settings import SETTINGS, Settings, load_settings, value_of
from outrider.settings_page import settings_table

DOCS = Path(__file__).parents[1] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(flags=None, environ=None, toml=None):
    if toml is not None:
        Path("outrider.toml").write_text(toml, encoding="utf-8")
    return load_settings(flags or {}, environ or {})


def refusal(**layers):
    with pytest.raises(Misconfigured) as refused:
        load(**layers)
    return refused.value


def test_nothing_said_gives_the_defaults():
    loaded = load()
    assert loaded.settings == Settings()
    assert loaded.settings.limits == Limits()
    assert set(loaded.origins) == {setting.name for setting in SETTINGS}
    assert set(loaded.origins.values()) == {"default"}


def test_each_layer_wins_over_the_one_before():
    layers = {
        "toml": "port = 1001\nhost = 'one'\nmax_pending = 10\n[limits]\nretries = 11\n",
        "environ": {"OUTRIDER_PORT": "1002", "OUTRIDER_HOST": "two"},
        "flags": {"port": 1003, "data": None},
    }
    loaded = load(**layers)
    assert (loaded.settings.port, loaded.origins["port"]) == (1003, "flag --port")
    assert (loaded.settings.host, loaded.origins["host"]) == ("two", "environment OUTRIDER_HOST")
    assert (loaded.settings.max_pending, loaded.origins["max_pending"]) == (10, "outrider.toml")
    assert (loaded.settings.limits.retries, loaded.origins["limits.retries"]) == (11, "outrider.toml")
    assert (loaded.settings.data, loaded.origins["data"]) == (Path(".outrider"), "default")


@pytest.mark.parametrize("plan", ["free", "hosted", "payg", "pro"])
def test_a_plan_sets_the_limits_and_is_named_as_their_origin(plan):
    loaded = load(environ={"OUTRIDER_PLAN": plan})
    assert loaded.settings.limits == limits_of(plan)
    assert loaded.origins["limits.burst_per_second"] == f"plan {plan}"
    assert loaded.origins["limits.deduplication_id_length"] == "default"


def test_a_limit_that_was_said_wins_over_the_plan_wherever_the_plan_was_said():
    loaded = load(toml="[limits]\nbody = '2MiB'\n", flags={"plan": "free"})
    assert loaded.settings.limits == structs.replace(limits_of("free"), body_bytes=2 * 1024**2)
    assert loaded.origins["limits.body"] == "outrider.toml"


def test_every_kind_of_value_is_read_from_text():
    environ = {
        "OUTRIDER_DRAIN_TIMEOUT": "1m30s",
        "OUTRIDER_LIMIT_BODY": "500KB",
        "OUTRIDER_LIMIT_BATCH": "123",
        "OUTRIDER_LIMIT_LOG_RETENTION": "3d",
        "OUTRIDER_LIMIT_MESSAGES_PER_DAY": "none",
        "OUTRIDER_PLAN": "Free",
        "OUTRIDER_ALLOW_HTTP": "Yes",
        "OUTRIDER_METRICS": "0",
        "OUTRIDER_ALLOW_NETWORKS": "10.0.0.0/8, fd00::/8,192.168.1.1,",
        "OUTRIDER_ALLOW_HOSTS": "DB.Internal, web:8000,*.Lab,[::1]",
        "OUTRIDER_TRUSTED_PROXIES": "none",
        "OUTRIDER_PUBLIC_URL": "https://queue.example.com/",
        "OUTRIDER_DATA": "/var/lib/outrider",
    }
    settings = load(environ=environ).settings
    assert settings.drain_timeout_ms == 90_000
    assert settings.limits.body_bytes == 500_000
    assert settings.limits.batch_bytes == 123
    assert settings.limits.log_retention_ms == 3 * 86_400_000
    assert settings.limits.messages_per_day is None
    assert (settings.plan, settings.allow_http, settings.metrics) == ("free", True, False)
    assert settings.allow_networks == ("10.0.0.0/8", "fd00::/8", "192.168.1.1/32")
    assert settings.allow_hosts == ("db.internal", "web:8000", "*.lab", "[::1]")
    assert settings.trusted_proxies == ()
    assert settings.public_url == "https://queue.example.com"
    assert settings.data == Path("/var/lib/outrider")


def test_toml_takes_its_own_kinds_too():
    settings = load(
        toml="allow_http = true\nport = 0\ndrain_timeout = 5\nallow_networks = ['10.0.0.0/8', 'fd00::/8']\n"
        "[limits]\nbody = 77\nmessages_per_day = 'none'\n"
    ).settings
    assert (settings.allow_http, settings.port, settings.drain_timeout_ms) == (True, 0, 5000)
    assert settings.allow_networks == ("10.0.0.0/8", "fd00::/8")
    assert settings.limits.body_bytes == 77


def test_a_repeated_flag_makes_a_list():
    assert load(flags={"allow_hosts": ["a", "b,c"]}).settings.allow_hosts == ("a", "b", "c")


@pytest.mark.parametrize(
    ("name", "raw", "rule"),
    [
        ("port", "80a", "a whole number from 0 to 65535"),
        ("port", "65536", "a whole number from 0 to 65535"),
        ("port", "-1", "a whole number from 0 to 65535"),
        ("port", "٣", "a whole number from 0 to 65535"),
        ("max_in_flight", "0", "a whole number of at least 1"),
        ("max_pending", "1.5", "a whole number of at least 1"),
        ("max_in_flight_per_host", "9" * 30, "a whole number of at least 1"),
        ("drain_timeout", "25 seconds", "a duration from 0s to 36500d; write 30s, 5m or 1h30m"),
        ("drain_timeout", "-1s", "a duration from 0s to 36500d; write 30s, 5m or 1h30m"),
        ("limits.delay", "99999d", "a duration from 0s to 36500d; write 30s, 5m or 1h30m"),
        ("limits.body", "1.5MiB", "a size; write 1MiB, 500KB or a number of bytes"),
        ("limits.body", "1 furlong", "a size; write 1MiB, 500KB or a number of bytes"),
        ("limits.retries", "none", "a whole number of at least 0"),
        ("limits.messages_per_day", "many", "a whole number of at least 0, or none"),
        ("plan", "gold", "one of default, free, hosted, payg, pro"),
        ("log_level", "loud", "one of debug, info, warning, error"),
        ("log_format", "xml", "one of auto, text, json"),
        ("allow_http", "maybe", "true or false"),
        ("metrics", "2", "true or false"),
        ("allow_networks", "10.0.0.1/8", "a list of networks; write 10.0.0.0/8, fd00::/8, or none"),
        ("trusted_proxies", "proxy.example", "a list of networks; write 10.0.0.0/8, fd00::/8, or none"),
        ("allow_hosts", "http://db", "a list of hosts; write db.internal, web.internal:8000, *.lab, or none"),
        ("allow_hosts", "*", "a list of hosts; write db.internal, web.internal:8000, *.lab, or none"),
        ("public_url", "queue.example.com", "a URL without query; write https://queue.example.com, or none"),
        ("public_url", "https://q.example/?a=1", "a URL without query; write https://queue.example.com, or none"),
        ("public_url", "https://[::1", "a URL without query; write https://queue.example.com, or none"),
        ("host", "  ", "text"),
        ("host", "a\nb", "text"),
        ("data", " ", "a path"),
        ("data", "~nobody-of-that-name/x", "a path"),
        ("database_connections", "2", "a whole number of at least 3"),
        ("database_mode", "half", "one of auto, full, portable"),
        ("node_lease", "0.5s", "a duration from 1s to 36500d; write 30s, 5m or 1h30m"),
        ("limits.timeout", "0", "a duration from 0.001s to 36500d; write 30s, 5m or 1h30m"),
    ],
)
def test_a_bad_value_is_refused_with_its_name_origin_and_rule(name, raw, rule):
    variable = next(setting.variable for setting in SETTINGS if setting.name == name)
    failure = refusal(environ={variable: raw})
    assert failure.sentence == f"{name} {raw!r} (environment {variable}) is not {rule}"


@pytest.mark.parametrize(
    "line",
    [
        "port = true",
        "port = 1.5",
        "drain_timeout = true",
        "host = true",
        "plan = 1",
        "allow_hosts = [true]",
        "allow_hosts = {}",
    ],
)
def test_a_value_of_the_wrong_kind_in_the_file_is_refused(line):
    assert "(outrider.toml) is not" in refusal(toml=line).sentence


def test_a_bad_flag_is_named_as_it_is_typed():
    assert refusal(flags={"drain_timeout": "soon"}).sentence.startswith("drain_timeout 'soon' (flag --drain-timeout)")


def test_unknown_settings_name_the_closest_known_one():
    assert refusal(toml="prot = 1").sentence == "setting 'prot' (outrider.toml) is unknown; did you mean port?"
    assert "did you mean limits.retries?" in refusal(toml="[limits]\nretrys = 1").sentence
    Path("outrider.toml").unlink()
    failure = refusal(environ={"OUTRIDER_LIMIT_BODY_SIZE": "1"})
    assert failure.sentence == (
        "environment variable OUTRIDER_LIMIT_BODY_SIZE is unknown; did you mean OUTRIDER_LIMIT_BODY?"
    )
    assert "flag 'porto' is unknown; did you mean port?" in refusal(flags={"porto": 1}).sentence


def test_an_unknown_setting_like_no_other_still_has_a_hint():
    failure = refusal(toml="zzzzzzzzz = 1")
    assert failure.sentence == "setting 'zzzzzzzzz' (outrider.toml) is unknown"
    assert failure.hint == "`outrider config show` lists every setting"


def test_names_with_units_are_unknown_as_settings():
    assert "did you mean drain_timeout?" in refusal(toml="drain_timeout_ms = 1").sentence


def test_other_variables_and_empty_ones_are_ignored():
    environ = {"PATH": "/bin", "OUTRIDER_PORT": "", "outrider_port": "1", "QSTASH_URL": "x"}
    assert load(environ=environ).settings == Settings()


def test_variables_that_kubernetes_sets_for_a_service_are_ignored():
    environ = {
        "OUTRIDER_PORT": "tcp://10.0.0.1:80",
        "OUTRIDER_SERVICE_HOST": "10.0.0.1",
        "OUTRIDER_SERVICE_PORT": "80",
        "OUTRIDER_SERVICE_PORT_HTTP": "80",
        "OUTRIDER_PORT_80_TCP": "tcp://10.0.0.1:80",
        "OUTRIDER_PORT_80_TCP_ADDR": "10.0.0.1",
        "OUTRIDER_API_SERVICE_HOST": "10.0.0.1",
        "OUTRIDER_API_PORT": "tcp://10.0.0.1:80",
    }
    assert load(environ=environ).settings == Settings()


def test_the_file_can_be_named_by_argument_or_environment(folder):
    (folder / "outrider.toml").write_text("port = 1")
    (folder / "named.toml").write_text("port = 2")
    (folder / "given.toml").write_text("port = 3")
    environ = {"OUTRIDER_CONFIG": "named.toml"}
    by_name, by_argument = load_settings({}, environ), load_settings({}, environ, Path("given.toml"))
    assert (by_name.settings.port, by_name.origins["port"]) == (2, "named.toml")
    assert (by_argument.settings.port, by_argument.origins["port"]) == (3, "given.toml")


def test_a_named_file_that_is_missing_is_refused():
    with pytest.raises(Misconfigured, match=r"settings file 'gone\.toml' cannot be read: No such file"):
        load_settings({}, {}, Path("gone.toml"))


def test_a_file_that_is_no_toml_is_refused(folder):
    assert "settings file 'outrider.toml' is not TOML" in refusal(toml="port: 1").sentence
    (folder / "outrider.toml").write_bytes(b"host = '\xff'")
    assert "settings file 'outrider.toml' is not TOML" in refusal().sentence
    assert "is not a table" in refusal(toml="limits = 3").sentence


def test_a_table_that_is_no_setting_is_unknown():
    assert "setting 'server' (outrider.toml) is unknown" in refusal(toml="[server]\nport = 1").sentence


def test_lowering_the_longest_timeout_lowers_the_default_timeout_with_it():
    loaded = load(environ={"OUTRIDER_LIMIT_TIMEOUT": "10s"})
    assert loaded.settings.limits.default_timeout_ms == 10_000
    assert loaded.origins["limits.default_timeout"] == "environment OUTRIDER_LIMIT_TIMEOUT"


def test_a_default_timeout_over_the_longest_is_refused():
    failure = refusal(toml="[limits]\ntimeout = '10s'\n", environ={"OUTRIDER_LIMIT_DEFAULT_TIMEOUT": "20s"})
    assert failure.sentence == (
        "limits.default_timeout 20s (environment OUTRIDER_LIMIT_DEFAULT_TIMEOUT) is over "
        "limits.timeout 10s (outrider.toml)"
    )


def test_development_has_a_database_of_its_own():
    settings = Settings(data=Path("x"))
    assert settings.database_of("serve") == SqliteFile(Path("x/outrider.db"))
    assert settings.database_of("dev") == SqliteFile(Path("x/dev.db"))


def test_a_chosen_database_is_that_of_every_mode():
    settings = load(toml="database = 'sqlite:/srv/queue.db'").settings
    assert settings.database_of("serve") == settings.database_of("dev") == SqliteFile(Path("/srv/queue.db"))


def test_the_database_may_be_a_server_and_a_flag_says_none_again():
    environ = {"OUTRIDER_DATABASE": "postgres://u:pw@h/n"}
    assert str(load(environ=environ).settings.database) == "postgresql://u:[hidden]@h/n"
    assert load(environ=environ, flags={"database": "none"}).settings.database is None


@pytest.mark.parametrize("url", ["postgresql://u:s3cret@h/n", "postgresql://h/n?user=u&password=s3cret"])
def test_a_password_in_a_flag_is_refused_and_not_repeated(url):
    failure = refusal(flags={"database": url})
    assert failure.sentence.startswith("database 'postgresql://")
    assert "(flag --database) holds a password" in failure.sentence
    assert "OUTRIDER_DATABASE" in failure.hint
    assert "s3cret" not in failure.sentence + failure.hint
    assert load(flags={"database": "postgresql://u@h/n"}).settings.database.shown == "postgresql://u@h/n"


@pytest.mark.parametrize("raw", ["postgresql://u:s3cret/@h/n", "mysql://u:s3cret@h/n", "postgresql://u:s3cret"])
def test_what_is_no_database_is_refused_without_its_password(raw):
    failure = refusal(environ={"OUTRIDER_DATABASE": raw})
    assert re.match(
        r"database '\w+://\[hidden\]\S*' \(environment OUTRIDER_DATABASE\) is not a database; write", failure.sentence
    )
    assert "s3cret" not in failure.sentence


def test_the_settings_do_not_print_the_password():
    settings = load(environ={"OUTRIDER_DATABASE": "postgresql://u:s3cret@h/n"}).settings
    assert "s3cret" not in f"{settings} {settings!r}"


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_what_is_shown_can_be_given_back(setting):
    for plan in ("default", "free", "hosted"):
        value = value_of(setting, Settings(limits=limits_of(plan)))
        assert setting.parse(setting.show(value), "test") == value


def test_every_setting_has_its_own_name_variable_and_help():
    for attribute in ("name", "variable", "flag", "help"):
        values = [getattr(setting, attribute) for setting in SETTINGS]
        assert all(values)
        assert len(set(values)) == len(values)
    declared = {(Settings, name) for name in Settings.__struct_fields__ if name != "limits"}
    declared |= {(Limits, name) for name in Limits.__struct_fields__}
    assert {(setting.owner, setting.field) for setting in SETTINGS} == declared


@given(st.integers(min_value=0, max_value=10**14))
def test_a_size_shown_and_read_is_the_same_size(size):
    assert parse_size(format_size(size)) == size


@given(st.text())
def test_a_size_is_read_or_refused(text):
    with contextlib.suppress(ValueError):
        assert parse_size(text) >= 0


def test_the_documentation_is_what_the_declarations_render():
    assert DOCS.read_text(encoding="utf-8") == settings_table(), "run: outrider config table > docs/settings.md"


@pytest.mark.parametrize(
    "text",
    [
        "00ff" * 16,
        "00FF" * 16,
        "AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8=",
        "AP8A_wD_AP8A_wD_AP8A_wD_AP8A_wD_AP8A_wD_AP8",
    ],
)
def test_a_secret_key_is_hex_or_base64(text):
    key = load(environ={"OUTRIDER_SECRET_KEY": text}).settings.secret_key
    assert key.raw == b"\x00\xff" * 16
    assert repr(key) == "SecretKey([hidden])"


def test_a_metrics_token_is_kept_as_its_hash():
    loaded = load(environ={"OUTRIDER_METRICS_TOKEN": "0123456789abcdef"})
    assert loaded.settings.metrics_token == hash_token("0123456789abcdef")
    assert "0123456789abcdef" not in repr(loaded)


@pytest.mark.parametrize("text", ["0123456789abcde", "0123456789 abcdef", "0123456789abcdé!"])
def test_what_is_no_metrics_token_is_refused_and_not_repeated(text):
    failure = refusal(environ={"OUTRIDER_METRICS_TOKEN": text})
    assert failure.sentence.startswith("metrics_token [hidden] (environment OUTRIDER_METRICS_TOKEN) is not 16 or more")
    assert text not in failure.sentence + str(failure.hint)


@pytest.mark.parametrize("text", ["short", "00" * 31, "00" * 33, "é" * 44, "A" * 45])
def test_what_is_no_secret_key_is_refused_and_not_repeated(text):
    failure = refusal(environ={"OUTRIDER_SECRET_KEY": text})
    assert failure.sentence.startswith("secret_key [hidden] (environment OUTRIDER_SECRET_KEY) is not 32 bytes")
    assert text not in failure.sentence


def test_a_variable_of_the_build_is_no_setting():
    assert load(environ={"OUTRIDER_NO_CONSOLE": "1"}).settings == Settings()


def test_clients_see_settings_with_their_sources_and_without_secrets():
    secret = "s3cret-" * 5
    loaded = load(
        flags={"port": "99"},
        environ={
            "OUTRIDER_PLAN": "free",
            "OUTRIDER_METRICS_TOKEN": secret,
            "OUTRIDER_DATABASE": "postgresql://me:pa55@db/outrider",
        },
        toml="workers = 2",
    )
    shown = {one.name: one for one in shown_settings(loaded)}
    sources = {name: (shown[name].source, shown[name].source_name) for name in ("host", "workers", "plan", "port")}
    assert sources == {
        "host": ("default", ""),
        "workers": ("file", "outrider.toml"),
        "plan": ("environment", "OUTRIDER_PLAN"),
        "port": ("flag", "--port"),
    }
    assert ("default", "plan free") in {(one.source, one.source_name) for one in shown.values()}
    assert shown["metrics_token"].value == "[hidden]"
    assert secret not in str(shown)
    assert "pa55" not in str(shown)
    assert [one.name for one in shown.values()] == [one.name for one in SETTINGS]
