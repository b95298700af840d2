"""Everything that can go wrong, as one tree.

    OutriderError
    ├── Refusal                 the caller asked for something we will not do
    │   ├── Malformed             a value breaks its rule
    │   ├── Undeliverable         a well-formed message for an address that may not be called
    │   ├── Unauthenticated       no token, or none that we know
    │   ├── Forbidden             the token may not do this
    │   ├── NotFound              the named thing does not exist
    │   ├── Conflict              the named thing does not stand as this would need it
    │   ├── TooLarge              a body is over its limit
    │   ├── TooMany               one more would be over a limit on how many there may be
    │   └── LimitReached          a quota or rate is used up
    ├── Unavailable             we cannot keep a promise right now; try again
    │   ├── StoreUnavailable      the store cannot commit
    │   └── Overloaded            more is waiting for the store than it can take
    └── Misconfigured           the operator's settings cannot be used

A failed delivery is none of these: it is an Outcome, a value (`attempt.py`).
Every error carries a `code` (stable, snake_case), a sentence that names the
value and the rule, and, where there is one, a `hint`: the remedy. HTTP statuses
are given to these classes in one place, `http/errors.py`.
"""

from __future__ import annotations

from dataclasses import dataclass


class OutriderError(Exception):
    """The root of the tree.

    Args:
        sentence: names the value and the rule it breaks.
        code: stable, snake_case; for programs.
        hint: the remedy, where there is one.
    """

    default_code = "error"

    def __init__(self, sentence: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code or self.default_code
        self.hint = hint


class Refusal(OutriderError):
    """The caller asked for something we will not do; nothing was stored."""

    default_code = "refused"


class Malformed(Refusal):
    """A header, field, path or body breaks its rule."""

    default_code = "malformed"


class Undeliverable(Refusal):
    """The message is well formed, but its destination or a callback of it may not be called."""

    default_code = "destination_refused"


class Unauthenticated(Refusal):
    """No token was given, or none that we know."""

    default_code = "unauthenticated"


class Forbidden(Refusal):
    """The token is known but may not do this."""

    default_code = "forbidden"


class NotFound(Refusal):
    """The named thing does not exist, or belongs to somebody else."""

    default_code = "not_found"


class Conflict(Refusal):
    """The named thing does not stand as what was asked for would need it to."""

    default_code = "conflict"


class TooLarge(Refusal):
    """A body is over its limit."""

    default_code = "too_large"


class TooMany(Refusal):
    """One more of them (queues, schedules, URL groups, endpoints) would be over the limit."""

    default_code = "too_many"


@dataclass(frozen=True, slots=True)
class Quota:
    """The state of a used-up limit, as a client is told it.

    Attributes:
        limit: how many are allowed in the window.
        remaining: how many are left (0 when refused).
        resets_at_s: when the window ends, Unix seconds.
    """

    limit: int
    remaining: int
    resets_at_s: int


class LimitReached(Refusal):
    """A limit is used up. `window` is `daily` or `burst`: clients tell them apart by headers."""

    default_code = "limit_reached"

    def __init__(
        self, sentence: str, *, window: str, quota: Quota, code: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(sentence, code=code, hint=hint)
        self.window = window
        self.quota = quota


class Unavailable(OutriderError):
    """We cannot keep a promise right now; the caller may try again."""

    default_code = "unavailable"


class StoreUnavailable(Unavailable):
    """The store could not commit; nothing of the request was kept."""

    default_code = "store_unavailable"


class Overloaded(Unavailable):
    """More is waiting for the store than it can take."""

    default_code = "overloaded"


class Misconfigured(OutriderError):
    """A setting cannot be used; the sentence names it, its value and the rule."""

    default_code = "misconfigured"
