"""The one place where a query's conditions are composed.

A statement that takes a filter says where: `/* and filter */`. Its message is `m`, its rows
belong to `:tenant`. Columns and names are this package's own; what was asked for is a parameter.
"""

from __future__ import annotations

import re

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


class Conditions:
    """What a filter asks for, and the parameters that go with it.

    Args:
        time: the column that the filter's bounds are about.
    """

    def __init__(self, connection: Connection, tenant: str, which: MessageFilter, *, time: str) -> None:
        self.parameters: dict[str, object] = {"tenant": tenant}
        self._connection = connection
        self._clauses: list[str] = []
        self._few = bool(which.ids)
        for name, column in _COLUMNS.items():
            self.choose(f"{column} {{among}}", name, getattr(which, name))
        if which.hosts:
            self.require(connection.dialect.has_host, hosts=[host.lower() for host in which.hosts])
        if which.labels:
            self.require(connection.dialect.has_label, labels=list(which.labels))
        if which.time_from is not None:
            self.require(f"{time} >= :time_from", time_from=which.time_from)
        if which.time_to is not None:
            self.require(f"{time} <= :time_to", time_to=which.time_to)

    def choose(self, clause: str, name: str, values: tuple[object, ...], *, of: str = "text") -> None:
        """`{among}` in the clause says that what stands before it is one of the values, if there are any."""
        if values:
            among = self._connection.dialect.among.format(name=name, of=of)
            self.require(clause.format(among=among), **{name: list(values)})

    def choose_rows(self, clause: str, name: str, values: tuple[object, ...]) -> None:
        """As `choose`, where each value names one row."""
        self._few = self._few or bool(values)
        self.choose(clause, name, values)

    def require(self, clause: str, **parameters: object) -> None:
        self._clauses.append(clause)
        self.parameters |= parameters

    def put_into(self, name: str) -> str:
        """The named statement, completed."""
        clauses = "".join(f" AND {clause}" for clause in self._clauses)
        sql = self._connection.statement(name).replace("/* and filter */", clauses)
        if self._few:
            few = self._connection.dialect.few
            sql = re.sub(r"\b([a-z]\.tenant = :tenant)\b", lambda match: few.format(tenant=match[1]), sql, count=1)
        return sql
