"""The settings as flags of a command."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from outrider.domain.limits import Limits
from outrider.setting import Kind, Setting
from outrider.settings import CONFIG_FILE, CONFIG_VARIABLE, SETTINGS, Loaded, load_settings

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="PATH",
        help=f"Settings file [default: {CONFIG_VARIABLE}, else {CONFIG_FILE} if there is one]",
        show_default=False,
    ),
]
Data = Annotated[str | None, typer.Option("--data", metavar="PATH", help="Folder of the database file")]
Database = Annotated[
    str | None,
    typer.Option("--database", metavar="URL", help="Database; one with a password goes into OUTRIDER_DATABASE"),
]

_FLAGGED = tuple(setting for setting in SETTINGS if setting.owner is not Limits and not setting.kind.is_secret)
"""Limits are set in the file or the environment: as flags they would drown the others. So are secrets."""


def takes_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command, whose first parameter is the `Loaded` settings, a flag for each of them.

    Its other parameters stay its own.
    """
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

    def run(*, config: Path | None = None, **given: Any) -> None:
        flags = {one.name: given.pop(one.field) for one in _FLAGGED}
        command(load(flags, config), **given)

    parameters = [
        *(_parameter(setting.field, _annotation(setting)) for setting in _FLAGGED),
        _parameter("config", Config),
        *(own_.replace(kind=inspect.Parameter.KEYWORD_ONLY) for own_ in own),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__name__ = command.__name__
    run.__doc__ = command.__doc__
    return run


def load(flags: Mapping[str, object], config: Path | None) -> Loaded:
    """The settings of this process: its environment, its folder."""
    return load_settings(flags, os.environ, config)


def _parameter(name: str, annotation: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _annotation(setting: Setting) -> object:
    help_ = f"{setting.help[0].upper()}{setting.help[1:]} [default: {setting.show(setting.default)}]"
    if isinstance(setting.default, bool):
        flag = f"{setting.flag}/--no-{setting.flag.removeprefix('--')}"
        return Annotated[bool | None, typer.Option(flag, help=help_, show_default=False)]
    type_ = list[str] if setting.kind.is_list else str
    option = typer.Option(setting.flag, help=help_, metavar=_metavar(setting.kind), show_default=False)
    return Annotated[type_ | None, option]


def _metavar(kind: Kind) -> str:
    return kind.unit if "|" in kind.unit else kind.unit.upper().replace(" ", "-")
