"""An issue as a mail that somebody else may send: nobody's name, no token, no link to leave."""

from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP

from mailer.issues.model import Issue
from mailer.render.choose import Chooser, Numbered
from mailer.render.model import Stationery
from mailer.render.press import Press
from subscribers.audience import AudienceKey


@dataclass(frozen=True, slots=True)
class Draft:
    subject: str
    html: str
    text: str


def draft(
    issue: Issue,
    chooser: Chooser,
    stationery: Stationery,
    entries: Sequence[Numbered],
    *,
    language: str,
    subject: str,
    editorial: str,
    page: str,
) -> Draft:
    """The issue with these entries, rendered on `stationery`, with this subject and these words above.

    `issue` is loaded and of no session any more. `page` is the address of its public page, "" if it has
    none. Raises what Press.edition raises.
    """
    key = AudienceKey(issue.list_key, language, "", "")
    issue.subject, issue.editorial = subject, editorial
    printed = Press(issue, stationery).for_others(entries, chooser.setting(key), page)
    return Draft(" ".join(subject.split()), printed.html, printed.text)


def as_eml(mail: Draft) -> bytes:
    """The draft as a file that Outlook and others open for writing (X-Unsent) and send as their own.

    No From, To, Date or Message-ID: these are of who sends it.
    """
    message = EmailMessage(policy=SMTP)
    message["Subject"] = mail.subject
    message["X-Unsent"] = "1"
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    # always the same, so that the same file has the same bytes; "=_" stands in no quoted-printable
    message.set_boundary("=_infomail_=")
    return message.as_bytes()
