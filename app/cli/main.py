"""Puts the commands together and turns every failure into one clear line."""

import sys
from dataclasses import dataclass
from typing import Annotated

import typer

import app
from app.cli import demo, erase, importing, keys, migrate, openapi, rates, run, serve, stop, verify, worker

# A command is a function with a docstring, in a file of its name; here it gets its place in the help.
COMMANDS = (
    run.run,
    serve.serve,
    worker.worker,
    migrate.migrate,
    demo.demo,
    importing.import_,
    verify.verify,
    openapi.openapi,
    erase.erase,
    stop.stop,
)

# Commands with commands of their own: (name, typer.Typer).
GROUPS: tuple[tuple[str, typer.Typer], ...] = (("keys", keys.group), ("rates", rates.group))


@dataclass
class _Options:
    debug: bool = False


def make_cli() -> typer.Typer:
    """Build the command line."""
    cli = typer.Typer(
        name="partwise",
        help="Which client relationships to mend, which to part with, why, and what would change that.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    cli.callback()(_every_command)
    for command in COMMANDS:
        cli.command(command.__name__.rstrip("_"))(command)
    for name, group in GROUPS:
        cli.add_typer(group, name=name)
    return cli


def main(arguments: list[str] | None = None) -> None:
    """Run one command; 0 is success, 1 a failure, 2 a command that does not exist or is misspelt."""
    options = _Options()
    try:
        make_cli()(arguments, prog_name="python -m app", obj=options)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if options.debug:
            raise
        typer.echo(f"error: {_one_line(error)}", err=True)
        sys.exit(1)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(app.__version__)
        raise typer.Exit


def _every_command(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and end.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    del version
    context.obj.debug = debug


def _one_line(error: Exception) -> str:
    """Our own errors speak for themselves; of others, the type is part of the message."""
    message = " ".join(str(error).split())
    if type(error).__module__.partition(".")[0] == "app":
        return message
    return f"{type(error).__name__}: {message} (--debug before the command shows where)"
