"""The mails about what a municipality sent in: asking for confirmation, and what became of it."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.feeds.contributions import CONFIRM_WITHIN, is_one_too_many
from mailer.feeds.model import Contribution, ContributionState
from mailer.issues.model import Issue
from mailer.notices.letter import Desk, Dropped, letter
from mailer.notices.model import Notice
from mailer.render.model import Edition
from mailer.render.typography import typeset
from subscribers.addresses import address_hash
from subscribers.base import new_handle
from subscribers.model import FormOfAddress, MailingList, Municipality, Request, SuppressionReason
from subscribers.salutation import salutation
from subscribers.subscribing import suppressed_for
from subscribers.tokens import Purpose, sign


def confirmation(session: Session, desk: Desk, request: Request, now: datetime) -> Notice:
    """Asks whoever is said to have sent something in, unless her address is barred or had too many today."""
    contribution = _contribution(session, request)
    if contribution.state is not ContributionState.UNCONFIRMED:
        raise Dropped("confirmed")
    if is_one_too_many(session, contribution):
        raise Dropped("too-many")
    handle = new_handle()
    token = sign(desk.signing, Purpose.CONTRIBUTE, handle, contribution.handle)
    return _letter(
        session,
        desk,
        request,
        contribution,
        handle,
        now,
        {
            "confirm_url": desk.letterhead.links.contribute(token),
            "valid_days": CONFIRM_WITHIN.days,
            "pass_on": contribution.pass_on,
        },
    )


def used(session: Session, desk: Desk, request: Request, now: datetime) -> Notice:
    """Tells the sender in which issue her contribution stood."""
    contribution = _contribution(session, request)
    issue = session.scalars(select(Issue).where(Issue.handle == int(request.details["issue"], 16))).one()
    context = {
        "issue": {"title": issue.title, "number": issue.number, "year": issue.year},
        "archive_url": _page(session, desk, issue, contribution),
    }
    return _letter(session, desk, request, contribution, new_handle(), now, context)


def refused(session: Session, desk: Desk, request: Request, now: datetime) -> Notice:
    """Tells the sender why her contribution will not be used."""
    contribution = _contribution(session, request)
    return _letter(
        session, desk, request, contribution, new_handle(), now, {"word": typeset(contribution.word)}
    )


def _contribution(session: Session, request: Request) -> Contribution:
    handle = int(request.details["contribution"], 16)
    contribution = session.scalar(select(Contribution).where(Contribution.handle == handle))
    if contribution is None or not contribution.address:
        raise Dropped("gone")
    return contribution


def _letter(
    session: Session,
    desk: Desk,
    request: Request,
    contribution: Contribution,
    handle: int,
    now: datetime,
    context: Mapping[str, object],
) -> Notice:
    hashed = address_hash(desk.suppression_key, contribution.address)
    if suppressed_for(session, hashed) - {SuppressionReason.ERASED}:
        raise Dropped("suppressed")
    network = select(MailingList).where(MailingList.municipality.is_(None)).order_by(MailingList.key)
    mailing_list = session.scalar(network.limit(1))
    if mailing_list is None:
        raise Dropped("no-list")
    language = contribution.language
    municipality = session.get_one(Municipality, contribution.municipality)
    shown = {
        "kind": contribution.kind.value,
        "title": typeset(contribution.title),
        "municipality": municipality.name,
        "sent_at": contribution.created_at,
    }
    # a stranger may have filled in the form: she is called by no name of hers
    greeting = salutation(language, FormOfAddress.NEUTRAL, "", "", "")
    return letter(
        desk,
        request,
        contribution.address,
        mailing_list,
        handle,
        now,
        language,
        {"contribution": shown, "salutation": greeting, **context},
    )


def _page(session: Session, desk: Desk, issue: Issue, contribution: Contribution) -> str:
    """Where the issue can be read, in the sender's language if it is there."""
    edition = session.scalar(
        select(Edition)
        .where(Edition.issue_id == issue.id)
        .order_by((Edition.language == contribution.language).desc(), Edition.id)
        .limit(1)
    )
    if edition is None or not contribution.pass_on:
        return ""  # what is internal stands on no page
    token = sign(desk.signing, Purpose.ARCHIVE, issue.handle, int(edition.digest[:16], 16))
    return desk.letterhead.links.archive(token)
