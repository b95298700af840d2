"""`outrider`: the command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from outrider.cli import audit, config, console, copy, db, demo, doctor, groups, receive, tenants, tokens
from outrider.cli.flags import takes_settings
from outrider.domain.errors import Misconfigured, OutriderError
from outrider.settings import Loaded, Mode

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help: in a terminal of 80 columns, boxes leave half of it to the text.
    rich_markup_mode=None,
    help="A self-hosted message queue and scheduler whose interface is HTTP.",
    epilog="Every flag is a setting too, in outrider.toml or as OUTRIDER_<NAME>: see `outrider config show`.",
)


@app.command("dev")
@takes_settings
def dev(loaded: Loaded) -> None:
    """Run the development server.

    It listens on loopback only, has public tokens and a database of its own, and delivers to
    http:// and to loopback addresses. It prints the environment variables that clients need.
    """
    _run_server(loaded, "dev")


@app.command("serve")
@takes_settings
def serve(loaded: Loaded) -> None:
    """Run the server."""
    _run_server(loaded, "serve")


app.command("receive")(receive.receive)
app.command("demo")(demo.demo)
app.add_typer(tenants.app, name="tenant")
app.add_typer(tokens.app, name="token")
app.add_typer(console.app, name="console")
app.command("audit")(audit.audit)
app.add_typer(config.app, name="config")
app.add_typer(db.app, name="db")
app.command("copy")(copy.copy)
app.add_typer(groups.app, name="groups")
app.command("doctor")(doctor.doctor)


@app.command("version")
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as version_of  # noqa: PLC0415 - slow to import, needed here alone

    typer.echo(version_of("outrider"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0, 2 for what was written wrongly (flags, settings), 1 for any other error."""
    try:
        app(args=arguments, prog_name="outrider")
    except OutriderError as failure:
        typer.echo(f"error: {failure.sentence}", err=True)
        if failure.hint:
            typer.echo(f"hint: {failure.hint}", err=True)
        sys.exit(2 if isinstance(failure, Misconfigured) else 1)


def _run_server(loaded: Loaded, mode: Mode) -> None:
    from outrider import server  # noqa: PLC0415 - the HTTP stack takes half a second to import

    raise typer.Exit(server.run(loaded, mode))


if __name__ == "__main__":
    main()
