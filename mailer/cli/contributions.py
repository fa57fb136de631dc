"""`infomail contributions`: what municipalities sent in."""

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.cli import Refused
from mailer.cli.surroundings import AS, JSON, actor, now, open_database, print_json
from mailer.cli.tables import print_table
from mailer.feeds.model import Contribution, ContributionState
from mailer.issues.contributed import CannotRefuse, refuse
from subscribers.model import Municipality

app = typer.Typer(no_args_is_help=True, add_completion=False, help="What municipalities sent in.")

_ID = typer.Argument(metavar="ID", help="As `infomail contributions list` numbers them.")


@app.command("list")
def list_(state: ContributionState = typer.Option(None, help="Only these."), as_json: bool = JSON) -> None:
    """Contributions, the latest first."""
    query = select(Contribution, Municipality.name).join(Municipality).order_by(Contribution.id.desc())
    with open_database() as database, database.read() as session:
        rows = session.execute(query if state is None else query.where(Contribution.state == state)).all()
    listed = [
        {
            "id": each.id,
            "state": each.state,
            "kind": each.kind,
            "municipality": name,
            "title": each.title,
            "pass_on": each.pass_on,
            "item": each.item_id,
            "created_at": each.created_at,
        }
        for each, name in rows
    ]
    if as_json:
        print_json(listed)
    else:
        print_table(listed, "id", "state", "kind", "municipality", "title", "created_at")


@app.command()
def show(contribution_id: int = _ID, as_json: bool = JSON) -> None:
    """One contribution with all that was said."""
    with open_database() as database, database.read() as session:
        found = _found(session, contribution_id)
    said = {
        name: getattr(found, name)
        for name in (
            "id", "state", "kind", "municipality", "title", "text", "url", "starts", "ends", "all_day",
            "deadline", "location", "contact", "pass_on", "picture_id", "address", "item_id", "word",
            "created_at", "confirmed_at", "decided_at",
        )
    }  # fmt: skip
    if as_json:
        print_json(said)
    else:
        print_table([{"name": name, "value": value} for name, value in said.items()], "name", "value")


@app.command("refuse")
def refuse_(
    contribution_id: int = _ID,
    word: str = typer.Option(..., help="Why, for the sender."),
    who: str = AS,
) -> None:
    """Keep a contribution out of every issue, and tell its sender why."""
    if not word.strip():
        raise Refused("--word: say why, for the sender")
    with open_database() as database, database.write() as session:
        try:
            refuse(session, _found(session, contribution_id), word=word, actor=actor(who), now=now())
        except CannotRefuse as problem:
            raise Refused(f"contribution {contribution_id}: {problem}") from None


def _found(session: Session, contribution_id: int) -> Contribution:
    found = session.get(Contribution, contribution_id)
    if found is None:
        raise Refused(f"there is no contribution {contribution_id}: see `infomail contributions list`")
    return found
