"""The one place where a query's conditions are composed.

A statement that takes a filter says where: `/* and filter */`. Its message is `m`, its rows
belong to `:tenant`. One that walks along the order of the rows alone takes of it what bounds that
walk: `/* and bounds */`. One that looks for later entries than `e` says where these are to be alike:
`/* and later */`. Columns and names are this package's own; what was asked for is a parameter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from outrider.domain.query import MessageFilter
from outrider.store.relational.connection import Connection

_COLUMNS = {
    "ids": "m.id",
    "urls": "m.url",
    "paths": "m.path",
    "groups": "m.group_name",
    "queues": "m.queue",
    "schedule_ids": "m.schedule_id",
    "flow_control_keys": "m.flow_key",
    "caller_ips": "m.caller_ip",
}


_INDEXED = ("groups", "queues", "schedule_ids", "flow_control_keys")
"""What a tenant's messages are found by, each alone."""

MOST_NAMED = 1000
"""Messages that are few enough to be looked at one by one."""


async def narrow(connection: Connection, tenant: str, which: MessageFilter, conditions: Conditions) -> None:
    """Where a part of the filter leaves few messages, only these are looked at, wherever they are."""
    for name in _INDEXED:
        alone = MessageFilter(**{name: getattr(which, name)})
        if which.ids or alone == MessageFilter():
            continue
        asked = Conditions(connection, tenant, alone, time="m.created_at")
        parameters = asked.parameters | {"limit": MOST_NAMED + 1}
        found = await connection.read_composed(asked.put_into("find_some_messages"), int, parameters)
        if len(found) <= MOST_NAMED:
            conditions.choose_few(found)
            return


class Conditions:
    """What a filter asks for, and the parameters that go with it.

    Args:
        time: the column that the filter's times are about.
        in_order: whether the rows are in the order of that column, so that the times bound a walk.
    """

    def __init__(
        self, connection: Connection, tenant: str, which: MessageFilter, *, time: str, in_order: bool = False
    ) -> None:
        self.parameters: dict[str, object] = {"tenant": tenant}
        self._connection = connection
        self._clauses: list[str] = []
        self._bounds: list[str] = []
        self._few = bool(which.ids)
        for name, column in _COLUMNS.items():
            self.choose(f"{column} {{among}}", name, getattr(which, name))
        if which.hosts:
            self.require(connection.dialect.has_host, hosts=[host.lower() for host in which.hosts])
        if which.labels:
            self.require(connection.dialect.has_label, labels=list(which.labels))
        add_time = self.bound if in_order else self.require
        if which.time_from is not None:
            add_time(f"{time} >= :time_from", time_from=which.time_from)
        if which.time_to is not None:
            add_time(f"{time} <= :time_to", time_to=which.time_to)

    @property
    def leave_few(self) -> bool:
        """Whether they name the few rows that are looked at, so that nothing is walked along."""
        return self._few

    @property
    def leave_all(self) -> bool:
        """Whether every row that is walked along is asked for."""
        return not self._clauses

    def choose(self, clause: str, name: str, values: tuple[object, ...], *, of: str = "text") -> None:
        """`{among}` in the clause says that what stands before it is one of the values, if there are any."""
        if values:
            among = self._connection.dialect.among.format(name=name, of=of)
            self.require(clause.format(among=among), **{name: list(values)})

    def choose_rows(self, clause: str, name: str, values: tuple[object, ...]) -> None:
        """As `choose`, where each value names one row."""
        self._few = self._few or bool(values)
        self.choose(clause, name, values)

    def choose_few(self, messages: Sequence[int]) -> None:
        """None but these messages."""
        self._few = True
        among = self._connection.dialect.among.format(name="few", of="bigint")
        self.require(f"m.seq {among}", few=list(messages))

    def require(self, clause: str, **parameters: object) -> None:
        self._clauses.append(clause)
        self.parameters |= parameters

    def bound(self, clause: str, **parameters: object) -> None:
        """As `require`, of a clause by which the rows to walk along are fewer."""
        self._bounds.append(clause)
        self.parameters |= parameters

    def put_into(self, name: str) -> str:
        """The named statement, completed."""
        bounds = "".join(f" AND {clause}" for clause in self._bounds)
        clauses = "".join(f" AND {clause}" for clause in self._clauses)
        sql = self._connection.statement(name)
        sql = sql.replace("/* and bounds */", bounds).replace("/* and filter */", bounds + clauses)
        sql = sql.replace("/* and later */", self._of_later_entries())
        if self._few:
            few = self._connection.dialect.few
            sql = re.sub(r"\b([a-z]\.tenant = :tenant)\b", lambda match: few.format(tenant=match[1]), sql)
        return sql

    def _of_later_entries(self) -> str:
        """What is asked of an entry `e` itself, asked of the entry `later`."""
        return "".join(
            f" AND later{clause.removeprefix('e')}"
            for clause in (*self._bounds, *self._clauses)
            if clause.startswith("e.")
        )
