"""Several observers as one."""

from outrider.domain.event import Event, EventKind
from outrider.observe import Observers

CREATED = Event(tenant="ten_1", message_id="msg_1", kind=EventKind.CREATED, time=0)


class Recording:
    def __init__(self):
        self.seen = []

    def events(self, events):
        self.seen.extend(events)

    def note(self, name, **facts):
        self.seen.append((name, facts))


class Broken:
    def events(self, events):
        raise OSError("the log is gone")

    def note(self, name, **facts):
        raise OSError("the log is gone")


def test_everyone_is_told():
    first, second = Recording(), Recording()
    observers = Observers(first, second)
    observers.events([CREATED])
    observers.note("node_started", node="n")
    assert first.seen == second.seen == [CREATED, ("node_started", {"node": "n"})]


def test_one_that_fails_stops_nobody_and_is_reported_once():
    before, after = Recording(), Recording()
    observers = Observers(before, Broken(), after)
    observers.events([CREATED])
    observers.events([CREATED])
    observers.note("node_started")
    report = ("observer_failed", {"observer": "Broken", "error": "OSError('the log is gone')"})
    assert before.seen == [CREATED, report, CREATED, ("node_started", {})]
    assert after.seen == [report, CREATED, CREATED, ("node_started", {})]


def test_if_all_fail_nothing_is_raised():
    observers = Observers(Broken(), Broken())
    observers.events([CREATED])
    observers.note("node_started")
