"""What must be true, whatever goes wrong: told by what producers were answered, what the database committed, and what
destinations saw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.simulation.clock import WallClock
from tests.simulation.database import DirectStore
from tests.simulation.gates import KeyRule, QueueRule
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import Attempt
from tests.simulation.plan import Plan
from tests.simulation.process import Process
from tests.simulation.profiles import HEADER, ProfileRule, host_of
from tests.simulation.records import Letter, Publish, Record
from tests.simulation.retention import Retention
from tests.simulation.ticks import ScheduleRule
from tests.simulation.trace import Trace, Violation

from outrider.domain.attempt import Blocked, Delivered, forbids_retry
from outrider.domain.event import Event, EventKind
from outrider.domain.instant import DAY_MS, Instant
from outrider.domain.message import Message, MessageState
from outrider.domain.settlement import Settlement
from outrider.ports import Applied, Cancellation, EndedLeases, OutgoingRequest, Stored
from outrider.store.sqlite.connection import run_now

CALLBACK = "https://callbacks.example/done"
FAILURE_CALLBACK = "https://callbacks.example/failed"

CLOCKS_DIFFER_MS = 5_000
"""More than the clocks of two nodes that follow their database do."""

CROWD = 1000
"""Fewer than so many messages are under way at once."""

LATE_MS = 3_000
"""Nothing is attempted so long after it was due while all is well."""

TOLD_ENDS = {
    EventKind.DELIVERED: MessageState.DELIVERED,
    EventKind.FAILED: MessageState.FAILED,
    EventKind.CANCELED: MessageState.CANCELED,
}

FAULTS_OF_OURS = frozenset(
    {"attempt_faulted", "delivery_faulted", "loop_faulted", "request_faulted", "schedule_faulted", "schedule_failed"}
)


class Model:
    """All that is known of a run.

    Attributes:
        violation: the first promise that was broken; `broken` is called with it.
        letters: by the id of the dead letter.
    """

    def __init__(self, loop: VirtualLoop, plan: Plan, trace: Trace, truth: DirectStore) -> None:
        self._loop = loop
        self._plan = plan
        self._trace = trace
        self.truth = truth
        self.tenant = ""
        self.violation: Violation | None = None
        self.broken: Callable[[], None] = lambda: None
        self.publishes: dict[str, Publish] = {}
        self.records: dict[str, Record] = {}
        self.letters: dict[str, Letter] = {}
        self.queues: dict[str, QueueRule] = {}
        self.keys: dict[str, KeyRule] = {}
        self.schedules: dict[str, ScheduleRule] = {}
        self.profiles: dict[str, ProfileRule] = {}
        self.retention = Retention(plan)
        self._troubles = 0
        self._trouble_ended = 0

    def trouble_begins(self) -> None:
        """Something goes wrong, after which all may be late."""
        self._troubles += 1

    def trouble_ends(self) -> None:
        self._troubles -= 1
        self._trouble_ended = self._loop.ms

    def violate(self, rule: str, subject: str, what: str) -> None:
        if self.violation is None:
            self.violation = Violation(rule, subject, what)
            self._trace.say("VIOLATION", str(self.violation))
            self.broken()

    @property
    def now(self) -> int:
        """Milliseconds since the run began."""
        return self._loop.ms

    def stored_now(self, message_id: str) -> Message | None:
        """The message as the database has it at this moment."""
        return run_now(self.truth.get_message(self.tenant, message_id))

    def unfinished(self) -> list[Record]:
        """Those that have not ended."""
        return [record for record in self.records.values() if record.state is None]

    def is_closed(self, record: Record) -> bool:
        """Whether it and its callbacks have ended."""
        return all(each.state is not None for each in (record, *record.reports))

    # What the database commits

    def committed(self, process: Process, result: object) -> None:
        """An operation of this process came to this result, and is committed."""
        if isinstance(result, Cancellation):
            self._canceled(process, result)
        elif isinstance(result, EndedLeases):
            for event in result.canceled:
                self._trace.say(process.name, f"ends the lease of {self._trace.name(event.message_id)}: canceled")
                self._end(self.records[event.message_id], MessageState.CANCELED)
        elif isinstance(result, list):
            for item in result:
                match item:
                    case Stored(message):
                        self._stored(process, message)
                    case Applied(settlement):
                        self._settled(process, settlement)
                    case Message():
                        self._leased(process, item)

    def _stored(self, process: Process, message: Message, source: Record | None = None) -> Record:
        publish = self._publish_of(message) if source is None else None
        record = Record(
            name=self._trace.name(message.id),
            message=message,
            publish=publish,
            committed=self._loop.ms,
            due=message.due_at,
            source=source,
        )
        self.records[message.id] = record
        self._trace.say(process.name, f"stores {record.name} ({_origin(record)}) {message.state} for {message.url}")
        if publish is not None:
            self._check_asked(record, publish)
            self._check_first(record, publish)
            publish.records.append(record)
        if message.queue is not None:
            queue = run_now(self.truth.get_queue(self.tenant, message.queue))
            # What is deleted in the transaction that stores the message leaves it in a line of its own.
            self.queues[message.queue].stored(record, made_at=queue.created_at if queue else record.committed)
        if message.state is MessageState.LEASED:
            record.leases[process.name] = self._loop.ms
        if message.schedule_id is not None and source is None:
            self._fired(record, message.schedule_id)
        return record

    def _publish_of(self, message: Message) -> Publish | None:
        publish = self.publishes.get(message.body.decode())
        if publish is None:
            self.violate("invented", self._trace.name(message.id), "is stored, and nobody published it")
        return publish

    def _check_asked(self, record: Record, publish: Publish) -> None:
        """A message is as its producer wanted it."""
        message = record.message
        if publish.schedule is None and not publish.open and not publish.lost:
            self.violate("invented", record.name, f"is stored for {publish.token}, which was answered long ago")
        options = message.options
        flow_key = None if options.flow_control is None else options.flow_control.key
        wanted = (publish.retries, publish.queue, publish.key, publish.timeout_ms)
        if (options.retries, message.queue, flow_key, options.timeout_ms) != wanted or message.url not in publish.urls:
            self.violate("altered", record.name, f"is not what {publish.token} asked for")
        delay_ms = message.due_at - message.created_at
        if delay_ms not in publish.delays_ms:
            self.violate("delay", record.name, f"is due after {delay_ms} ms instead of {publish.delays_ms}")

    def _check_first(self, record: Record, publish: Publish) -> None:
        """None like it was stored within its window."""
        if record.message.deduplication is None or self._plan.clocks_jump:
            return
        for other in self._like(publish):
            if record.committed < other.publish.sent + publish.window_ms - CLOCKS_DIFFER_MS:
                self.violate("stored twice", record.name, f"is stored, like {other.name}, under {publish.dedup}")

    def _like(self, publish: Publish) -> list[Record]:
        """What was stored under its deduplication id."""
        return [
            record
            for other in self.publishes.values()
            if other.dedup == publish.dedup
            for record in other.records
            if record.message.deduplication is not None
        ]

    def accepted(self, publish: Publish, message_id: str, url: str) -> None:
        """A producer was told that this is stored."""
        record = self.records.get(message_id)
        if record is None or record.publish is not publish or record.message.url != url:
            self.violate(
                "acknowledged unstored", publish.token, f"was answered well, with {message_id}, and is not stored"
            )
            return
        record.accepted = True

    def passed_over(self, publish: Publish, message_id: str) -> None:
        """A producer was told that this is the message's duplicate."""
        like = [record for record in self._like(publish) if record.message.id == message_id]
        if not like:
            self.violate("no duplicate", publish.token, "is called a duplicate of what is not like it")
        elif publish.sent > like[0].committed + publish.window_ms + CLOCKS_DIFFER_MS and not self._plan.clocks_jump:
            self.violate(
                "no duplicate", publish.token, f"is called a duplicate of {like[0].name}, whose window is over"
            )

    def refused(self, publish: Publish, before: int) -> None:
        """A producer was told that nothing was stored, where `before` records were."""
        if len(publish.records) > before and not publish.lost:
            self.violate("refused and stored", publish.records[-1].name, f"is stored, and {publish.token} was refused")

    def _fired(self, record: Record, schedule_id: str) -> None:
        schedule = run_now(self.truth.get_schedule(self.tenant, schedule_id))
        if schedule is not None and record.message.id in schedule.last_message_ids:
            self.schedules[schedule_id].fired(record.name, schedule, self._loop.ms, record.publish.jitter_ms)

    def _leased(self, process: Process, message: Message) -> None:
        record = self.records.get(message.id)
        if record is None or record.state is not None:
            self.violate("claimed", self._trace.name(message.id), "is claimed, and is not on its way")
            return
        self._trace.say(process.name, f"claims {record.name} r{message.retried}")
        record.leases[process.name] = self._loop.ms

    def _canceled(self, process: Process, cancellation: Cancellation) -> None:
        for message_id in (*cancellation.canceled, *cancellation.requested):
            record = self.records[message_id]
            record.cancel_requested = record.cancel_requested or self._loop.ms
            self._trace.say(process.name, f"cancels {record.name}")
        for message_id in cancellation.canceled:
            self._end(self.records[message_id], MessageState.CANCELED)

    def _settled(self, process: Process, settlement: Settlement) -> None:
        record = self.records[settlement.message.id]
        retried = settlement.message.retried
        self._trace.say(process.name, f"settles {record.name} r{retried} as {settlement.state}")
        made = [
            attempt
            for attempt in record.attempts
            if attempt.retried == retried and attempt.process is process and attempt.outcome is not None
        ]
        if record.state is not None:
            self.violate("ended twice", record.name, f"is {settlement.state} after {record.state}")
        if not made:
            self.violate("settled unattempted", record.name, f"r{retried} ended {settlement.state} without an attempt")
            return
        self._check_settlement(record, made[-1], settlement)
        record.settlements.append((self._loop.ms, settlement))
        if settlement.state is MessageState.DUE:
            record.due = settlement.due_at
        else:
            self._end(record, settlement.state)
        if settlement.dead_letter is not None:
            self.letters[settlement.dead_letter.id] = Letter(record)
        for message in settlement.follow_ups:
            record.reports.append(self._stored(process, message, record))

    def _end(self, record: Record, state: MessageState) -> None:
        record.state, record.ended = state, self._loop.ms

    def _check_settlement(self, record: Record, attempt: Attempt, settlement: Settlement) -> None:
        outcome = attempt.outcome
        spent = attempt.retried >= record.message.options.retries
        final = (
            spent or isinstance(outcome, Blocked) or (outcome.response is not None and forbids_retry(outcome.response))
        )
        if isinstance(outcome, Delivered):
            allowed = {MessageState.DELIVERED}
        else:
            allowed = {MessageState.FAILED if final else MessageState.DUE}
            if record.cancel_requested is not None:
                allowed = {MessageState.CANCELED}
        if settlement.state not in allowed:
            self.violate("settled wrongly", record.name, f"r{attempt.retried}, {outcome}, ended as {settlement.state}")
        if settlement.state is MessageState.DUE:
            self._check_backoff(record, attempt, settlement.due_at)
        publish = record.publish
        urls = [message.url for message in settlement.follow_ups]
        wanted = [CALLBACK] if publish is not None and publish.callback else []
        if publish is not None and publish.failure_callback and settlement.state is MessageState.FAILED:
            wanted.append(FAILURE_CALLBACK)
        if urls != wanted:
            self.violate("callbacks", record.name, f"r{attempt.retried} is reported to {urls} instead of {wanted}")

    def _check_backoff(self, record: Record, attempt: Attempt, due: Instant) -> None:
        ended = attempt.ended_at
        kind, value = attempt.hint
        at = {"wait": ended + value, "at": value}.get(kind, -1)
        if not ended <= at <= ended + DAY_MS:
            publish = record.publish or record.source.publish
            at = ended + publish.backoff.delay_ms(attempt.retried)
        if due != at:
            self.violate("backoff", record.name, f"r{attempt.retried} waits {due - ended} ms instead of {at - ended}")

    # What destinations see

    def begins(self, process: Process, clock: WallClock, request: OutgoingRequest) -> Attempt:
        """A request of this process goes out."""
        headers = dict(request.headers)
        message_id, retried = headers["Upstash-Message-Id"], int(headers["Upstash-Retried"])
        attempt = Attempt(message_id, retried, process, self._loop.ms, request)
        record = self.records.get(message_id)
        self._trace.say(process.name, f"attempts {self._trace.name(message_id)} r{retried} at {request.url}")
        if record is None:
            self.violate("invented", self._trace.name(message_id), "is attempted, and is not stored")
            return attempt
        self._check_lease(record, attempt)
        if retried > record.message.options.retries:
            self.violate("too many retries", record.name, f"r{retried} of {record.message.options.retries}")
        if clock.latest < record.due:
            self.violate("too early", record.name, f"r{retried} begins {record.due - clock.latest} ms before it is due")
        if attempt.is_legitimate:
            self._check_gates(record, attempt)
            self._check_late(record, clock)
            self._check_profile(record, attempt)
        record.attempts.append(attempt)
        return attempt

    def _check_lease(self, record: Record, attempt: Attempt) -> None:
        """Who attempts has the lease, and nobody else goes on with what it has: unless one was stopped in between."""
        process, stored = attempt.process, self.stored_now(record.message.id)
        attempt.is_legitimate = (
            stored is not None
            and stored.state is MessageState.LEASED
            and stored.retried == attempt.retried
            and (stored.lease or "").partition(".")[0] == process.name
        )
        if not attempt.is_legitimate:
            # Between a look at its lease and the request there is nothing but a pause.
            if process.resumed_at != self._loop.ms and not self._plan.clocks_jump:
                what = "nothing" if stored is None else f"it as {stored.state} r{stored.retried} of {stored.lease}"
                self.violate("without lease", record.name, f"r{attempt.retried} begins while the store has {what}")
            return
        if record.cancel_requested is not None and record.leases[process.name] > record.cancel_requested:
            self.violate("canceled", record.name, f"r{attempt.retried} begins, leased after it was cancelled")
        for former in record.attempts:
            was_well = not former.is_cut and not former.process.was_disturbed_since(former.begun)
            if former.retried == attempt.retried and was_well:
                self.violate(
                    "repeated", record.name, f"r{attempt.retried} begins again, and {former.process.name} was well"
                )

    def _check_gates(self, record: Record, attempt: Attempt) -> None:
        if record.message.queue is not None and record.source is None and record.first_begun is None:
            self.queues[record.message.queue].begins(record, self._loop.ms)
        flow_control = record.message.options.flow_control
        if flow_control is not None and flow_control.key in self.keys:
            eligible = [record.committed, *(at for at, _ in record.settlements)]
            eligible += [former.begun for former in record.attempts if former.retried == attempt.retried]
            # It may have been let through, and have waited for a node that is full or in trouble.
            is_well = not self._is_bounded and not self._troubles
            waited_ms = LATE_MS + 3 * self._plan.scale.lease_ms
            admitted = record.leases[attempt.process.name] - waited_ms if is_well else 0
            if admitted < self._trouble_ended:
                admitted = 0
            self.keys[flow_control.key].begins(record, attempt, eligible[-1], admitted=admitted)

    def _check_late(self, record: Record, clock: WallClock) -> None:
        """What passes no gate waits for nothing but its time, while all is well and there is room."""
        late_ms = clock.now() - record.due
        if late_ms < LATE_MS or self._troubles or self._is_bounded or meets_gate(record.message):
            return
        if self._trouble_ended < self._loop.ms - late_ms - 3 * self._plan.scale.lease_ms:
            self.violate("late", record.name, f"begins {late_ms} ms after it was due")

    @property
    def _is_bounded(self) -> bool:
        """Whether what is due may have to wait for room, or for a time that comes again."""
        return self._plan.max_in_flight < CROWD or self._plan.clocks_jump

    def _check_profile(self, record: Record, attempt: Attempt) -> None:
        profile = self.profiles.get(host_of(attempt.request.url))
        if profile is None:
            if HEADER in dict(attempt.request.headers):
                self.violate("profile", record.name, f"takes a profile's header to {attempt.request.url}")
        elif not self._plan.clocks_jump:
            profile.begins(record.name, attempt, record.leases[attempt.process.name])

    def letter_lost(self, letter: Letter) -> None:
        """A producer was told that it is not there."""
        if not self.retention.letter_may_be_gone(letter, self._loop.ms):
            self.violate("dead letter lost", letter.record.name, "is not in the dead-letter queue")

    def ended(self, attempt: Attempt) -> None:
        """Its sender is told how it ended."""
        name = self._trace.name(attempt.message_id)
        response = attempt.outcome.response
        what = type(attempt.outcome).__name__ if response is None else response.status
        self._trace.say(attempt.process.name, f"sees {name} r{attempt.retried} end: {what}")

    # What observers are told

    def told(self, process: Process, events: Sequence[Event]) -> None:
        """A process says what has happened: it must be stored."""
        for event in events:
            record = self.records.get(event.message_id)
            name = self._trace.name(event.message_id)
            if record is None:
                self.violate("told unstored", name, f"{event.kind} is told of a message that is not stored")
                continue
            record.told[event.kind] += 1
            wanted = TOLD_ENDS.get(event.kind)
            if wanted is not None and record.state is not wanted:
                self.violate("told unstored", name, f"{event.kind} is told, and the store has {record.state}")
            retries = sum(settlement.state is MessageState.DUE for _, settlement in record.settlements)
            if event.kind is EventKind.RETRY and record.told[event.kind] > retries:
                self.violate("told unstored", name, "a RETRY is told that is not stored")

    def noted(self, process: Process, name: str, facts: dict[str, object]) -> None:
        """A process notes something about itself."""
        said = " ".join(f"{fact}={value}" for fact, value in facts.items())
        self._trace.say(process.name, f"notes {name} {said}")
        if name in FAULTS_OF_OURS:
            self.violate("fault", process.name, f"{name} {said}")


def meets_gate(message: Message) -> bool:
    """Whether it may have to wait for its queue or its key."""
    return message.queue is not None or message.options.flow_control is not None


def _origin(record: Record) -> str:
    if record.source is not None:
        return f"callback of {record.source.name}"
    return "?" if record.publish is None else record.publish.token
