"""The nodes that are entered, and the end of leases that nobody holds any more."""

from __future__ import annotations

from collections.abc import Sequence

from outrider.domain.instant import Instant
from outrider.ports import EndedLeases, Node
from outrider.store.relational.connection import Connection
from outrider.store.relational.messages import Leased, end_leases

EVERY_LEASE = 1_000_000
"""More than a node holds."""


async def join(connection: Connection, node: str, now: Instant, until: Instant, *, alone: bool = False) -> EndedLeases:
    """Enter a node; one that serves alone ends all leases."""
    ended = EndedLeases()
    if alone:
        await connection.execute("strike_off_all")
        ended = await _end_orphans(connection, now, EVERY_LEASE)
    await connection.execute("enter_node", id=node, joined_at=now, until=until)
    return ended


async def beat(connection: Connection, node: str, until: Instant) -> bool:
    """Whether the node is entered still."""
    return await connection.execute("beat", id=node, until=until) > 0


async def leave(connection: Connection, node: str, now: Instant) -> EndedLeases:
    """Strike a node off and end its leases."""
    await connection.execute("strike_off", id=node)
    return await _end_leases_of(connection, [node], now, EVERY_LEASE)


async def recover(connection: Connection, now: Instant, limit: int, *, dead_before: Instant) -> EndedLeases:
    """Strike off the dead, and end leases of nodes that are not entered."""
    await connection.execute("strike_off_dead", dead_before=dead_before)
    return await _end_orphans(connection, now, limit)


async def list_nodes(connection: Connection) -> list[Node]:
    return await connection.read("list_nodes", Node)


async def _end_orphans(connection: Connection, now: Instant, limit: int) -> EndedLeases:
    return await _end_leases_of(connection, await connection.read("orphaning_nodes", str), now, limit)


async def _end_leases_of(connection: Connection, nodes: Sequence[str], now: Instant, limit: int) -> EndedLeases:
    if not nodes:
        return EndedLeases()
    tenants: list[str] = []
    if not connection.alone:
        tenants = await connection.read("gated_tenants_of_nodes", str, nodes=nodes)
        await connection.lock_tenants(tenants)
    leased = await connection.read("leased_by_nodes", Leased, nodes=nodes, tenants=tenants, limit=limit)
    return await end_leases(connection, leased, now)
