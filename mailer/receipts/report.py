"""What a mail that came back is about: bounce, delay, complaint, automatic answer, wish to leave. Pure.

Readings are tried from the most to the least certain; the first that finds something answers.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from flufl.bounce import all_failures

from mailer.receipts import reasons, wording
from mailer.receipts.notice import (
    addresses_in,
    is_about_delivery,
    is_delay,
    is_from_daemon,
    is_trusted,
    named_in,
    returned_to,
    said_about,
    without_returned,
)
from mailer.receipts.opening import Fields, Opened, envelope_id, fields_in, open_mail, references
from mailer.receipts.reasons import Reason
from mailer.receipts.verdict import Failure, Kind, code_in, failure, flat

__all__ = ["Kind", "Reason", "Report", "Returned", "read_report"]


@dataclass(frozen=True, slots=True)
class Returned:
    """What is said about one recipient. `status` is an RFC 3463 code or "", `action` as RFC 3464 2.3.3."""

    address: str
    kind: Kind
    status: str
    action: str
    #: why it failed; None where nothing failed
    reason: Reason | None
    #: the server's words, one line
    said: str


@dataclass(frozen=True, slots=True)
class Report:
    """What one mail says. `kind` is that of its gravest recipient."""

    kind: Kind
    recipients: tuple[Returned, ...]
    #: Message-IDs of the mails it answers or returns, without brackets, in order
    references: tuple[str, ...]
    #: ENVID of the mail it is about (RFC 3464 2.2.1), or ""
    envelope_id: str
    #: its own subject, decoded
    subject: str
    #: an automatic answer of somebody who works there no longer
    left: bool = False
    #: whom it names to write to instead
    successors: tuple[str, ...] = ()


_Found = tuple[Kind, tuple[Returned, ...]]
#: our mails go to one person each; who names more than that says nothing to us
_RECIPIENTS = 100


def read_report(raw: bytes) -> Report:
    """Say what these bytes are about. Never raises; what nobody can tell is `other`."""
    mail = without_returned(open_mail(raw))
    found = next((found for reading in _READINGS if (found := reading(mail))), None)
    kind, recipients = found or (Kind.OTHER, ())
    subject = mail.fields.get("subject", "")
    left = kind is Kind.AUTOREPLY and bool(wording.LEFT.search(flat(f"{subject}\n{mail.notice}")))
    return Report(
        kind,
        recipients,
        references(mail),
        envelope_id(mail),
        subject,
        left,
        _successors(mail, recipients) if left else (),
    )


def _complaint(mail: Opened) -> _Found | None:
    """RFC 5965, and what providers make of it."""
    feedback = mail.feedback or tuple(
        field for field in fields_in(mail.notice) if field[0] in _FEEDBACK_FIELDS
    )
    kinds = [value.lower() for name, value in feedback if name == "feedback-type"]
    subject = flat(mail.fields.get("subject", ""))
    if not kinds and not mail.feedback and not wording.COMPLAINT_SUBJECT.match(subject):
        return None
    if kinds and kinds[0] in _NO_COMPLAINTS:
        return Kind.OTHER, ()
    named = [value for name, value in feedback if name in _COMPLAINED_BY]
    addresses = addresses_in(named) or returned_to(mail)
    reason = kinds[0] if kinds else subject
    return Kind.COMPLAINT, tuple(Returned(each, Kind.COMPLAINT, "", "", None, reason) for each in addresses)


_FEEDBACK_FIELDS = {"feedback-type", "original-rcpt-to", "removal-recipient", "original-recipient"}
_COMPLAINED_BY = {"original-rcpt-to", "removal-recipient", "original-recipient"}
#: feedback types that are no person's complaint (RFC 6591, RFC 6430, RFC 5965 3.1)
_NO_COMPLAINTS = {"auth-failure", "dmarc", "not-spam"}


def _delivery_status(mail: Opened) -> _Found | None:
    """RFC 3464: one block a recipient."""
    given = mail.status or _blocks_in(mail.notice)
    blocks = [block for block in given if block.keys() & _RECIPIENT_FIELDS]
    if not blocks and is_from_daemon(mail):
        # a report that a machine passed on whole
        blocks = [block for block in _blocks_in(mail.below) if block.keys() & _RECIPIENT_FIELDS]
    said, delayed = said_about(mail.notice), is_delay(mail)
    if len(blocks) == 1:
        said[_address(blocks[0])] = mail.notice
    found = (_in_block(block, said.get(_address(block), ""), delayed=delayed) for block in blocks)
    return _gravest(tuple(found if mail.status else map(_late_at_most, found)))


_RECIPIENT_FIELDS = {"final-recipient", "original-recipient"}


def _blocks_in(notice: str) -> list[Fields]:
    """Some servers print the blocks into the text, and people forward them."""
    lines = (line.lstrip("> ") if line.startswith(">") else line for line in notice.splitlines())
    return [dict(reversed(fields_in(block))) for block in "\n".join(lines).split("\n\n")]


def _address(block: Fields) -> str:
    # the one that stands first: the original before what became of it (RFC 3464 2.3), or what failed before
    # whom it was meant for. Blocks are turned round, so that the first of several fields wins
    named = [value for name, value in reversed(block.items()) if name in _RECIPIENT_FIELDS]
    return next(iter(addresses_in(named)), "")


def _in_block(block: Fields, said: str, *, delayed: bool) -> Returned:
    action = block.get("action", "").split(" ")[0].strip(";,").lower()
    diagnostic = block.get("diagnostic-code", "")
    status = code_in(block.get("status", "")) or code_in(diagnostic)
    failed = _seen_through(_address(block), failure(status, diagnostic, said))
    kind = _by_action(action, status, delayed=delayed) or failed.kind
    reason = None if kind is Kind.OTHER else failed.reason
    return Returned(_address(block), kind, status, action, reason, diagnostic or said)


def _by_action(action: str, status: str, *, delayed: bool) -> Kind | None:
    """What the action tells by itself (RFC 3464 2.3.3); None for a failure."""
    if action in _ACTIONS:
        return _ACTIONS[action]
    if action != "failed" and status.startswith("2."):
        return Kind.OTHER
    return Kind.DELAYED if action != "failed" and delayed else None


_ACTIONS = {
    "delayed": Kind.DELAYED,
    "delivered": Kind.OTHER,
    "relayed": Kind.OTHER,
    "expanded": Kind.OTHER,
}


def _seen_through(address: str, failed: Failure) -> Failure:
    feigned = failed.kind is Kind.HARD and address.rpartition("@")[2] in reasons.FEIGNS_UNKNOWN
    return Failure(Kind.SOFT, Reason.POLICY) if feigned else failed


def _autoreply(mail: Opened) -> _Found | None:
    """RFC 3834, and what programs set that do not know it."""
    if is_from_daemon(mail):
        return None
    fields = mail.fields
    subject = flat(fields.get("subject", ""))
    if wording.UNSUBSCRIBE.match(subject):
        return None  # the wish comes from a program that a person told
    automatic = (
        fields.get("auto-submitted", "").lower().startswith("auto-replied")
        or bool(fields.keys() & _AUTOREPLY_FIELDS)
        or fields.get("precedence", "").lower() in ("auto_reply", "auto-reply")
        or bool(wording.AUTOREPLY_SUBJECT.search(subject))
        or bool(wording.AUTOREPLY_WORDS.search(flat(mail.notice)))
    )
    return _from_person(mail, Kind.AUTOREPLY) if automatic else None


_AUTOREPLY_FIELDS = {
    "x-autoreply",
    "x-autorespond",
    "x-autoreply-from",
    "x-mail-autoreply",
    "x-autogenerated",
}


def _unsubscribe(mail: Opened) -> _Found | None:
    if is_from_daemon(mail):
        return None
    first_line = next((line for line in mail.notice.splitlines() if line.strip()), "")
    places = [mail.fields.get("subject", ""), first_line if len(first_line) < 80 else ""]
    wished = any(wording.UNSUBSCRIBE.match(wording.ANSWER.sub("", flat(place))) for place in places)
    return _from_person(mail, Kind.UNSUBSCRIBE) if wished else None


def _in_words(mail: Opened) -> _Found | None:
    """Reports of servers that do not write RFC 3464, in English and German."""
    if not is_about_delivery(mail):
        return None
    delayed = is_delay(mail)
    recipients = []
    for address, said in named_in(mail):
        status = code_in(said)
        failed = _seen_through(address, _by_words(mail, said))
        kind, action = (Kind.DELAYED, "delayed") if delayed else (failed.kind, "failed")
        recipients.append(_late_at_most(Returned(address, kind, status, action, failed.reason, said)))
    return _gravest(tuple(recipients))


def _late_at_most(returned: Returned) -> Returned:
    """Where only words say that it failed, what speaks of time alone counts as a delay.

    Nobody is to suffer for a server that was not reached.
    """
    if returned.kind is not Kind.SOFT or returned.reason is not Reason.EXPIRED:
        return returned
    return replace(returned, kind=Kind.DELAYED, action="delayed")


def _long_tail(mail: Opened) -> _Found | None:
    """What flufl.bounce knows besides. It calls delays permanent and raises on some mails."""
    answers = wording.ANSWER.match(flat(mail.fields.get("subject", "")))
    arrived = wording.ARRIVED.search(flat(mail.notice[:200]))
    if arrived or is_delay(mail) or (answers and not is_from_daemon(mail)):
        return None
    # its log of what its detectors stumble over says nothing to an operator
    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)
    try:
        _, permanent = all_failures(mail.message)
    except Exception:
        # whatever a detector stumbles over: it found nothing
        return None
    addresses = addresses_in(each.decode("utf-8", "replace") for each in sorted(permanent))
    status = code_in(mail.notice)
    failed = _by_words(mail, mail.notice)
    return _gravest(
        tuple(Returned(each, failed.kind, status, "failed", failed.reason, mail.notice) for each in addresses)
    )


def _by_words(mail: Opened, said: str) -> Failure:
    failed = failure(code_in(said), said)
    return failed if is_trusted(mail) else replace(failed, kind=Kind.SOFT)


#: in this order; the first that finds something answers
_READINGS: tuple[Callable[[Opened], _Found | None], ...] = (
    _complaint,
    _delivery_status,
    _autoreply,
    _unsubscribe,
    _in_words,
    _long_tail,
)


def _gravest(recipients: tuple[Returned, ...]) -> _Found | None:
    if not recipients:
        return None
    recipients, gravity = recipients[:_RECIPIENTS], list(Kind)
    kind = min((each.kind for each in recipients), key=gravity.index)
    return kind, tuple(replace(each, said=" ".join(each.said.split())[:300]) for each in recipients)


def _from_person(mail: Opened, kind: Kind) -> _Found:
    addresses = addresses_in([mail.fields.get("from", "")])[:1]
    subject = mail.fields.get("subject", "")
    return kind, tuple(Returned(each, kind, "", "", None, subject) for each in addresses)


def _successors(mail: Opened, leaving: tuple[Returned, ...]) -> tuple[str, ...]:
    own = {each.address for each in leaving} | set(addresses_in([mail.fields.get("to", "")]))
    return tuple(each for each in addresses_in([mail.notice]) if each not in own)[:_SUCCESSORS]


_SUCCESSORS = 5
