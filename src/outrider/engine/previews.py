"""What a publish would come to, without one."""

from __future__ import annotations

from msgspec import Struct

from outrider.domain.backoff import earliest_attempts
from outrider.domain.instant import Instant
from outrider.domain.message import Message
from outrider.domain.options import Headers
from outrider.engine.directory import Directory
from outrider.engine.profiles import Profiles
from outrider.engine.publisher import Publisher, PublishRequest
from outrider.ports import Clock, OutgoingRequest
from outrider.wire.outgoing import outgoing_request


class Preview(Struct, frozen=True):
    """What would be published.

    Attributes:
        messages: one for a URL, one for each endpoint of a group.
        request: the first attempt of the first of them, signed.
        injected: what the destination's profile adds to it.
        attempts: when its attempts are made at the earliest.
    """

    messages: tuple[Message, ...]
    request: OutgoingRequest
    injected: Headers
    attempts: tuple[Instant, ...]


class Previews:
    """Publishes that are only looked at."""

    def __init__(self, clock: Clock, publisher: Publisher, directory: Directory, profiles: Profiles) -> None:
        self._clock = clock
        self._publisher = publisher
        self._directory = directory
        self._profiles = profiles

    async def preview(self, request: PublishRequest) -> Preview:
        """Raises what a publish would raise, but for limits that are used up."""
        messages = await self._publisher.rehearse(request)
        message = messages[0]
        keys = await self._directory.keys(message.tenant)
        injected = await self._profiles.headers_for(message.tenant, message.url)
        options = message.options
        return Preview(
            messages=tuple(messages),
            request=outgoing_request(message, keys, self._clock.now(), injected),
            injected=injected,
            attempts=tuple(
                earliest_attempts(message.not_before, retries=options.retries, expression=options.retry_delay)
            ),
        )
