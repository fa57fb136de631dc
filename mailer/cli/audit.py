"""`infomail audit`: who did what, when."""

import json

import typer
from sqlalchemy import select

from mailer.cli.proof import ANCHOR, report_on
from mailer.cli.surroundings import JSON, open_database, print_json
from mailer.cli.tables import print_table
from subscribers.chain import Chain, Payload, Record

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Who did what, when.")


@app.command("list")
def list_(
    who: str = typer.Option("", "--actor", help="Only what this actor did: clock, cli:NAME, ..."),
    action: str = typer.Option("", help="Only actions that begin so: issue., subscriber.erased, ..."),
    count: int = typer.Option(50, min=1, help="How many, from the latest."),
    as_json: bool = JSON,
) -> None:
    """The latest acts, the last one first."""
    query = (
        select(Record, Payload.content)
        .join(Payload, (Payload.chain == Record.chain) & (Payload.seq == Record.seq))
        .where(Record.chain == Chain.AUDIT, Record.action.startswith(action, autoescape=True))
        .order_by(Record.seq.desc())
        .limit(count)
    )
    if who:
        query = query.where(Record.actor == who)
    with open_database() as database, database.read() as session:
        rows = [
            {
                "seq": record.seq,
                "at": record.at,
                "actor": record.actor,
                "action": record.action,
                "subject": f"{record.subject:016x}" if record.subject is not None else "",
                "details": json.loads(content) if content else None,
            }
            for record, content in session.execute(query)
        ]
    if as_json:
        print_json(rows)
    else:
        print_table([row | {"details": _line(row["details"])} for row in rows], *_COLUMNS)


@app.command("verify")
def verify_(anchor: str = ANCHOR, as_json: bool = JSON) -> None:
    """Look through the chain: whether anything was changed, taken out or put in."""
    report_on(Chain.AUDIT, anchor, as_json)


_COLUMNS = ("seq", "at", "actor", "action", "subject", "details")


def _line(details: object) -> str:
    return json.dumps(details, ensure_ascii=False) if details else ""
