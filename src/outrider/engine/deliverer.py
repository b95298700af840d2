"""Hops 6 and 7: one attempt, from request to settlement.

    start → send → judge → settle → report → apply → follow up

Whatever the far end does is an Outcome, so this reads without an error path. The one
exception: a fault of ours while making or sending the request is reported and treated as
an attempt that failed, so that the message goes its way to a retry or the dead letters
instead of staying leased for ever. So is a destination profile that does not open: nothing may
go to its host without it.

An attempt may outlast its node's lease: the node was paused, or cut off from the store. Then the
message is another node's, and what came of this attempt is refused. That is noted as
`attempt_overtaken`; a settlement that is refused for no such reason, as `lease_lost`. What the request
is made of may take long to read, too: if the lease is over by then, nothing is sent.
"""

from __future__ import annotations

from msgspec import structs

from outrider.domain.attempt import Attempt, Outcome, Unreachable
from outrider.domain.errors import NotFound
from outrider.domain.event import created
from outrider.domain.message import Message
from outrider.domain.settlement import Settlement, settle, with_follow_ups
from outrider.engine.callbacks import callback_message
from outrider.engine.directory import Directory
from outrider.engine.dispatcher import Dispatcher
from outrider.engine.journal import Journal
from outrider.engine.membership import Membership
from outrider.engine.persistence import persist
from outrider.engine.profiles import Profiles, ProfileUnreadable
from outrider.engine.signing_keys import KeysUnreadable
from outrider.ports import Applied, Clock, MessageStore, Observer, OutgoingRequest, Sender, Verdict
from outrider.wire.outgoing import outgoing_request


class Deliverer:
    """Attempts leased messages."""

    def __init__(
        self,
        *,
        store: MessageStore,
        sender: Sender,
        clock: Clock,
        observer: Observer,
        directory: Directory,
        profiles: Profiles,
        dispatcher: Dispatcher,
        journal: Journal,
        membership: Membership,
    ) -> None:
        self._store = store
        self._sender = sender
        self._clock = clock
        self._observer = observer
        self._directory = directory
        self._profiles = profiles
        self._dispatcher = dispatcher
        self._journal = journal
        self._membership = membership

    async def deliver(self, message: Message) -> None:
        """Attempt the message once and settle it; give it back if the lease was over before the request was made."""
        attempt = await self._attempt(message)
        if attempt is None:
            self._journal.take(message.id)
            self._observer.note("attempt_overtaken", message_id=message.id)
            await self._dispatcher.give_back(message)
            return
        self._dispatcher.learn(message, attempt)
        settlement = self._report(message, attempt, settle(message, attempt))
        (verdict,) = await persist(
            lambda: self._store.apply((settlement,), self._clock.now()), self._clock, self._observer
        )
        self._follow_up(message, settlement, verdict)

    async def _attempt(self, message: Message) -> Attempt | None:
        """What came of it; None if nothing was sent."""
        started_at = self._clock.now()
        self._journal.started(message, started_at)
        outcome = await self._send(message)
        if outcome is None:
            return None
        ended_at = self._clock.now()
        # The end counts as it is, since the retry is computed from it: a clock that was set back meanwhile must not
        # delay that by the hour it was set back.
        return Attempt(message.id, message.retried, min(started_at, ended_at), ended_at, outcome)

    async def _send(self, message: Message) -> Outcome | None:
        try:
            # A store in trouble costs a message no attempt: what is read, is read once it can be.
            request = await persist(lambda: self._request(message), self._clock, self._observer)
            return None if self._is_overtaken(message) else await self._sender.send(request)
        except (ProfileUnreadable, KeysUnreadable) as failure:
            self._observer.note("secret_open_failed", message_id=message.id, error=failure.sentence)
            return Unreachable(failure.sentence)
        except NotFound as gone:
            # The tenant was removed, and its messages with it: there is nothing left to settle.
            return Unreachable(gone.sentence)
        except Exception as fault:  # noqa: BLE001 - see the module's docstring
            self._observer.note("attempt_faulted", message_id=message.id, error=repr(fault))
            return Unreachable("the request could not be made: an internal fault, which the server's log describes")

    async def _request(self, message: Message) -> OutgoingRequest:
        keys = await self._directory.keys(message.tenant)
        injected = await self._profiles.headers_for(message.tenant, message.url)
        return outgoing_request(message, keys, self._clock.now(), injected)

    def _report(self, message: Message, attempt: Attempt, settlement: Settlement) -> Settlement:
        """The settlement with its ACTIVE entry and its callbacks as messages."""
        settlement = structs.replace(settlement, events=self._journal.take(message.id) + settlement.events)
        if not settlement.reports:
            return settlement
        return with_follow_ups(
            settlement,
            lambda report: self._dispatcher.offer(callback_message(message, attempt, report)),
        )

    def _follow_up(self, message: Message, offered: Settlement, verdict: Verdict) -> None:
        """Tell what happened, and hand on what is to be delivered next."""
        stored: dict[str, Message] = {}
        if isinstance(verdict, Applied):
            applied = verdict.settlement
            stored = {message.id: message for message in applied.follow_ups}
            self._observer.events([*applied.events, *map(created, applied.follow_ups)])
            self._dispatcher.settled(applied)
        else:
            overtaken = self._is_overtaken(message)
            self._observer.note("attempt_overtaken" if overtaken else "lease_lost", message_id=verdict.message_id)
        for follow_up in offered.follow_ups:
            self._dispatcher.accept(follow_up, stored.get(follow_up.id))

    def _is_overtaken(self, message: Message) -> bool:
        """Whether another node may have the message by now."""
        return message.lease != self._membership.node or not self._membership.holds(self._clock.now())
