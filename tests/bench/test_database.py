from __future__ import annotations

import os

import pytest
from bench.database import Postgres, durable_server
from bench.harness import BenchmarkError
from tests.postgres_server import start_server


@pytest.fixture(scope="module")
def postgres():
    with durable_server(None) as postgres:
        yield postgres


def test_server_that_is_started_is_durable(postgres):
    settings = postgres.describe()
    assert (settings["fsync"], settings["synchronous_commit"], settings["full_page_writes"]) == ("on", "on", "on")


def test_server_that_is_not_durable_is_refused():
    server = start_server()
    try:
        with pytest.raises(BenchmarkError, match="'fsync': 'off'"), durable_server(server.url()):
            pytest.fail("it was taken")
    finally:
        server.throw_away()


def test_database_is_fresh_and_gone_afterwards(postgres):
    for _ in range(2):
        with postgres.database("bench_test") as url:
            Postgres(url).ask("CREATE TABLE made (n int)")
    assert postgres.ask("SELECT 1 FROM pg_database WHERE datname = 'bench_test'") == []


def test_work_of_a_connection_that_has_ended_is_in_the_usage(postgres):
    before = postgres.usage()
    postgres.ask("SELECT sum(n) FROM generate_series(1, 2000000) n")
    assert postgres.usage().cpu_s > before.cpu_s
    assert before.rss_bytes > 2**20


def test_transactions_of_one_database_are_counted(postgres):
    with postgres.database("bench_test") as url:
        before = postgres.transactions("bench_test")
        for _ in range(3):
            Postgres(url).ask("SELECT 1")
        assert postgres.transactions("bench_test") >= before + 3


def test_what_was_written_is_told_at_once(postgres):
    with postgres.database("bench_test") as url:
        Postgres(url).ask("CREATE TABLE made (n int)")
        before = postgres.written()
        Postgres(url).ask("INSERT INTO made VALUES (1)")
        Postgres(url).ask("SELECT * FROM made")
        now = postgres.written()
    assert now.transactions == before.transactions + 1
    assert 50 < now.log_bytes - before.log_bytes < 20_000


def test_statements_are_not_counted_where_the_server_does_not_count_them(postgres):
    with postgres.database("bench_test"):
        assert postgres.statements("bench_test") is None


def test_main_process_is_not_this_one(postgres):
    assert postgres.pid not in {os.getpid(), os.getppid()}
