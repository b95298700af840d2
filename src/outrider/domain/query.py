"""Questions about what is stored: filters, pages, cursors.

Values of one filter are OR-ed, different filters AND-ed; an empty tuple filters nothing.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import Struct

from outrider.domain.event import EventKind
from outrider.domain.instant import Instant
from outrider.domain.message import Progress

T = TypeVar("T")


class MessageFilter(Struct, frozen=True, kw_only=True):
    """Which messages; also which entries and dead letters, by their message.

    Attributes:
        time_from, time_to: of creation, inclusive. Of a log query they bound the entry's time, of a
            dead-letter query the time of failure.
    """

    ids: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    schedule_ids: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    flow_control_keys: tuple[str, ...] = ()
    caller_ips: tuple[str, ...] = ()
    time_from: Instant | None = None
    time_to: Instant | None = None


class LogQuery(Struct, frozen=True, kw_only=True):
    """A page of entries. `cursor` is what the page before gave."""

    filter: MessageFilter = MessageFilter()
    kinds: tuple[EventKind, ...] = ()
    latest_first: bool = True
    count: int = 100
    cursor: str | None = None


class MessageQuery(Struct, frozen=True, kw_only=True):
    """A page of unfinished messages. No `progress` means any."""

    filter: MessageFilter = MessageFilter()
    progress: tuple[Progress, ...] = ()
    count: int = 100
    cursor: str | None = None


class DeadLetterQuery(Struct, frozen=True, kw_only=True):
    """A page of dead letters.

    Attributes:
        response_statuses: 0 stands for no response.
    """

    filter: MessageFilter = MessageFilter()
    ids: tuple[str, ...] = ()
    response_statuses: tuple[int, ...] = ()
    latest_first: bool = True
    count: int = 100
    cursor: str | None = None


class Page(Struct, Generic[T], frozen=True):
    """Some of the answer. `cursor` asks for what follows; None on the last page.

    A page has a bounded share of the work, too: it may be short, even empty, and have a cursor.
    """

    items: tuple[T, ...]
    cursor: str | None = None


class Count(Struct, frozen=True):
    """How many there are; `capped`: at least so many, for not all were looked at."""

    number: int
    capped: bool = False


class DeadLetterCluster(Struct, frozen=True, kw_only=True):
    """Dead letters that got the same answer from the same host.

    Attributes:
        response_status: 0 stands for no response.
        error: why the newest of them was given up.
    """

    response_status: int
    host: str
    error: str
    count: int
    newest_at: Instant


class Clusters(Struct, frozen=True):
    """The largest clusters, largest first, and how many dead letters were looked at for them."""

    clusters: tuple[DeadLetterCluster, ...]
    total: Count
