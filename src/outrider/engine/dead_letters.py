"""The dead-letter queue: what was given up can be read, deleted, or tried anew.

A retried dead letter becomes a new message, with a new id and all its retries, in the
transaction that removes it.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from outrider.domain.errors import NotFound
from outrider.domain.message import DeadLetter
from outrider.domain.options import OptionPatch
from outrider.domain.query import DeadLetterQuery, Page
from outrider.engine.publisher import Publication, Publisher, publications_of
from outrider.ports import Clock, DeadLetterStore


class DeadLetters:
    """A tenant's dead letters."""

    def __init__(self, store: DeadLetterStore, clock: Clock, publisher: Publisher) -> None:
        self._store = store
        self._clock = clock
        self._publisher = publisher

    async def list(self, tenant: str, query: DeadLetterQuery) -> Page[DeadLetter]:
        return await self._store.list_dead_letters(tenant, query)

    async def get(self, tenant: str, dead_letter_id: str) -> DeadLetter:
        """Raises NotFound."""
        letter = await self._store.get_dead_letter(tenant, dead_letter_id)
        if letter is None:
            raise _unknown(dead_letter_id)
        return letter

    async def delete(self, tenant: str, dead_letter_id: str) -> None:
        """Raises NotFound."""
        if not await self._store.delete_dead_letters(tenant, [dead_letter_id]):
            raise _unknown(dead_letter_id)

    async def delete_many(self, tenant: str, query: DeadLetterQuery) -> Page[str]:
        """Delete one page of the query's answer; the ids deleted, and a cursor while more remain."""
        page = await self._store.list_dead_letters(tenant, query)
        ids = tuple(letter.id for letter in page.items)
        await self._store.delete_dead_letters(tenant, ids)
        return Page(ids, page.cursor)

    async def retry(
        self,
        tenant: str,
        dead_letter_id: str,
        overrides: OptionPatch,
        *,
        body: bytes | None = None,
        replaces_headers: bool = False,
    ) -> Publication:
        """Publish it anew, its options overlaid by `overrides`. Raises NotFound.

        Args:
            tenant: whose it is.
            dead_letter_id: which.
            overrides: what is said anew of its options.
            body: what is sent in place of its own, if not None.
            replaces_headers: whether it is sent with none of its own headers but those of `overrides`.
        """
        letter = await self.get(tenant, dead_letter_id)
        message = letter.message
        if body is not None:
            message = structs.replace(message, body=body)
        if replaces_headers:
            message = structs.replace(message, options=structs.replace(message.options, headers=()))
        letter = structs.replace(letter, message=message)
        (publication,) = await self._revive(tenant, [letter], overrides)
        return publication

    async def retry_many(self, tenant: str, query: DeadLetterQuery, overrides: OptionPatch) -> Page[Publication]:
        """Publish one page of the query's answer anew, all or none; a cursor while more remain.

        Raises NotFound for an id that was asked for by name and is not there.
        """
        while True:
            await self._demand(tenant, query.ids)
            page = await self._store.list_dead_letters(tenant, query)
            try:
                return Page(await self._revive(tenant, page.items, overrides), page.cursor)
            except NotFound:
                # Somebody else took one of them between the look and the transaction: look again.
                continue

    async def _demand(self, tenant: str, ids: Sequence[str]) -> None:
        """Raise NotFound for the first of the ids that is not there."""
        if not ids:
            return
        page = await self._store.list_dead_letters(tenant, DeadLetterQuery(ids=tuple(ids), count=len(ids)))
        there = {letter.id for letter in page.items}
        for dead_letter_id in ids:
            if dead_letter_id not in there:
                raise _unknown(dead_letter_id)

    async def _revive(
        self, tenant: str, letters: Sequence[DeadLetter], overrides: OptionPatch
    ) -> tuple[Publication, ...]:
        ids = [letter.id for letter in letters]
        drafts = [self._publisher.once_more(letter.message, overrides) for letter in letters]
        receipts = await self._publisher.commit(
            drafts,
            lambda messages: self._store.retry_dead_letters(
                tenant, list(zip(ids, messages, strict=True)), self._clock.now()
            ),
        )
        return publications_of(drafts, receipts)


def _unknown(dead_letter_id: str) -> NotFound:
    return NotFound(
        f"dead letter '{dead_letter_id}' does not exist",
        code="dead_letter_not_found",
        hint="it was retried, deleted, or is past its retention; GET /v2/dlq lists what is there",
    )
