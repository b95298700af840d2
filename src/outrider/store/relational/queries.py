"""Named queries, as each store's `queries/*.sql` hold them.

A query is written as `-- name: find_due`, a line that describes it, and one statement.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path


def load_queries(folder: Path) -> Mapping[str, str]:
    """The statements of a folder by their names. Raises ValueError for a name given twice or a query not described."""
    queries: dict[str, str] = {}
    for file in sorted(folder.glob("*.sql")):
        for section in re.split(r"^-- name: ", file.read_text(), flags=re.MULTILINE)[1:]:
            name, described, statement = section.split("\n", 2)
            if name in queries or not described.startswith("-- "):
                raise ValueError(f"{file.name}: query '{name}' has no description, or its name is taken")
            queries[name] = statement.strip()
    return queries
