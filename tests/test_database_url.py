"""Where the database is, as it is written, given to the driver, and shown."""

import inspect
import json
import logging
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outrider.database_url import PostgresUrl, Secret, SqliteFile, parse_database_url, redacted

WRITES = "target_session_attrs=read-write"


@pytest.mark.parametrize(
    ("text", "dsn", "shown"),
    [
        ("postgresql://u:pw@h/n", f"postgresql://u:pw@h/n?{WRITES}", "postgresql://u:[hidden]@h/n"),
        ("postgres://u@h:5433/n", f"postgresql://u@h:5433/n?{WRITES}", "postgresql://u@h:5433/n"),
        ("PostgreSQL://h", f"postgresql://h/?{WRITES}", "postgresql://h/"),
        (
            "postgresql://u:p%40%2F%3A%23%3F@h/n",
            f"postgresql://u:p%40%2F%3A%23%3F@h/n?{WRITES}",
            "postgresql://u:[hidden]@h/n",
        ),
        ("postgresql://u:a@b:c 100%@h/n", f"postgresql://u:a%40b%3Ac%20100%25@h/n?{WRITES}", None),
        ("postgresql://u:[hidden]@h/n", f"postgresql://u:%5Bhidden%5D@h/n?{WRITES}", "postgresql://u:[hidden]@h/n"),
        ("postgresql://[::1]:5432/n", f"postgresql://[::1]:5432/n?{WRITES}", "postgresql://[::1]:5432/n"),
        ("postgresql://u:pw@a:1,b,[fd00::2]:3/n", f"postgresql://u:pw@a:1,b,[fd00::2]:3/n?{WRITES}", None),
        (
            "postgresql:///n?host=/run/postgresql",
            f"postgresql:///n?{WRITES}&host=/run/postgresql",
            "postgresql:///n?host=/run/postgresql",
        ),
        ("postgresql://u@%2Frun%2Fpg/n", f"postgresql://u@%2Frun%2Fpg/n?{WRITES}", "postgresql://u@%2Frun%2Fpg/n"),
        ("postgresql://h/n?sslmode=verify-full", f"postgresql://h/n?{WRITES}&sslmode=verify-full", None),
        ("postgresql://h/n?target_session_attrs=any", "postgresql://h/n?target_session_attrs=any", None),
        (
            "postgresql://h/n?user=u&password=p%26w",
            f"postgresql://h/n?{WRITES}&user=u&password=p%26w",
            "postgresql://h/n?user=u&password=[hidden]",
        ),
    ],
)
def test_a_url_is_given_to_the_driver_whole_and_shown_without_its_password(text, dsn, shown):
    url = parse_database_url(text)
    assert url.dsn.text == dsn
    assert str(url) == url.shown == (shown or url.shown)
    assert url.has_password == ("[hidden]" in url.shown)


def test_the_driver_takes_what_it_is_given():
    connect_utils = pytest.importorskip("asyncpg.connect_utils")
    said = dict.fromkeys(inspect.signature(connect_utils._parse_connect_dsn_and_args).parameters)
    url = parse_database_url("postgresql://us er:p@%2Fw%23x%25@[::1]:5433,h2/na%2Fme?sslmode=disable")
    addresses, parameters = connect_utils._parse_connect_dsn_and_args(**said | {"dsn": url.dsn.text})
    assert addresses == [("::1", 5433), ("h2", 5432)]
    assert (parameters.user, parameters.password, parameters.database) == ("us er", "p@/w#x%", "na/me")
    assert parameters.target_session_attrs.value == "read-write"
    assert not parameters.ssl


@pytest.mark.parametrize(
    ("text", "path"),
    [("sqlite:a/b.db", "a/b.db"), ("sqlite:///srv/q.db", "/srv/q.db"), ("SQLite:/srv/q.db", "/srv/q.db")],
)
def test_a_file_is_a_database_too(text, path):
    assert parse_database_url(text) == SqliteFile(Path(path))
    assert str(parse_database_url(text)) == f"sqlite:{path}"


SECRET = "Tr0ub4dor"


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://u:{SECRET}/x@h/n",
        f"postgresql://u:12/{SECRET}@h/n",
        f"postgresql://u:12?{SECRET}@h/n",
        f"postgresql://u:12?{SECRET}=@h/n",
        f"postgresql://u:12?a={SECRET}@h/n",
        f"postgresql://u:12#{SECRET}@h/n",
        f"postgresql://u:{SECRET}#/n",
        f"postgresql://u:{SECRET}",
        f"postgresql://u:{SECRET}@h:port/n",
        f"postgresql://u:{SECRET}@h:0/n",
        f"postgresql://u:{SECRET}@h:65536/n",
        f"postgresql://u:{SECRET}@[::1/n",
        f"postgresql://u:{SECRET}@[::1]5432/n",
        f"postgresql://u:{SECRET}@[nine]/n",
        f"postgresql://u:{SECRET}@h,,i/n",
        f"postgresql://u:{SECRET}@h o/n",
        f"postgresql://u:{SECRET}%ff@h/n",
        f"postgresql://h/n?password={SECRET}&password=b",
        f"postgresql://h/n?password={SECRET}&ssl mode=on",
        f"postgresql:u:{SECRET}@h/n",
        f"mysql://u:{SECRET}@h/n",
        f"u:{SECRET}@h/n",
        "postgresql",
        "outrider.db",
        "sqlite:",
        "sqlite://",
        "sqlite:~nobody-of-that-name/x",
        "",
    ],
)
def test_what_is_no_database_is_refused_and_no_secret_of_it_repeated(text):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - its sentence is the setting's
        parse_database_url(text)
    assert SECRET not in str(refused.value)
    assert SECRET not in redacted(text)


@given(st.text(min_size=1), st.text())
def test_any_user_and_password_may_be_percent_encoded(user, password):
    try:
        user.encode(), password.encode()
    except UnicodeEncodeError:
        return
    url = parse_database_url(f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@h/n")
    parts = urlsplit(url.dsn.text)
    assert (unquote(parts.username), unquote(parts.password or "")) == (user, password)
    assert parts.hostname == "h"


@example("@<?")
@given(st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=3, max_size=12))
def test_a_password_in_any_url_is_not_shown(password):
    secret = f"<{password}>"
    try:
        shown = str(parse_database_url(f"postgresql://u:{secret}@h/n"))
    except ValueError:
        shown = redacted(f"postgresql://u:{secret}@h/n")
    assert "<" not in shown


def test_a_secret_does_not_show_itself(caplog):
    secret = Secret(SECRET)
    url = PostgresUrl(dsn=secret, shown="postgresql://h/", has_password=True)
    logging.getLogger().warning("%s %r %s %r", secret, secret, url, url)
    printed = f"{secret} {secret!r} {secret!s:>20} {[secret]} {url} {url!r} {json.dumps({'a': secret}, default=str)}"
    assert SECRET not in printed + caplog.text
    assert secret == Secret(SECRET) != Secret("another")
    assert len({secret, Secret(SECRET)}) == 1
