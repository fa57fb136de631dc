"""The command line: `infomail NOUN VERB`. Exit codes: 0 done, 1 refused, 2 wrong usage."""

import sys

import typer

from mailer.cli.surroundings import Refused

app = typer.Typer(
    name="infomail",
    help="Composes, sends and tracks the info mails of a network of municipalities.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run a command; what is refused is one line on stderr and exit code 1."""
    try:
        app()
    except Refused as error:
        print(f"infomail: {error}", file=sys.stderr)
        sys.exit(1)
