"""Time in the domain: instants and spans, both whole milliseconds.

Nothing in the domain reads a clock; an `Instant` is always handed in.
"""

from __future__ import annotations

Instant = int
"""A moment: Unix time in milliseconds."""

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
