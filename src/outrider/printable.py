"""Text from outside, made safe for a terminal and for a line of a log."""

from __future__ import annotations


def printable(text: str, *, keep: str = "") -> str:
    r"""The text with everything that is not printable escaped: `\x1b`, `\u202e`, `\n`.

    Args:
        text: anything.
        keep: characters to leave as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in keep else _escaped(character) for character in text
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
