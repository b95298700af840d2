"""`outrider config`: what the settings are, and where each comes from."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from outrider.cli.flags import takes_settings
from outrider.cli.table import print_table
from outrider.database_url import HIDDEN
from outrider.setting import Setting
from outrider.settings import SETTINGS, Loaded, Settings, value_of
from outrider.settings_page import settings_table

app = typer.Typer(no_args_is_help=True, help="Look at the settings.")


@app.command("show")
@takes_settings
def show(
    loaded: Loaded,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON: {name: {value, origin}}")] = False,
) -> None:
    """Print every setting, its value and where that came from."""
    if as_json:
        document = {
            one.name: {"value": _as_in_the_file(one, loaded.settings), "origin": loaded.origins[one.name]}
            for one in SETTINGS
        }
        typer.echo(msgspec.json.format(msgspec.json.encode(document, enc_hook=str)).decode())
        return
    print_table(
        ("setting", "value", "from"),
        [(one.name, one.show(value_of(one, loaded.settings)), loaded.origins[one.name]) for one in SETTINGS],
    )


def _as_in_the_file(setting: Setting, settings: Settings) -> object:
    """The value as the settings file would hold it; null for none."""
    value = value_of(setting, settings)
    if setting.kind.is_secret and value is not None:
        return HIDDEN
    return setting.show(value) if setting.kind.is_text and value is not None else value


@app.command("table")
def table() -> None:
    """Print the reference of all settings as Markdown."""
    typer.echo(settings_table(), nl=False)
