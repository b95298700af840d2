"""How long attempts took, counted in buckets that add up.

An HDR histogram: whole milliseconds up to 31, then 16 buckets for each power of two. A bucket is at most 1/16 of
its durations wide, and its middle is told: within 1/32 of what it was.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

_BITS = 5
"""What a bucket tells of a duration: its first so many binary digits, and how many there are."""

_LONGEST_EXACT_MS = (1 << _BITS) - 1

LONGEST_MS = (1 << 31) - 1
"""24 days. A longer attempt counts as one of this length."""


def bucket_of(duration_ms: int) -> int:
    """The number of its bucket; longer durations have higher numbers."""
    if duration_ms <= _LONGEST_EXACT_MS:
        return max(duration_ms, 0)
    duration_ms = min(duration_ms, LONGEST_MS)
    shift = duration_ms.bit_length() - _BITS
    return (shift << (_BITS - 1)) + (duration_ms >> shift)


BUCKETS = bucket_of(LONGEST_MS) + 1


def bounds_of(bucket: int) -> tuple[int, int]:
    """The shortest and the longest duration in a bucket, milliseconds."""
    shift = max(0, (bucket >> (_BITS - 1)) - 1)
    first = (bucket - (shift << (_BITS - 1))) << shift
    return first, first + (1 << shift) - 1


class Latency(Struct, frozen=True):
    """Milliseconds that 50, 95 and 99 of 100 attempts did not exceed."""

    p50: int
    p95: int
    p99: int


def latency_of(buckets: Mapping[int, int]) -> Latency | None:
    """Of attempts counted by bucket; None of nothing."""
    total = sum(buckets.values())
    if not total:
        return None
    p50, p95, p99 = (_at_rank(buckets, -(-total * percent // 100)) for percent in (50, 95, 99))
    return Latency(p50, p95, p99)


def _at_rank(buckets: Mapping[int, int], rank: int) -> int:
    """The middle of the bucket in which the attempt of this rank is; the shortest has rank 1."""
    passed = 0
    for bucket in sorted(buckets):
        passed += buckets[bucket]
        if passed >= rank:
            return sum(bounds_of(bucket)) // 2
    raise ValueError(f"there is no rank {rank} among {passed}")
