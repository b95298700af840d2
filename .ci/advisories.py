"""Whether the advisories that `make audit` goes by can be read from here.

    python .ci/advisories.py [URL]

pip-audit tells an index without advisories from one that has none of a package by nothing: where a network has a
mirror of pypi.org alone, it says that the first dependency is not on PyPI. So a version that is known to be
vulnerable is asked for first.
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request

VULNERABLE = "https://pypi.org/pypi/jinja2/2.4.1/json"
"""What pypi.org tells of this version names several advisories."""

PATIENCE_S = 20


def why_not(url: str) -> str | None:
    """Why there are no advisories at the URL; None if there are."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as refusal:
        return f"it answers {refusal.code}"
    except OSError as failure:
        return f"it cannot be reached: {getattr(failure, 'reason', failure)}"
    except ValueError:
        return "it answers something that is not JSON"
    if not isinstance(told, dict) or not told.get("vulnerabilities"):
        return "it names no vulnerability of a version that has some"
    return None


def main() -> None:
    url = sys.argv[1] if len(sys.argv) > 1 else VULNERABLE
    if (why := why_not(url)) is not None:
        sys.exit(
            f"nothing was audited: there are no advisories at {url}, since {why}; "
            "run `make audit` on a network that reaches pypi.org itself, not a mirror of its files"
        )


if __name__ == "__main__":
    main()
