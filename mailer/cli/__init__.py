"""The command line: `infomail NOUN VERB`. Exit codes: 0 done, 1 refused, 2 wrong usage.

A command's module is imported when it is called: importing all of them takes a second.
"""

import sys
from importlib import import_module

import typer
from typer.core import TyperGroup
from typer.main import get_command

#: command -> module below mailer.cli, and what in it: a typer.Typer of verbs, or the command itself
_COMMANDS = {
    "demo": ("folder", "demo"),
    "init": ("folder", "init"),
    "check": ("folder", "check"),
    "config": ("folder", "config"),
    "db": ("folder", "db"),
    "serve": ("roles", "serve"),
    "web": ("roles", "web"),
    "worker": ("roles", "worker"),
    "clock": ("roles", "clock"),
    "intake": ("roles", "intake"),
    "feeds": ("feeds", "app"),
    "issues": ("issues", "app"),
    "deliveries": ("deliveries", "deliveries"),
    "receipts": ("receipts", "app"),
    "schedule": ("schedule", "app"),
    "subscribers": ("subscribers", "app"),
    "lists": ("lists", "app"),
    "municipalities": ("municipalities", "app"),
    "privacy": ("privacy", "app"),
}


class Refused(Exception):
    """The command cannot be done; its lines go to stderr and the exit code is 1."""


class _Commands(TyperGroup):
    def list_commands(self, ctx: object) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: object, cmd_name: str) -> object:  # type: ignore[override]  # typer's own click
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        found = getattr(import_module(f"mailer.cli.{module}"), name)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command(cmd_name)(found)
            found = alone
        command = get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="infomail",
    cls=_Commands,
    help="Composes, sends and tracks the info mails of a network of municipalities.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root() -> None:
    """Makes typer treat `app` as a group although it names its commands itself."""


def main() -> None:
    """Run a command; what is refused is a line (or one for each mistake) on stderr, and exit code 1."""
    try:
        app()
    except Refused as error:
        print(f"infomail: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        # the reader of our output had enough
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        print(f"infomail: {error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
        sys.exit(1)
