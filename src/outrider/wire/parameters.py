"""The one reader of query parameters that are all ours.

A parameter that is not known is refused, and so is an empty value and one given twice with
different values: none of them may be a slip that goes unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from outrider.domain.errors import Malformed
from outrider.wire.names import quoted
from outrider.wire.query import TOKEN_PARAMETER

Parameters = Sequence[tuple[str, str]]
"""Names and values, decoded, in order."""


class Parameter(Struct, frozen=True):
    """How a parameter is read.

    Attributes:
        field: under which its value is handed on; None for what is accepted and means nothing here.
        read: the value's reader; raises ValueError with the rule. Several tuples add up.
        help: a sentence for people.
    """

    name: str
    field: str | None
    read: Callable[[str], Any]
    help: str


Table = dict[str, Parameter]
"""The parameters of a path, by lower-case name."""


def table_of(*parameters: Parameter) -> Table:
    return {parameter.name.lower(): parameter for parameter in parameters}


def read_parameters(parameters: Parameters, table: Table) -> dict[str, Any]:
    """What the parameters say, by field. Raises Malformed naming the parameter, its value and the rule."""
    said: dict[str, Any] = {}
    for name, value in parameters:
        if name == TOKEN_PARAMETER:
            continue
        parameter = table.get(name.lower())
        if parameter is None:
            raise Malformed(
                f"query parameter {quoted(name)} is not known here",
                code="unknown_parameter",
                hint=f"the parameters are {', '.join(known.name for known in table.values())}",
            )
        field = parameter.field
        if field is None:
            continue
        read = _value_of(parameter, value)
        before = said.get(field)
        if before is None:
            said[field] = read
        elif isinstance(read, tuple):
            said[field] = tuple(dict.fromkeys((*before, *read)))
        elif before != read:
            raise Malformed(f"query parameter {parameter.name} is given twice with different values; give it once")
    return said


def boolean(value: str) -> bool:
    known = {"true": True, "1": True, "false": False, "0": False}
    if value.lower() not in known:
        raise ValueError("is neither true nor false")
    return known[value.lower()]


def _value_of(parameter: Parameter, value: str) -> Any:
    try:
        if not value:
            raise ValueError("is empty; write a value or leave the parameter out")  # noqa: TRY301 - one way out
        read = parameter.read(value)
        if isinstance(read, tuple) and "" in read:
            raise ValueError("has an empty part between its commas")  # noqa: TRY301 - as above
    except ValueError as error:
        raise Malformed(f"query parameter {parameter.name} {quoted(value)} {error}", code="invalid_parameter") from None
    return read
