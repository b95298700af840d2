"""What may be called, asked at the door: the guard would refuse the rest at every attempt."""

from __future__ import annotations

from outrider.domain.addresses import AddressPolicy
from outrider.domain.errors import Undeliverable
from outrider.domain.options import DeliveryOptions


def check_address(policy: AddressPolicy, url: str, what: str) -> None:
    """Raise Undeliverable, `what` saying of which URL, for one that the guard would never let us reach."""
    refusal = policy.refuse_url(url)
    if refusal is not None:
        raise Undeliverable(f"{what} {refusal}")


def check_callbacks(policy: AddressPolicy, options: DeliveryOptions) -> None:
    """Raise Undeliverable for a callback that could not be called."""
    if options.callback is not None:
        check_address(policy, options.callback.url, "callback")
    if options.failure_callback is not None:
        check_address(policy, options.failure_callback.url, "failure callback")
