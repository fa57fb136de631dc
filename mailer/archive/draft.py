"""An issue as a mail that somebody else may send: nobody's name, no token, no link to leave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from typing import cast

from mailer.archive.published import Words
from mailer.feeds.model import Picture
from mailer.issues.model import Issue
from mailer.render.choose import Chooser, Numbered
from mailer.render.message import Image
from mailer.render.model import Stationery
from mailer.render.press import Press
from subscribers.audience import AudienceKey


@dataclass(frozen=True, slots=True)
class Draft:
    """Pictures are named by their addresses on the web."""

    subject: str
    html: str
    text: str


def draft(
    issue: Issue,
    chooser: Chooser,
    stationery: Stationery,
    pictures: Sequence[Picture],
    entries: Sequence[Numbered],
    *,
    language: str,
    words: Words,
    page: str,
) -> Draft:
    """The issue with these entries, rendered on `stationery`, with these words around them.

    `pictures` are those of the issue. `issue` is loaded and of no session any more. `page` is the address
    of its public page, "" if it has none. Raises what Press.edition raises.
    """
    key = AudienceKey(issue.list_key, language, "", "")
    issue.subject, issue.editorial, issue.easy_language = words.subject, words.editorial, words.easy_language
    printed = Press(issue, stationery, pictures).for_others(entries, chooser.setting(key), page)
    return Draft(" ".join(words.subject.split()), printed.html, printed.text)


def as_eml(mail: Draft, images: Mapping[str, Image]) -> bytes:
    """The draft as a file that Outlook and others open for writing (X-Unsent) and send as their own.

    Pictures travel within it: `images` by their addresses. No From, To, Date or Message-ID: these are of
    who sends it.
    """
    html = mail.html
    shown = {url: image for url, image in images.items() if url in html}
    for url, image in shown.items():
        html = html.replace(url, image.url)
    message = EmailMessage(policy=SMTP)
    message["Subject"] = mail.subject
    message["X-Unsent"] = "1"
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    # always the same, so that the same file has the same bytes; "=_" stands in no quoted-printable
    message.set_boundary("=_infomail_=")
    if shown:
        page = cast(EmailMessage, message.get_payload(1))
        for image in shown.values():
            kind, subtype = image.media_type.split("/")
            page.add_related(image.data, kind, subtype, cid=f"<{image.name}>", disposition="inline")
        page.set_boundary("=_infomail_images_=")
    return message.as_bytes()
