"""`infomail receipts`: what came back."""

import sys
from pathlib import Path

import typer
from sqlalchemy import select

from mailer.cli import Refused
from mailer.cli.surroundings import JSON, now, open_database, open_house, print_json
from mailer.cli.tables import print_table
from mailer.receipts.arrivals import LARGEST
from mailer.receipts.intake import take
from mailer.receipts.model import Receipt, ReceiptState
from mailer.receipts.opening import BYTES
from mailer.receipts.report import Report, read_report

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Bounces, complaints and the like.")


@app.command("list")
def list_(
    unread: bool = typer.Option(False, "--unread", help="Only what nobody could read or assign."),
    as_json: bool = JSON,
) -> None:
    """What came back and what was made of it, the latest first; without addresses."""
    # never the mail itself, which may be large
    query = select(Receipt.id, Receipt.received_at, Receipt.kind, Receipt.state, Receipt.outcome)
    if unread:
        query = query.where(Receipt.state == ReceiptState.UNREAD)
    with open_database() as database, database.read() as session:
        rows = [row._asdict() for row in session.execute(query.order_by(Receipt.id.desc()))]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "id", "received_at", "kind", "state", "outcome")


@app.command()
def read(
    files: list[Path] = typer.Argument(help="Mails as they came in."),
    as_json: bool = JSON,
) -> None:
    """Say what each mail is about, without changing anything. With --json a line a mail."""
    for path in files:
        try:
            with path.open("rb") as mail:
                report = read_report(mail.read(BYTES))
        except OSError as error:
            raise Refused(f"{path}: {error.strerror}") from None
        if as_json:
            print_json(_report(path, report))
        else:
            who = [
                {"file": path, "kind": report.kind, "address": each.address, "status": each.status}
                for each in report.recipients
            ]
            print_table(
                who or [{"file": path, "kind": report.kind, "address": "", "status": ""}],
                "file",
                "kind",
                "address",
                "status",
            )


@app.command("take")
def take_(
    source: str = typer.Argument("-", help="Only - : a mail on stdin."),
    recipient: str = typer.Option(
        "", envvar=["ORIGINAL_RECIPIENT", "RECIPIENT"], help="The address it was sent to (Postfix sets it)."
    ),
    sender: str = typer.Option("", envvar="SENDER", help="The envelope sender."),
) -> None:
    """Store a mail given on stdin, for a mail server's pipe."""
    if source != "-":
        raise typer.BadParameter("only - (stdin) is read")
    with open_house() as house:
        if not house.letterhead.return_path.accepts(recipient):
            raise Refused(f"{recipient or 'no recipient'}: no such address here")
        raw = sys.stdin.buffer.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise Refused(f"larger than {LARGEST} bytes")
        with house.database.write() as session:
            take(session, raw, recipient=recipient, sender=sender, now=now())


def _report(path: Path, report: Report) -> dict[str, object]:
    return {
        "file": str(path),
        "kind": str(report.kind),
        "recipients": [
            {
                "address": each.address,
                "kind": str(each.kind),
                "status": each.status,
                "action": each.action,
                "reason": str(each.reason or ""),
            }
            for each in report.recipients
        ],
    }
