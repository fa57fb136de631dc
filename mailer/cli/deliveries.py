"""`infomail deliveries`: what became of an issue's mails."""

import csv
import sys
from collections.abc import Iterator

import typer
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.cli import Refused
from mailer.cli.surroundings import open_house, print_json
from mailer.cli.tables import print_table
from mailer.installation import Installation
from mailer.issues.model import Issue
from mailer.outbox import figures
from mailer.outbox.model import Delivery, DeliveryState
from subscribers.model import Subscription
from subscribers.tokens import Purpose, sign

_COLUMNS = ("address", "state", "reason", "returned", "attempts", "message_id", "last_reply")


def deliveries(
    issue_id: int = typer.Argument(metavar="ISSUE", help="Id of the issue."),
    as_json: bool = typer.Option(False, "--json", help="Print only JSON."),
    as_csv: bool = typer.Option(False, "--csv", help="A row for each recipient."),
) -> None:
    """Counts per state, what came back, and who left through this issue."""
    with open_house() as house, house.database.read() as session:
        issue = session.get(Issue, issue_id)
        if issue is None:
            raise Refused(f"there is no issue {issue_id}: see `infomail issues list`")
        if as_csv:
            writer = csv.writer(sys.stdout)
            writer.writerow(_COLUMNS)
            writer.writerows(_rows(session, house, issue))
            return
        counts = _counts(session, issue)
    if as_json:
        print_json(counts)
    else:
        print_table([{"what": name, "n": n} for name, n in counts.items()], "what", "n")


def _counts(session: Session, issue: Issue) -> dict[str, int | str]:
    sums = figures.by_state(session, issue.id)
    states = {state.value: sums.get(state, 0) for state in DeliveryState}
    left = session.scalar(
        select(func.count()).select_from(Subscription).where(Subscription.ended_through == issue.handle)
    )
    return {
        "issue": issue.id,
        "recipients": sum(states.values()),
        **states,
        "delayed": sums.get("returned:delayed", 0),
        "bounced": sums.get("returned:bounced", 0),
        "complained": sums.get("returned:complained", 0),
        "unsubscribed": left or 0,
    }


def _rows(session: Session, house: Installation, issue: Issue) -> Iterator[tuple[object, ...]]:
    query = select(Delivery).where(Delivery.issue_id == issue.id).order_by(Delivery.id)
    for row in session.scalars(query.execution_options(yield_per=1000)):
        message_id = _message_id(house, issue, row)
        reply = _without_formula(row.last_reply)
        yield row.address, row.state.value, row.reason, row.returned.value, row.attempts, message_id, reply


def _message_id(house: Installation, issue: Issue, row: Delivery) -> str:
    """Made anew from the key that signed it; empty once that key is gone."""
    if issue.key_id not in house.signing.by_id:
        return ""
    token = sign(house.signing, Purpose.MESSAGE_ID, issue.handle, row.subscriber_handle, key_id=issue.key_id)
    return f"<{token}@{house.letterhead.message_id_domain}>"


def _without_formula(text: str) -> str:
    """Other servers wrote this, and a spreadsheet will open it."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
