"""How a message is to be delivered.

Two shapes of the same thing. An `OptionPatch` holds only what somebody said (a
request, a URL group's defaults, a dead-letter retry's overrides); patches are laid
over one another. `DeliveryOptions` holds an answer to every question, and is what a
message keeps. `OptionPatch.resolve` is the only way from one to the other.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from msgspec import UNSET, Struct, UnsetType, structs

from outrider.domain.instant import SECOND_MS, Instant

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

Headers = tuple[tuple[str, str], ...]
"""Header fields in order, names in canonical spelling; a repeated name is a repeated pair."""


class FlowControl(Struct, frozen=True, omit_defaults=True):
    """What a message asks of its flow-control key: at most `rate` starts a period, `parallelism` at once."""

    key: str
    parallelism: int | None = None
    rate: int | None = None
    period_ms: int = SECOND_MS


class Redaction(Struct, frozen=True, omit_defaults=True):
    """What is hidden wherever a message is shown. What is delivered is never touched.

    Attributes:
        headers: lower-case names hidden one by one.
    """

    body: bool = False
    all_headers: bool = False
    headers: tuple[str, ...] = ()

    @property
    def hides_anything(self) -> bool:
        return self.body or self.all_headers or bool(self.headers)

    def hides_header(self, name: str) -> bool:
        return self.all_headers or name.lower() in self.headers


class Callback(Struct, frozen=True, omit_defaults=True):
    """Where to report an attempt, and how that report is itself delivered."""

    url: str
    options: DeliveryOptions


class DeliveryOptions(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An answer to every question about a delivery.

    Attributes:
        headers: what the destination receives besides our own: Content-Type and the forwarded ones.
        retries: retries after the first attempt.
        retry_delay: expression in milliseconds over `retried`; None is the default backoff.
        delay_ms: how long after publishing; the schedule's messages use it too.
        not_before: an absolute moment; beats `delay_ms`.
        standard_webhooks: whether it is signed by Standard Webhooks too; None is as the tenant has it.
    """

    method: Method = "POST"
    headers: Headers = ()
    retries: int = 3
    retry_delay: str | None = None
    timeout_ms: int = 30 * SECOND_MS
    delay_ms: int = 0
    not_before: Instant | None = None
    callback: Callback | None = None
    failure_callback: Callback | None = None
    flow_control: FlowControl | None = None
    labels: tuple[str, ...] = ()
    redaction: Redaction = Redaction()
    standard_webhooks: bool | None = None

    def first_delivery_at(self, published_at: Instant) -> Instant:
        """The first moment a message published then may be delivered; never before it was published."""
        if self.not_before is not None:
            return max(self.not_before, published_at)
        return published_at + self.delay_ms


class CallbackPatch(Struct, frozen=True, omit_defaults=True):
    """What was said about a callback: `Upstash-Callback` is its URL, `Upstash-Callback-*` its options."""

    url: str | UnsetType = UNSET
    options: OptionPatch | UnsetType = UNSET


class Deduplication(Struct, frozen=True, omit_defaults=True):
    """What was said about deduplication.

    Attributes:
        id: the caller's own id, which beats `by_content`.
        by_content: derive the id from destination, body, Content-Type and forwarded headers; None was not said.
        window_ms: how long the id is remembered; None is the server's default.
    """

    id: str | None = None
    by_content: bool | None = None
    window_ms: int | None = None

    def over(self, beneath: Deduplication) -> Deduplication:
        """What this one says, and of the rest what `beneath` does."""
        said = {name: value for name, value in structs.asdict(self).items() if value is not None}
        return structs.replace(beneath, **said)


class OptionPatch(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Only what was said. A field that is UNSET leaves the layer beneath it in force."""

    method: Method | UnsetType = UNSET
    headers: Headers | UnsetType = UNSET
    retries: int | UnsetType = UNSET
    retry_delay: str | UnsetType = UNSET
    timeout_ms: int | UnsetType = UNSET
    delay_ms: int | UnsetType = UNSET
    not_before: Instant | UnsetType = UNSET
    callback: CallbackPatch | UnsetType = UNSET
    failure_callback: CallbackPatch | UnsetType = UNSET
    flow_control: FlowControl | UnsetType = UNSET
    labels: tuple[str, ...] | UnsetType = UNSET
    redaction: Redaction | UnsetType = UNSET
    standard_webhooks: bool | UnsetType = UNSET
    deduplication: Deduplication | UnsetType = UNSET
    queue: str | UnsetType = UNSET
    cron: str | UnsetType = UNSET
    cron_jitter_ms: int | UnsetType = UNSET
    schedule_id: str | UnsetType = UNSET

    def over(self, beneath: OptionPatch) -> OptionPatch:
        """This patch laid over another: what this one says wins, headers and deduplication part by part."""
        said = _said(self)
        if self.headers is not UNSET and beneath.headers is not UNSET:
            said["headers"] = _merge_headers(self.headers, beneath.headers)
        for name in ("callback", "failure_callback"):
            mine, theirs = getattr(self, name), getattr(beneath, name)
            if mine is not UNSET and theirs is not UNSET:
                said[name] = _merge_callbacks(mine, theirs)
        if self.deduplication is not UNSET and beneath.deduplication is not UNSET:
            said["deduplication"] = self.deduplication.over(beneath.deduplication)
        return structs.replace(beneath, **said)

    def resolve(self, defaults: DeliveryOptions) -> DeliveryOptions:
        """An answer to every question: what was said, else the default.

        A callback without a retry count of its own takes the message's; a callback of which
        only options but no URL were given is none.
        """
        return _resolve(self, defaults)


def _said(patch: OptionPatch) -> dict[str, object]:
    return {name: value for name in patch.__struct_fields__ if (value := getattr(patch, name)) is not UNSET}


# A producer says the same of most of its messages: an answer that was found is found again in 0.2 µs instead of 1.1.
@lru_cache(maxsize=128)
def _resolve(patch: OptionPatch, defaults: DeliveryOptions) -> DeliveryOptions:
    said = {name: value for name in DeliveryOptions.__struct_fields__ if (value := getattr(patch, name)) is not UNSET}
    if patch.headers is not UNSET:
        said["headers"] = _merge_headers(patch.headers, defaults.headers)
    retries = defaults.retries if patch.retries is UNSET else patch.retries
    inherited = DeliveryOptions(retries=retries, timeout_ms=defaults.timeout_ms)
    for name in ("callback", "failure_callback"):
        if name in said:
            said[name] = _resolve_callback(getattr(patch, name), getattr(defaults, name), inherited)
    return structs.replace(defaults, **said)


def _merge_headers(above: Headers, beneath: Headers) -> Headers:
    if not beneath:
        return above
    named = {name.lower() for name, _ in above}
    return above + tuple(pair for pair in beneath if pair[0].lower() not in named)


def _merge_callbacks(above: CallbackPatch, beneath: CallbackPatch) -> CallbackPatch:
    options = above.options
    if options is UNSET:
        options = beneath.options
    elif beneath.options is not UNSET:
        options = options.over(beneath.options)
    return CallbackPatch(url=beneath.url if above.url is UNSET else above.url, options=options)


def _resolve_callback(patch: CallbackPatch, beneath: Callback | None, inherited: DeliveryOptions) -> Callback | None:
    url = patch.url
    if url is UNSET:
        if beneath is None:
            return None
        url = beneath.url
    defaults = inherited if beneath is None else beneath.options
    options = defaults if patch.options is UNSET else patch.options.resolve(defaults)
    # A callback has no callbacks of its own.
    return Callback(url, structs.replace(options, callback=None, failure_callback=None))
