"""What a producer is told of the messages it published."""

from __future__ import annotations

from typing import Any

from outrider.engine.publisher import FanOut, Publication
from outrider.http import answers
from outrider.http.answers import Answer
from outrider.wire.schema import either, list_of, text, thing, truth


def answer(published: Publication | FanOut) -> Answer:
    """The answer to a publish: 202 where everything was published before, else 200."""
    return answers.json(present(published), 202 if _all_duplicates(published) else 200)


def present(published: Publication | FanOut) -> dict[str, Any] | list[dict[str, Any]]:
    """An object for a URL, an array for a group."""
    if isinstance(published, FanOut):
        return [present_publication(one) for one in published.publications]
    return present_publication(published)


def present_publication(publication: Publication) -> dict[str, Any]:
    said = {"messageId": publication.message_id, "url": publication.url}
    return {**said, "deduplicated": True} if publication.deduplicated else said


def _all_duplicates(published: Publication | FanOut) -> bool:
    if isinstance(published, FanOut):
        return bool(published.publications) and all(one.deduplicated for one in published.publications)
    return published.deduplicated


PUBLICATION = thing(
    "Publication",
    {"messageId": text(), "url": text("Where it goes.")},
    {"deduplicated": truth("The message was published before, under this id.")},
)
PUBLISHED = either(PUBLICATION, list_of(PUBLICATION, "One for each endpoint of a URL group."))
