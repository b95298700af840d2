"""Values that are put in at one place, to see where they come out."""

from __future__ import annotations

import base64


def traces_of(canary: str, content: bytes) -> list[bytes]:
    """Every form in which the canary stands in what was written or answered: as it is, in hex, in base64."""
    forms = [canary.encode(), canary.encode().hex().encode()]
    forms += [base64.b64encode(b" " * shift + canary.encode())[shift + 1 : -4] for shift in range(3)]
    return [form for form in forms if form in content]
