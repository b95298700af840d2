"""A copy of everything, from a database file to a PostgreSQL server.

It may be interrupted at any point, and goes on where it was when it is run again: a batch of rows and the
note of how far the copy is are one transaction. Until it is finished nobody can serve from the target.
Afterwards every table is read again there, and must have as many rows, with the same checksum.
"""

from outrider.administration.copying.copy import Copied, Copy, copy

__all__ = ["Copied", "Copy", "copy"]
