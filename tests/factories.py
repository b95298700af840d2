"""Values for tests: complete, plausible, each with an id of its own; name only what matters."""

from __future__ import annotations

import itertools

from outrider.domain.attempt import Attempt, Outcome, Response, TimedOut, Unreachable, judge
from outrider.domain.event import Event, EventKind
from outrider.domain.instant import Instant
from outrider.domain.message import DeduplicationKey, Message, MessageState
from outrider.domain.options import Callback, DeliveryOptions
from outrider.domain.settlement import Settlement, settle
from outrider.domain.tenant import Scope, Tenant, Token
from outrider.ports import SealedKeys
from outrider.sealing import SealedBox, SecretKey

NOW: Instant = 1_800_000_000_000
TENANT = "ten_1"
BOX = SealedBox(SecretKey(bytes(range(32))))
NODE = "node_1"

_numbers = itertools.count(1)
_OPTIONS = frozenset(DeliveryOptions.__struct_fields__) - frozenset(Message.__struct_fields__)


def make_message(**overrides) -> Message:
    """A message that is DUE at its creation; fields of DeliveryOptions may be named too."""
    options = {name: overrides.pop(name) for name in _OPTIONS if name in overrides}
    created_at = overrides.pop("created_at", NOW)
    said = {
        "id": f"msg_{next(_numbers):026d}",
        "tenant": TENANT,
        "url": "https://a.example/x",
        "options": DeliveryOptions(**options),
        "body": b"hello",
        "created_at": created_at,
        "not_before": created_at,
        "due_at": created_at,
    }
    return Message(**said | overrides)


def make_leased(node: str = NODE, **overrides) -> Message:
    return make_message(state=MessageState.LEASED, lease=node, **overrides)


def make_deduplicated(key: str, window_ms: int = 60_000, **overrides) -> Message:
    return make_message(deduplication=DeduplicationKey(key, window_ms), **overrides)


def make_attempt(message: Message, outcome: Outcome | None = None, **overrides) -> Attempt:
    """An attempt of 50 ms that ended at NOW, by default with a 200."""
    ended_at = overrides.pop("ended_at", NOW)
    said = {
        "message_id": message.id,
        "retried": message.retried,
        "started_at": ended_at - 50,
        "ended_at": ended_at,
        "outcome": succeeded() if outcome is None else outcome,
    }
    return Attempt(**said | overrides)


def succeeded(status: int = 200, body: bytes = b"ok") -> Outcome:
    return judge(Response(status, (("Content-Type", "text/plain"), ("X-Two", "1"), ("X-Two", "2")), body))


def refused(status: int = 500, body: bytes = b"broken") -> Outcome:
    return judge(Response(status, (("Content-Type", "text/plain"),), body))


def timed_out(after_ms: int = 30_000) -> Outcome:
    return TimedOut(after_ms, f"no complete answer within {after_ms} ms")


def unreachable() -> Outcome:
    return Unreachable("connection refused")


def make_settlement(message: Message, outcome: Outcome | None = None, **overrides) -> Settlement:
    """What `settle` says of an attempt of the message."""
    return settle(message, make_attempt(message, outcome, **overrides))


def make_active(message: Message, at: Instant = NOW) -> Event:
    return Event(tenant=message.tenant, message_id=message.id, kind=EventKind.ACTIVE, time=at)


def make_callback(url: str = "https://a.example/callback", **options) -> Callback:
    return Callback(url, DeliveryOptions(**options))


def make_tenant(**overrides) -> Tenant:
    number = next(_numbers)
    said = {"id": f"ten_{number}", "name": f"tenant-{number}", "created_at": NOW}
    return Tenant(**said | overrides)


def make_keys(**overrides) -> SealedKeys:
    number = next(_numbers)
    said = {"current": f"sealed:current{number}", "next": f"sealed:next{number}"}
    return SealedKeys(**said | overrides)


def make_token(**overrides) -> Token:
    number = next(_numbers)
    said = {
        "id": f"tok_{number}",
        "tenant": TENANT,
        "scope": Scope.FULL,
        "hash": f"{number:064x}",
        "hint": "abcd",
        "name": "a token",
        "created_at": NOW,
    }
    return Token(**said | overrides)
