"""The one place where a query's conditions are composed.

A statement that takes a filter says where: `/* and filter */`. Its message is `m`, its rows
belong to `:tenant`. Columns and names are this package's own; what was asked for is a parameter.
"""

from __future__ import annotations

import re

from outrider.domain.query import MessageFilter
from outrider.store.sqlite.queries import SQL, listed

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

_HAS_HOST = "(m.host IN {wanted} OR rtrim(m.host, '0123456789') IN (SELECT value || ':' FROM json_each(:hosts)))"
"""A host without a port means each of its ports: the column has `host` or `host:port`."""

_HAS_LABEL = "EXISTS (SELECT 1 FROM json_each(m.labels) AS label WHERE label.value IN {wanted})"


class Conditions:
    """What a filter asks for, and the parameters that go with it.

    Args:
        time: the column that the filter's bounds are about.
    """

    def __init__(self, tenant: str, which: MessageFilter, *, time: str) -> None:
        self.parameters: dict[str, object] = {"tenant": tenant}
        self._clauses: list[str] = []
        self._few = bool(which.ids)
        for name, column in _COLUMNS.items():
            self.choose(f"{column} IN {{wanted}}", name, getattr(which, name))
        self.choose(_HAS_HOST, "hosts", tuple(host.lower() for host in which.hosts))
        self.choose(_HAS_LABEL, "labels", which.labels)
        if which.time_from is not None:
            self.require(f"{time} >= :time_from", time_from=which.time_from)
        if which.time_to is not None:
            self.require(f"{time} <= :time_to", time_to=which.time_to)

    def choose(self, clause: str, name: str, values: tuple[object, ...]) -> None:
        """`{wanted}` in the clause stands for the values; any will do if there are none."""
        if values:
            wanted = f"(SELECT value FROM json_each(:{name}))"  # noqa: S608 - the name is ours
            self.require(clause.format(wanted=wanted), **{name: listed(values)})

    def choose_rows(self, clause: str, name: str, values: tuple[object, ...]) -> None:
        """As `choose`, where each value names one row."""
        self._few = self._few or bool(values)
        self.choose(clause, name, values)

    def require(self, clause: str, **parameters: object) -> None:
        self._clauses.append(clause)
        self.parameters |= parameters

    def put_into(self, name: str) -> str:
        """The named statement, completed."""
        sql = SQL[name].replace("/* and filter */", "".join(f" AND {clause}" for clause in self._clauses))
        if self._few:
            # The planner prefers to walk all of the tenant's rows in their order; a `+` takes that index away.
            sql = re.sub(r"\b([a-z]\.tenant = :tenant)\b", r"+\1", sql, count=1)
        return sql
