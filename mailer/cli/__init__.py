"""The command line: `infomail NOUN VERB`. Exit codes: 0 done, 1 refused, 2 wrong usage.

A command's module is imported when it is called: importing all of them takes a second.
"""

import os
import select
import sys
from importlib import import_module
from typing import Any

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
    "worker": ("worker", "worker"),
    "clock": ("roles", "clock"),
    "intake": ("roles", "intake"),
    "feeds": ("feeds", "app"),
    "issues": ("issues", "app"),
    "entries": ("entries", "app"),
    "contributions": ("contributions", "app"),
    "deliveries": ("deliveries", "deliveries"),
    "held": ("held", "app"),
    "relays": ("relays", "app"),
    "receipts": ("receipts", "app"),
    "schedule": ("schedule", "app"),
    "templates": ("templates", "app"),
    "subscribers": ("subscribers", "app"),
    "lists": ("lists", "app"),
    "municipalities": ("municipalities", "app"),
    "offices": ("offices", "app"),
    "tasks": ("tasks", "app"),
    "imports": ("imports", "app"),
    "audit": ("audit", "app"),
    "privacy": ("privacy", "app"),
    "dkim": ("dkim", "app"),
}


class Refused(Exception):
    """The command cannot be done; its lines go to stderr and the exit code is 1."""


class _Unread(Exception):
    """Whoever read our output had enough (`| head`). No OSError, or typer would end with exit code 1."""


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            done = super().invoke(ctx)
            sys.stdout.flush()  # at Python's end it would be too late to mind what goes wrong
        except BrokenPipeError as error:
            if _has_reader():  # it was another pipe
                raise Refused(f"the system: {error.strerror}") from error
            raise _Unread from None
        return done

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
    # keys, addresses and unreleased issues lie in what is written: it is for the owner's eyes only
    os.umask(0o077)
    code: int | str | None = 0
    try:
        app()
    except SystemExit as ended:
        # rich, which prints the help, says 1 when its reader had enough
        code = 0 if isinstance(ended.__context__, BrokenPipeError) else ended.code
    except Refused as error:
        print(f"infomail: {error}", file=sys.stderr)
        code = 1
    except _Unread:
        pass
    except OSError as error:
        print(f"infomail: {error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
        code = 1
    try:
        sys.stdout.flush()
    except OSError:
        # Python would try again at its end, and complain: what is left goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _has_reader() -> bool:
    """Whether somebody may still read our output: a pipe whose other end is closed says POLLERR."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return not poll.poll(0)
