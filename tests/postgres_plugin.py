"""The database server of a test process, and what stands in front of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.pgbouncer import PgBouncer
from tests.postgres_server import PostgresServer
from tests.store.postgres_databases import server
from tests.tcp_proxy import TcpProxy


@pytest.fixture(scope="session")
def postgres() -> PostgresServer:
    """The server that this process's tests share; each uses databases of its own."""
    return server()


@pytest.fixture(scope="session")
def pgbouncer(postgres) -> Iterator[PgBouncer]:
    """A pooler in front of the shared server."""
    pooler = PgBouncer(postgres)
    yield pooler
    pooler.stop()


@pytest.fixture
def postgres_proxy(postgres) -> Iterator[TcpProxy]:
    """A connection to the shared server that the test may break."""
    with TcpProxy(postgres.port) as proxy:
        yield proxy
