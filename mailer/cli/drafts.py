"""`infomail issues draft`: an issue as a mail that a coordinator sends as her own."""

from pathlib import Path

import typer
from jinja2 import TemplateError

from mailer.archive.draft import as_eml, draft
from mailer.archive.published import of_issue, open_to_all, passed_on_in, public_words
from mailer.cli import Refused
from mailer.cli.releasing import ISSUE, found
from mailer.cli.surroundings import open_house
from mailer.issues.model import entries_of, pictures_of
from mailer.render.editions import chooser_of
from mailer.render.finish import BadPage
from mailer.render.pictures import on_the_web
from mailer.render.selfcontained import NotSelfContained
from mailer.render.stationery import stationery_of
from subscribers.model import MailingList, Municipality


def draft_(
    issue_id: int = ISSUE,
    ags: str = typer.Option(
        None, "--municipality", metavar="AGS", help="With what concerns this municipality, too."
    ),
    file: Path = typer.Option(None, "--to", metavar="FILE", help="Where to; issue-ID.eml without."),
) -> None:
    """Write an issue as a draft that mail programs open for sending (.eml), and print where.

    It has no sender, no personal link, nothing internal and nothing for certain roles only.
    """
    with open_house() as house:
        stationery = stationery_of(house.letterhead)
        with house.database.read() as session:
            issue = found(session, issue_id)
            if ags and session.get(Municipality, ags) is None:
                raise Refused(f"there is no municipality {ags!r} in the register")
            everything = entries_of(session, issue)
            published = of_issue(session, issue_id)
            chooser = chooser_of(session, issue, stationery)
            pictures = pictures_of(session, issue)
            language = session.get_one(MailingList, issue.list_key).language
    entries = passed_on_in(everything, ags) if ags else open_to_all(everything)
    if not entries:
        raise Refused(f"issue {issue_id} has no entry that may be passed on")
    words = public_words(issue, everything, entries)
    try:
        mail = draft(
            issue,
            chooser,
            stationery,
            pictures,
            entries,
            language=language,
            words=words,
            page=f"{house.letterhead.links.base}{published.path}" if published else "",
        )
    except (TemplateError, BadPage, NotSelfContained) as problem:
        raise Refused(f"issue {issue_id}: its template: {problem}") from None
    path = file or Path(f"issue-{issue_id}.eml")
    sheet = house.letterhead
    images = on_the_web(sheet.links, sheet.logo, pictures, sheet.message_id_domain)
    path.write_bytes(as_eml(mail, images))
    typer.echo(path)
