"""What was wrong in an issue that is out: said above its page in the archive, and by mail if need be."""

import hashlib
from datetime import datetime

from markupsafe import escape
from sqlalchemy.orm import Session

from mailer.issues.model import Issue, IssueState
from mailer.issues.record import put_on_record
from mailer.issues.workflow import IllegalMove
from subscribers.model import MailingList

#: the subject of a mail that corrects another, in the language of its list
_SUBJECT = {"de": "Korrektur: {}", "en": "Correction: {}"}

_OUT = (IssueState.SENDING, IssueState.PAUSED, IssueState.SENT)


def correct(session: Session, issue: Issue, text: str, *, actor: str, now: datetime) -> None:
    """Put a correction (plain text, an empty line between paragraphs) on the page of an issue.

    Another one takes its place. Raises IllegalMove where nothing went out: such an issue is edited.
    """
    # one that was cancelled under way went out to some
    if issue.state not in _OUT and not (issue.state is IssueState.CANCELLED and issue.frozen_at):
        raise IllegalMove(f"cannot correct an issue that is {issue.state}")
    if not paragraphs(text):
        raise IllegalMove("cannot correct an issue without a text")
    issue.correction, issue.corrected_at = "\n\n".join(paragraphs(text)), now
    digest = hashlib.sha256(issue.correction.encode()).hexdigest()
    put_on_record(session, issue, "correct", actor=actor, now=now, content=digest)


def correction_of(session: Session, wrong: Issue, *, actor: str, now: datetime) -> Issue:
    """A draft that tells the correction of an issue to those who got it; it is released as any other.

    It is a special issue (Sonderausgabe) under the number of the one it corrects.
    """
    mailing_list = session.get_one(MailingList, wrong.list_key)
    issue = Issue(
        newsletter=wrong.newsletter,
        slot=now,
        send_at=now,
        special=True,
        list_key=wrong.list_key,
        for_list=wrong.for_list,
        corrects=wrong.id,
        number=wrong.number,
        year=wrong.year,
        title=wrong.title,
        zone=wrong.zone,
        template=wrong.template,
        subject=_SUBJECT.get(mailing_list.language, _SUBJECT["de"]).format(wrong.subject),
        editorial="".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs(wrong.correction)),
        created_at=now,
    )
    session.add(issue)
    session.flush()
    put_on_record(session, issue, "compose", actor=actor, now=now, corrects=f"{wrong.handle:016x}")
    return issue


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a plain text, each on one line."""
    lines = [" ".join(line.split()) for line in text.strip().splitlines()]
    return [part.replace("\n", " ").strip() for part in "\n".join(lines).split("\n\n") if part.strip()]
