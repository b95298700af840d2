"""Starts are written once they linger, and none is mistaken for another."""

import pytest
from tests.engine.world import Witness

from outrider.domain.errors import StoreUnavailable
from outrider.domain.message import Message
from outrider.domain.options import DeliveryOptions
from outrider.engine.journal import LINGER_MS, Journal

MESSAGE = Message(
    id="msg_1",
    tenant="ten_1",
    url="https://a.example/",
    options=DeliveryOptions(),
    created_at=0,
    not_before=0,
    due_at=0,
)


class FailingLog:
    """A log that fails, and in which the message starts anew meanwhile."""

    def __init__(self) -> None:
        self.journal: Journal | None = None

    async def record(self, _):
        self.journal.started(MESSAGE, 900)
        raise StoreUnavailable("disk full")


async def test_entry_that_could_not_be_written_does_not_replace_a_newer_start():
    log = FailingLog()
    log.journal = journal = Journal(log, None, Witness())
    journal.started(MESSAGE, 100)
    await journal.write(started_before=100 + LINGER_MS)
    (entry,) = journal.take(MESSAGE.id)
    assert entry.time == 900


async def test_start_that_could_not_be_written_is_kept():
    log = FailingLog()
    log.journal = Journal(None, None, Witness())
    journal = Journal(log, None, Witness())
    journal.started(MESSAGE, 100)
    await journal.write(started_before=100)
    (entry,) = journal.take(MESSAGE.id)
    assert entry.time == 100


@pytest.mark.parametrize("started_before", [99, 0])
async def test_start_that_does_not_linger_yet_is_left_to_its_settlement(started_before):
    log = FailingLog()
    log.journal = journal = Journal(log, None, Witness())
    journal.started(MESSAGE, 100)
    await journal.write(started_before=started_before)
    (entry,) = journal.take(MESSAGE.id)
    assert entry.time == 100
