"""The command line: `infomail NOUN VERB`. Exit codes: 0 done, 1 refused, 2 wrong usage."""

import sys

import typer

from mailer.cli import (
    deliveries,
    feeds,
    folder,
    issues,
    lists,
    municipalities,
    receipts,
    roles,
    schedule,
    subscribers,
)
from mailer.cli.surroundings import Refused

app = typer.Typer(
    name="infomail",
    help="Composes, sends and tracks the info mails of a network of municipalities.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (
    folder.demo, folder.init, folder.check, folder.config,
    roles.serve, roles.web, roles.worker, roles.clock, roles.intake,
    deliveries.deliveries,
):  # fmt: skip
    app.command()(_command)
for _name, _noun in (
    ("feeds", feeds.app),
    ("issues", issues.app),
    ("subscribers", subscribers.app),
    ("lists", lists.app),
    ("municipalities", municipalities.app),
    ("schedule", schedule.app),
    ("receipts", receipts.app),
    ("db", folder.db),
):
    app.add_typer(_noun, name=_name)


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
