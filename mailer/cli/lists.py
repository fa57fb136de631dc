"""`infomail lists`."""

import typer
from sqlalchemy import func, select

from mailer.cli import Refused
from mailer.cli.surroundings import AS, JSON, actor, now, open_database, print_json, read_settings
from mailer.cli.tables import print_table
from mailer.installation import load_plan
from subscribers.lists import BadList, Described, add_list, edit_list
from subscribers.model import (
    Following,
    InDoubt,
    MailingList,
    Subscription,
    SubscriptionState,
    Visibility,
    WithoutForeword,
)

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Mailing lists.")


_KEY = typer.Argument(help="Lower-case letters, digits and dashes; stands in List-Id and never changes.")
_FOLLOWS = typer.Option(None, metavar="NEWSLETTER", help="Also gets the issues of this newsletter.")
_REPLY_TO = typer.Option(None, metavar="ADDRESS", help="Where answers go.")
_LANGUAGE = typer.Option(None, metavar="de", help="Language of its mails to who chose none: de or en.")
_CONTROLLER = typer.Option(None, help="Who answers for the data, if not the operator (Art. 4 GDPR).")
_IMPRINT = typer.Option(None, help="An imprint of its own.")
_PRIVACY_URL = typer.Option(None, metavar="URL", help="A privacy notice of its own.")
_SENDER_NAME = typer.Option(None, metavar="NAME", help="The name its mails come from.")
_FOLLOWING = typer.Option(
    None, "--following", help="How: as-is, or with a foreword that a coordinator writes (municipal lists)."
)
_COORDINATOR = typer.Option(None, metavar="ADDRESS", help="Who is told that a foreword can be written.")
_FOREWORD_HOURS = typer.Option(None, metavar="N", help="How long there is for it after the release: 48.")
_WITHOUT = typer.Option(None, "--without-foreword", help="What becomes of it without: send or skip.")
_IN_DOUBT = typer.Option(
    None, "--in-doubt", help="Mails of which nobody knows whether they went: resend, or hold for staff."
)
_PRIVACY_VERSION = typer.Option(None, metavar="TEXT", help="Version of that notice, such as its date.")


@app.command()
def add(
    key: str = _KEY,
    title: str = typer.Option(..., help="What readers see."),
    municipality: str = typer.Option(None, metavar="AGS", help="The municipality whose list it is."),
    follows: str = _FOLLOWS,
    invitation: bool = typer.Option(False, "--invitation", help="Nobody can sign up by the public page."),
    reply_to: str = _REPLY_TO,
    language: str = _LANGUAGE,
    controller: str = _CONTROLLER,
    imprint: str = _IMPRINT,
    privacy_url: str = _PRIVACY_URL,
    privacy_version: str = _PRIVACY_VERSION,
    sender_name: str = _SENDER_NAME,
    following: Following = _FOLLOWING,
    coordinator: str = _COORDINATOR,
    foreword_hours: int = _FOREWORD_HOURS,
    without_foreword: WithoutForeword = _WITHOUT,
    in_doubt: InDoubt = _IN_DOUBT,
    who: str = AS,
) -> None:
    """Make a list."""
    described = Described(
        title=title,
        visibility=Visibility.INVITATION if invitation else None,
        language=language,
        reply_to=reply_to,
        controller=controller,
        imprint=imprint,
        privacy_url=privacy_url,
        privacy_version=privacy_version,
        follows=follows,
        sender_name=sender_name,
        following=following,
        coordinator=coordinator,
        foreword_hours=foreword_hours,
        without_foreword=without_foreword,
        in_doubt=in_doubt,
    )
    with open_database() as database, database.write() as session:
        _check_follows(follows)
        try:
            add_list(session, key, municipality, described, actor=actor(who), now=now())
        except BadList as problem:
            raise Refused(str(problem)) from None


@app.command()
def edit(
    key: str = typer.Argument(),
    title: str = typer.Option(None, help="What readers see."),
    public: bool = typer.Option(None, "--public/--invitation", help="Whether anybody may sign up."),
    follows: str = _FOLLOWS,
    reply_to: str = _REPLY_TO,
    language: str = _LANGUAGE,
    controller: str = _CONTROLLER,
    imprint: str = _IMPRINT,
    privacy_url: str = _PRIVACY_URL,
    privacy_version: str = _PRIVACY_VERSION,
    sender_name: str = _SENDER_NAME,
    following: Following = _FOLLOWING,
    coordinator: str = _COORDINATOR,
    foreword_hours: int = _FOREWORD_HOURS,
    without_foreword: WithoutForeword = _WITHOUT,
    in_doubt: InDoubt = _IN_DOUBT,
    who: str = AS,
) -> None:
    """Describe a list anew and print what changed; "" takes something back. The key never changes."""
    described = Described(
        title=title,
        visibility=None if public is None else Visibility.PUBLIC if public else Visibility.INVITATION,
        language=language,
        reply_to=reply_to,
        controller=controller,
        imprint=imprint,
        privacy_url=privacy_url,
        privacy_version=privacy_version,
        follows=follows,
        sender_name=sender_name,
        following=following,
        coordinator=coordinator,
        foreword_hours=foreword_hours,
        without_foreword=without_foreword,
        in_doubt=in_doubt,
    )
    with open_database() as database, database.write() as session:
        _check_follows(follows)
        try:
            changed = edit_list(session, key, described, actor=actor(who), now=now())
        except BadList as problem:
            raise Refused(str(problem)) from None
    typer.echo(f"changed: {', '.join(changed)}" if changed else "as before")


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
                "language": row.language,
                "reply_to": row.reply_to,
                "controller": row.controller,
                "imprint": row.imprint,
                "privacy_url": row.privacy_url,
                "privacy_version": row.privacy_version,
                "follows": row.follows,
                "sender_name": row.sender_name,
                "following": row.following.value,
                "coordinator": row.coordinator,
                "foreword_hours": row.foreword_hours,
                "without_foreword": row.without_foreword.value,
                "in_doubt": row.in_doubt.value,
                "active": active.get(row.key, 0),
            }
            for row in session.scalars(select(MailingList).order_by(MailingList.key))
        ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "key", "title", "municipality", "visibility", "follows", "active")


def _check_follows(newsletter: str | None) -> None:
    newsletters = load_plan(read_settings()).newsletters if newsletter else {}
    if newsletter and newsletter not in newsletters:
        raise Refused(f"there is no newsletter {newsletter!r} in the schedule: {', '.join(newsletters)}")
