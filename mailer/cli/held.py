"""`infomail held`: deliveries that wait until somebody decides about them."""

from typing import Any

import typer

from mailer.cli import Refused
from mailer.cli.releasing import ISSUE, found
from mailer.cli.surroundings import AS, JSON, actor, now, open_database, print_json
from mailer.cli.tables import print_table
from mailer.issues.model import Issue
from mailer.outbox.held import accept, held_by_issue, held_of, resend

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Deliveries that wait until somebody decides."
)

_ONLY = typer.Option(None, "--delivery", metavar="N", help="Only this one; can be given more than once.")


@app.command("list")
def list_(issue_id: int = typer.Argument(None, metavar="[ID]"), as_json: bool = JSON) -> None:
    """What is held: how many of each issue, or the deliveries of one."""
    with open_database() as database, database.read() as session:
        if issue_id is None:
            rows: list[dict[str, Any]] = [
                {"issue": issue, "subject": session.get_one(Issue, issue).subject, "held": n}
                for issue, n in sorted(held_by_issue(session).items())
            ]
        else:
            rows = [
                {
                    "delivery": row.id,
                    "address": row.address,
                    "reason": row.reason,
                    "attempts": row.attempts,
                    "relay": row.relay,
                    "last_reply": row.last_reply,
                }
                for row in held_of(session, found(session, issue_id))
            ]
    if as_json:
        print_json(rows)
    elif issue_id is None:
        print_table(rows, "issue", "subject", "held")
    else:
        print_table(rows, "delivery", "address", "reason", "attempts", "last_reply")


@app.command("resend")
def resend_(issue_id: int = ISSUE, only: list[int] = _ONLY, who: str = AS) -> None:
    """Send what is held of an issue once more, with the same Message-ID; print how many."""
    with open_database() as database, database.write() as session:
        n = resend(session, found(session, issue_id), only or None, actor=actor(who), now=now())
    _tell(issue_id, n)


@app.command("accept")
def accept_(issue_id: int = ISSUE, only: list[int] = _ONLY, who: str = AS) -> None:
    """Leave it at that: what may have gone out counts as sent, what could not be made as failed."""
    with open_database() as database, database.write() as session:
        n = accept(session, found(session, issue_id), only or None, actor=actor(who), now=now())
    _tell(issue_id, n)


def _tell(issue_id: int, n: int) -> None:
    if not n:
        raise Refused(f"none of these deliveries of issue {issue_id} is held: see `infomail held list`")
    typer.echo(n)
