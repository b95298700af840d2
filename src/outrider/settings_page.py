"""The reference of all settings, `docs/settings.md`, derived from their declarations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from outrider.domain.limits import Limits, Plan, limits_of
from outrider.setting import Setting
from outrider.settings import SETTINGS

_HEAD = """\
# Settings

Each layer wins over the one before it:

1. the default
2. for limits, the preset of the plan
3. the settings file: `outrider.toml` in the current folder, or the one that `--config` or `OUTRIDER_CONFIG` names
4. the environment
5. flags, for everything but limits and secrets: `max_pending` is `--max-pending`; a flag for a list may be
   repeated. A database with a password in its URL is no flag either

`outrider config show` prints every value and where it came from. An unknown name or a bad value stops the
start with a sentence that says which and where. An empty environment variable counts as not set.

A duration combines `d h m s`, as in `1h30m`; a bare number is seconds. A size is a number of bytes, or has a
unit: `KB MB GB` are powers of 1000, `KiB MiB GiB` of 1024. A list is separated by commas; in the settings file
it may be an array. `none` stands for no value.
"""

_LIMITS_HEAD = """
## Limits

In the settings file they stand in the table `[limits]`. The setting `plan` chooses the preset; `payg` and
`pro` are names of `hosted`.
"""

_EXAMPLE = """
## Example

```toml
# outrider.toml
host = "0.0.0.0"
public_url = "https://queue.example.com"
data = "/var/lib/outrider"
database = "postgresql://outrider@db.internal/outrider" # its password: PGPASSWORD, ~/.pgpass, or in this URL
allow_networks = ["10.20.0.0/16"]

[limits]
body = "4MiB"
log_retention = "14d"
```
"""

_PLANS: tuple[Plan, ...] = ("default", "free", "hosted")


def settings_table() -> str:
    """The whole page as Markdown."""
    settings = [
        (
            f"`{one.name}`",
            _code(one.show(one.default)),
            _code(one.kind.unit),
            f"`{one.variable}`",
            _sentence(one.help),
        )
        for one in SETTINGS
        if one.owner is not Limits
    ]
    limits = [
        (
            f"`{one.name.removeprefix('limits.')}`",
            *(_code(_shown_limit(one, plan)) for plan in _PLANS),
            _code(one.kind.unit),
            f"`{one.variable}`",
            _sentence(one.help),
        )
        for one in SETTINGS
        if one.owner is Limits
    ]
    return "".join(
        (
            _HEAD,
            "\n",
            _table(("name", "default", "unit", "environment", "meaning"), settings),
            _LIMITS_HEAD,
            "\n",
            _table(("name", *_PLANS, "unit", "environment", "meaning"), limits),
            _EXAMPLE,
        )
    )


def _shown_limit(setting: Setting, plan: Plan) -> str:
    return setting.show(getattr(limits_of(plan), setting.field))


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _sentence(text: str) -> str:
    return text.replace("|", "\\|")


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
