"""What the engine asks of the outside: Store, Sender, Clock, Observer.

Every method of `Store` that changes something is one transaction: a crash finds the state
before it or the state after it. A method that returns has committed. One that cannot commit
raises `StoreUnavailable`, and then nothing of it was kept; one that has too much waiting
raises `Overloaded`. How commits are grouped is the store's own affair.

Times are `Instant`s handed in by the caller; no store reads a clock.
"""

from outrider.ports.activity import ActivityStore, StatusStore
from outrider.ports.audit import AuditStore
from outrider.ports.messages import (
    Applied,
    Cancellation,
    DeadLetterStore,
    Duplicate,
    LeaseLost,
    LogEntry,
    LogStore,
    MessageStore,
    MessageSummary,
    Receipt,
    Retention,
    Stored,
    Verdict,
)
from outrider.ports.nodes import (
    EndedLeases,
    Node,
    NodeStore,
)
from outrider.ports.outside import (
    Clock,
    Observer,
    OutgoingRequest,
    Sender,
)
from outrider.ports.resources import (
    FlowControlStore,
    HealthStore,
    ProfileStore,
    QueueStore,
    ScheduleStore,
    SealedKeys,
    SealedProfile,
    SignInLink,
    TenantStore,
    UrlGroupStore,
    UsageStore,
)
from outrider.ports.store import (
    Store,
    Violation,
)

__all__ = [
    "ActivityStore",
    "Applied",
    "AuditStore",
    "Cancellation",
    "Clock",
    "DeadLetterStore",
    "Duplicate",
    "EndedLeases",
    "FlowControlStore",
    "HealthStore",
    "LeaseLost",
    "LogEntry",
    "LogStore",
    "MessageStore",
    "MessageSummary",
    "Node",
    "NodeStore",
    "Observer",
    "OutgoingRequest",
    "ProfileStore",
    "QueueStore",
    "Receipt",
    "Retention",
    "ScheduleStore",
    "SealedKeys",
    "SealedProfile",
    "Sender",
    "SignInLink",
    "StatusStore",
    "Store",
    "Stored",
    "TenantStore",
    "UrlGroupStore",
    "UsageStore",
    "Verdict",
    "Violation",
]
