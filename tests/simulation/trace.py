"""What happened in a run, line by line."""

from __future__ import annotations

import hashlib

from tests.simulation.loop import VirtualLoop


class Violation(Exception):
    """A promise was broken.

    Attributes:
        rule: which.
        subject: the message, queue, key or schedule, as the trace names it.
    """

    def __init__(self, rule: str, subject: str, what: str) -> None:
        super().__init__(f"{rule}: {subject}: {what}")
        self.rule = rule
        self.subject = subject


class Trace:
    """Lines with their time; messages go by short names, in the order in which they were stored."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._names: dict[str, str] = {}
        self.lines: list[str] = []

    def say(self, who: str, what: str) -> None:
        self.lines.append(f"{self._loop.ms / 1000:12.3f}  {who:<9} {what}")

    def name(self, message_id: str) -> str:
        """The short name of a message."""
        name = self._names.get(message_id)
        if name is None:
            name = self._names[message_id] = f"m{len(self._names) + 1}"
        return name

    def hash(self) -> str:
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()[:16]

    def about(self, subject: str, *, last: int = 40) -> list[str]:
        """The lines that name the subject, and the last ones."""
        first = len(self.lines) - last
        return [
            line
            for number, line in enumerate(self.lines)
            if number >= first or subject in line.replace(",", " ").replace(":", " ").split()
        ]
