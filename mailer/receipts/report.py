"""What a mail that came back is about: bounce, delay, complaint, automatic answer, wish to leave. Pure.

Readings are tried from the most to the least certain; the first that finds something answers.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from flufl.bounce import all_failures

from mailer.receipts import wording
from mailer.receipts.opening import Fields, Opened, fields_in, open_mail
from mailer.receipts.verdict import Kind, code_in, failure, flat

__all__ = ["Kind", "Report", "Returned", "read_report"]


@dataclass(frozen=True, slots=True)
class Returned:
    """What is said about one recipient. `status` is an RFC 3463 code or "", `action` as RFC 3464 2.3.3."""

    address: str
    kind: Kind
    status: str
    action: str
    #: the server's words, one line
    reason: str


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


_Found = tuple[Kind, tuple[Returned, ...]]


def read_report(raw: bytes) -> Report:
    """Say what these bytes are about. Never raises; what nobody can tell is `other`."""
    mail = _without_returned(open_mail(raw))
    found = next((found for reading in _READINGS if (found := reading(mail))), None)
    kind, recipients = found or (Kind.OTHER, ())
    return Report(kind, recipients, _references(mail), _envelope_id(mail), mail.fields.get("subject", ""))


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
    addresses = _addresses(named) or _returned_to(mail)
    reason = kinds[0] if kinds else subject
    return Kind.COMPLAINT, tuple(Returned(each, Kind.COMPLAINT, "", "", reason) for each in addresses)


_FEEDBACK_FIELDS = {"feedback-type", "original-rcpt-to", "removal-recipient", "original-recipient"}
_COMPLAINED_BY = {"original-rcpt-to", "removal-recipient", "original-recipient"}
#: feedback types that are no person's complaint (RFC 6591, RFC 6430, RFC 5965 3.1)
_NO_COMPLAINTS = {"auth-failure", "dmarc", "not-spam"}


def _delivery_status(mail: Opened) -> _Found | None:
    """RFC 3464: one block a recipient."""
    blocks = [block for block in mail.status or _blocks_in(mail.notice) if block.keys() & _RECIPIENT_FIELDS]
    recipients = tuple(_in_block(block, mail, alone=len(blocks) == 1) for block in blocks)
    return _gravest(recipients)


_RECIPIENT_FIELDS = {"final-recipient", "original-recipient"}


def _blocks_in(notice: str) -> list[Fields]:
    """Some servers print the blocks into the text, and people forward them."""
    lines = (line.lstrip("> ") if line.startswith(">") else line for line in notice.splitlines())
    return [dict(reversed(fields_in(block))) for block in "\n".join(lines).split("\n\n")]


def _in_block(block: Fields, mail: Opened, *, alone: bool) -> Returned:
    named = [block[name] for name in ("final-recipient", "original-recipient") if name in block]
    address = next(iter(_addresses(named)), "")
    action = block.get("action", "").split(" ")[0].strip(";,").lower()
    diagnostic = block.get("diagnostic-code", "")
    status = code_in(block.get("status", "")) or code_in(diagnostic)
    said = mail.notice if alone else _said_about(address, mail.notice)
    kind = _by_action(action, status, diagnostic, said, delayed=_is_delay(mail))
    return Returned(address, kind, status, action, diagnostic or said)


def _by_action(action: str, status: str, diagnostic: str, said: str, *, delayed: bool) -> Kind:
    if action in _ACTIONS:
        return _ACTIONS[action]
    if action != "failed" and status.startswith("2."):
        return Kind.OTHER
    if action != "failed" and delayed:
        return Kind.DELAYED
    return failure(status, diagnostic, said)


_ACTIONS = {
    "delayed": Kind.DELAYED,
    "delivered": Kind.OTHER,
    "relayed": Kind.OTHER,
    "expanded": Kind.OTHER,
}


def _autoreply(mail: Opened) -> _Found | None:
    """RFC 3834, and what programs set that do not know it."""
    if _is_from_daemon(mail):
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


_AUTOREPLY_FIELDS = {"x-autoreply", "x-autorespond", "x-autoreply-from", "x-mail-autoreply", "x-autogenerated"}


def _unsubscribe(mail: Opened) -> _Found | None:
    if _is_from_daemon(mail):
        return None
    first_line = next((line for line in mail.notice.splitlines() if line.strip()), "")
    places = [mail.fields.get("subject", ""), first_line if len(first_line) < 80 else ""]
    wished = any(wording.UNSUBSCRIBE.match(wording.ANSWER.sub("", flat(place))) for place in places)
    return _from_person(mail, Kind.UNSUBSCRIBE) if wished else None


def _in_words(mail: Opened) -> _Found | None:
    """Reports of servers that do not write RFC 3464, in English and German."""
    if not (_is_from_daemon(mail) or _from_nobody_about_delivery(mail)):
        return None
    delayed = _is_delay(mail)
    recipients = []
    for address, said in _named_in(mail):
        status = code_in(said)
        kind = Kind.DELAYED if delayed else failure(status, said)
        recipients.append(Returned(address, kind, status, "delayed" if delayed else "failed", said))
    return _gravest(tuple(recipients))


def _long_tail(mail: Opened) -> _Found | None:
    """What flufl.bounce knows besides. It calls delays permanent and raises on some mails."""
    if _is_delay(mail):
        return None
    try:
        _, permanent = all_failures(mail.message)
    except Exception:
        # whatever a detector stumbles over: it found nothing
        return None
    addresses = _addresses(each.decode("utf-8", "replace") for each in sorted(permanent))
    status = code_in(mail.notice)
    kind = failure(status, mail.notice)
    return _gravest(tuple(Returned(each, kind, status, "failed", mail.notice) for each in addresses))


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
    gravity = list(Kind)
    kind = min((each.kind for each in recipients), key=gravity.index)
    return kind, tuple(replace(each, reason=" ".join(each.reason.split())[:300]) for each in recipients)


def _from_person(mail: Opened, kind: Kind) -> _Found:
    addresses = _addresses([mail.fields.get("from", "")])[:1]
    subject = mail.fields.get("subject", "")
    return kind, tuple(Returned(each, kind, "", "", subject) for each in addresses)


def _is_from_daemon(mail: Opened) -> bool:
    fields = mail.fields
    subject = flat(fields.get("subject", ""))
    return (
        "x-failed-recipients" in fields
        or bool(wording.DAEMONS.search(flat(fields.get("from", ""))))
        or bool(
            wording.BOUNCE_SUBJECT.search(subject)
            # people answer and forward reports, and are away while one comes
            and not wording.ANSWER.match(subject)
            and not wording.AUTOREPLY_SUBJECT.search(subject)
        )
    )


def _from_nobody_about_delivery(mail: Opened) -> bool:
    """Automatic answers come from the null sender too: the words must be about delivery."""
    about_delivery = wording.BOUNCE_SUBJECT.search(flat(mail.notice[:1000]))
    return mail.fields.get("return-path") == "<>" and about_delivery is not None


def _is_delay(mail: Opened) -> bool:
    subject, said = flat(mail.fields.get("subject", "")), flat(mail.notice)
    if any(wording.STILL_TRYING.search(text) for text in (subject, said)):
        return True
    if wording.GAVE_UP.search(said):
        return False
    return any(wording.DELAY_WORDS.search(text) for text in (subject, said))


#: an address begins where no character of one stands before it: that keeps the search linear
_ADDRESS = re.compile(r"(?<![\w.+%=/&'-])[\w.+%=/&'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
#: a line that begins with the recipient it is about
_NAMING = re.compile(r"[\s>*\"<-]{0,20}(?:(?:to|an|recipient|address|empfänger|adresse|rcpt to)\s?:)?[\s>*\"<-]{0,20}(?=[^\s@]{1,64}@)", re.I)
#: as Sendmail shows it: `550 <address>... User unknown`
_NAMING_IN_TRANSCRIPT = re.compile(r"[45]\d\d (?:[45]\.\d{1,3}\.\d{1,3} )?<[^\s<>]{1,200}>\.\.\.")
_OWN_FIELDS = ("to", "from", "delivered-to", "reply-to", "x-original-to")


def _addresses(texts: "list[str] | tuple[str, ...] | object") -> list[str]:
    found = [match[0].lower() for text in texts for match in _ADDRESS.finditer(text)]
    return list(dict.fromkeys(found))


def _named_in(mail: Opened) -> list[tuple[str, str]]:
    """The recipients a notice names, each with what is said about it."""
    failed = _addresses([mail.fields.get("x-failed-recipients", "")])
    if failed:
        return [(each, mail.notice if len(failed) == 1 else _said_about(each, mail.notice)) for each in failed]
    own = set(_addresses(mail.fields.get(name, "") for name in _OWN_FIELDS))
    lines = mail.notice.splitlines()
    for naming in (_NAMING, _NAMING_IN_TRANSCRIPT):
        leading = [each for line in lines if naming.match(line) for each in _addresses([line])[:1]]
        if leading:
            break
    named = [each for each in dict.fromkeys(leading) if each not in own and not wording.DAEMONS.match(each)]
    if not named:
        named = [each for each in _addresses([mail.notice]) if each not in own and not wording.DAEMONS.match(each)][:1]
    if not named:
        named = _returned_to(mail)[:1]
    return [(each, mail.notice if len(named) == 1 else _said_about(each, mail.notice)) for each in named]


def _said_about(address: str, notice: str) -> str:
    """The lines from where an address is named to where the next one is."""
    said: list[str] = []
    about = False
    for line in notice.splitlines():
        if _NAMING.match(line):
            about = address in line.lower()
        if about or address in line.lower():
            said.append(line)
    return "\n".join(said)


def _returned_to(mail: Opened) -> list[str]:
    return next((_addresses([fields["to"]]) for fields in mail.returned if "to" in fields), [])


def _without_returned(mail: Opened) -> Opened:
    """Cut what a notice quotes of the mail it returns: its words are ours, not the server's."""
    lines = mail.notice.splitlines()
    for number, line in enumerate(lines):
        if wording.RETURNED_BELOW.match(flat(line)) or _RETURNED_FIELD.match(line):
            below = dict(reversed(fields_in("\n".join(lines[number:]))))
            return replace(mail, notice="\n".join(lines[:number]), returned=(*mail.returned, below))
    return mail


_RETURNED_FIELD = re.compile(r"(?:Received|Return-Path|Message-ID|DKIM-Signature|MIME-Version):", re.I)


def _references(mail: Opened) -> tuple[str, ...]:
    fields = [mail.fields.get(name, "") for name in ("references", "in-reply-to")]
    for returned in mail.returned:
        fields += [returned.get(name, "") for name in ("message-id", "references", "in-reply-to")]
    found = [each.strip("<>,;\"'()") for field in fields for each in field.replace("><", " ").split()]
    return tuple(dict.fromkeys(each for each in found if "@" in each))


def _envelope_id(mail: Opened) -> str:
    fields: list[Fields] = [*mail.status, dict(mail.feedback)]
    return next((each[name] for each in fields for name in _ENVELOPE_FIELDS if name in each), "")


_ENVELOPE_FIELDS = ("original-envelope-id", "x-original-envelope-id")
