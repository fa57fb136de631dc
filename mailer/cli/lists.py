"""`infomail lists`."""

import re

import typer
from sqlalchemy import func, select

from mailer.cli import Refused
from mailer.cli.surroundings import JSON, now, open_database, print_json, read_settings
from mailer.cli.tables import print_table
from mailer.installation import load_plan
from subscribers.addresses import BadAddress, normalise
from subscribers.model import MailingList, Municipality, Subscription, SubscriptionState, Visibility

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Mailing lists.")


@app.command()
def add(
    key: str = typer.Argument(
        help="Lower-case letters, digits and dashes; stands in List-Id and never changes."
    ),
    title: str = typer.Option(..., help="What readers see."),
    municipality: str = typer.Option(None, metavar="AGS", help="The municipality whose list it is."),
    follows: str = typer.Option("", metavar="NEWSLETTER", help="Also gets the issues of this newsletter."),
    invitation: bool = typer.Option(False, "--invitation", help="Nobody can sign up by the public page."),
    reply_to: str = typer.Option("", help="Where answers go."),
) -> None:
    """Make a list."""
    if not re.fullmatch(r"[a-z0-9](-?[a-z0-9])*", key):
        raise Refused(f"expected a key of lower-case letters, digits and dashes, got {key!r}")
    # the title stands in the head of each mail: no line breaks, no controls
    if not title.strip() or not title.isprintable():
        raise Refused("expected a title of one line")
    if reply_to:
        try:
            reply_to = normalise(reply_to)
        except BadAddress as problem:
            raise Refused(f"--reply-to: {problem}") from None
    with open_database() as database, database.write() as session:
        newsletters = load_plan(read_settings()).newsletters if follows else {}
        if follows and follows not in newsletters:
            raise Refused(f"there is no newsletter {follows!r} in the schedule: {', '.join(newsletters)}")
        if session.get(MailingList, key) is not None:
            raise Refused(f"there is a list {key!r} already")
        if municipality and session.get(Municipality, municipality) is None:
            raise Refused(f"{municipality!r} is not in the register: see `infomail municipalities list`")
        session.add(
            MailingList(
                key=key,
                title=title.strip(),
                municipality=municipality,
                follows=follows,
                reply_to=reply_to,
                visibility=Visibility.INVITATION if invitation else Visibility.PUBLIC,
                created_at=now(),
            )
        )


@app.command("list")
def list_(as_json: bool = JSON) -> None:
    """The lists and how many people are active on each."""
    with open_database() as database, database.read() as session:
        active = dict(
            session.execute(
                select(Subscription.list_key, func.count())
                .where(Subscription.state == SubscriptionState.ACTIVE)
                .group_by(Subscription.list_key)
            ).all()
        )
        rows = [
            {
                "key": row.key,
                "title": row.title,
                "municipality": row.municipality or "",
                "visibility": row.visibility.value,
                "follows": row.follows,
                "active": active.get(row.key, 0),
            }
            for row in session.scalars(select(MailingList).order_by(MailingList.key))
        ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "key", "title", "municipality", "visibility", "follows", "active")
