"""The one table of limits. Each can be overridden by the setting of the same name."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from outrider.domain.instant import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

Plan = Literal["default", "free", "hosted", "payg", "pro"]

KIB = 1024
MIB = 1024 * KIB


class Limits(Struct, frozen=True, kw_only=True, cache_hash=True):
    """What a tenant may ask for. None means no limit; sizes in bytes, spans in milliseconds."""

    messages_per_day: Annotated[int | None, Meta(description="messages a tenant may publish in a UTC day")] = None
    body_bytes: Annotated[int, Meta(description="size of a message's body")] = MIB
    delay_ms: Annotated[int, Meta(description="longest delay of a message")] = 365 * DAY_MS
    retries: Annotated[int, Meta(description="most retries of a message")] = 100
    timeout_ms: Annotated[int, Meta(ge=1, description="longest timeout of a delivery")] = 15 * MINUTE_MS
    default_timeout_ms: Annotated[int, Meta(ge=1, description="timeout of a delivery that names none")] = 30 * SECOND_MS
    deduplication_window_ms: Annotated[int, Meta(description="how long a deduplication id is remembered")] = MINUTE_MS
    deduplication_id_length: Annotated[int, Meta(description="longest deduplication id, in characters")] = 256
    log_retention_ms: Annotated[int, Meta(description="how long entries and finished messages are kept")] = 3 * DAY_MS
    dlq_retention_ms: Annotated[int, Meta(description="how long dead letters are kept")] = 7 * DAY_MS
    audit_retention_ms: Annotated[int, Meta(description="how long administrative changes are remembered")] = 90 * DAY_MS
    queues: Annotated[int, Meta(description="queues of a tenant")] = 1000
    schedules: Annotated[int, Meta(description="schedules of a tenant")] = 1000
    url_groups: Annotated[int, Meta(description="URL groups of a tenant")] = 1000
    endpoints_per_group: Annotated[int, Meta(description="endpoints of a URL group")] = 100
    profiles: Annotated[int, Meta(description="destination profiles of a tenant")] = 100
    batch_items: Annotated[int, Meta(description="items of a batch")] = 1000
    batch_bytes: Annotated[int, Meta(description="size of a batch's body")] = 10 * MIB
    burst_per_second: Annotated[int, Meta(description="calls a second other than publish, enqueue, batch")] = 200
    response_body_bytes: Annotated[int, Meta(description="how much of a response body is kept")] = 64 * KIB


_FREE = Limits(
    messages_per_day=500,
    body_bytes=500 * 1000,
    delay_ms=7 * DAY_MS,
    retries=5,
    dlq_retention_ms=3 * DAY_MS,
    queues=10,
    schedules=10,
    url_groups=10,
    endpoints_per_group=10,
    profiles=10,
    batch_items=100,
    batch_bytes=MIB,
    burst_per_second=100,
)

_HOSTED = Limits(
    timeout_ms=2 * HOUR_MS,
    default_timeout_ms=2 * HOUR_MS,
    deduplication_window_ms=10 * MINUTE_MS,
    log_retention_ms=14 * DAY_MS,
    dlq_retention_ms=30 * DAY_MS,
    endpoints_per_group=1000,
    batch_items=10_000,
    batch_bytes=100_000_000,
    burst_per_second=100,
    response_body_bytes=MIB,
)


def limits_of(plan: Plan) -> Limits:
    """The preset of a plan; `payg` and `pro` are names of `hosted`."""
    match plan:
        case "default":
            return Limits()
        case "free":
            return _FREE
        case "hosted" | "payg" | "pro":
            return _HOSTED
