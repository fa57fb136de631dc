"""The words of a report that are meant for people: whom they name, what they say about whom. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from mailer.receipts import wording
from mailer.receipts.opening import Opened, fields_in
from mailer.receipts.verdict import code_in, flat

#: an address begins where no character of one stands before it: that keeps the search linear
_ADDRESS = re.compile(
    r"(?<![\w.+%=/&'-])(?:[\w.+%=/&'-]{1,64}|\"[^\"\s<>@]{1,64}\")@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"
)
#: a line that begins with the recipient it is about
_NAMING = re.compile(
    r"^[\s>*\"<\[-]{0,20}(?:(?:to|an|recipient|address|empfänger|adresse|rcpt to)\s?:)?"
    r"[\s>*\"<\[-]{0,20}(?=[^\s@]{1,64}@)",
    re.IGNORECASE,
)
#: as Sendmail shows it: `550 <address>... User unknown`
_NAMING_IN_TRANSCRIPT = re.compile(r"[45]\d\d (?:[45]\.\d{1,3}\.\d{1,3} )?<[^\s<>]{1,200}>\.\.\.")
_OWN_FIELDS = ("to", "from", "reply-to")


def without_returned(mail: Opened) -> Opened:
    """Cut what a notice quotes of the mail it returns: its words are ours, not the server's."""
    lines = mail.notice.splitlines()
    for number, line in enumerate(lines):
        if wording.RETURNED_BELOW.match(flat(line[:200])) or wording.RETURNED_FIELD.match(line):
            below = "\n".join(lines[number:])
            returned = (*mail.returned, dict(reversed(fields_in(below))))
            return replace(mail, notice="\n".join(lines[:number]), returned=returned, below=below)
    return mail


def is_from_daemon(mail: Opened) -> bool:
    """Whether a machine that delivers mail wrote it, going by its header."""
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


def is_trusted(mail: Opened) -> bool:
    """Whether its words may end an address: a machine wrote them, or it cites a server's code.

    People write about addresses too that exist no longer, in automatic answers most of all.
    """
    fields = mail.fields
    named = "x-failed-recipients" in fields or wording.DAEMONS.search(flat(fields.get("from", "")))
    return bool(named or code_in(mail.notice))


def is_about_delivery(mail: Opened) -> bool:
    """Whether its words may be read as a report at all."""
    if wording.ARRIVED.search(flat(mail.notice[:200])):
        return False
    # automatic answers come from the null sender too: the words must be about delivery
    return is_from_daemon(mail) or (
        mail.fields.get("return-path") == "<>"
        and wording.BOUNCE_SUBJECT.search(flat(mail.notice[:1000])) is not None
    )


def is_delay(mail: Opened) -> bool:
    """Whether it says that the server goes on trying (RFC 3464 2.3.3 calls that delayed, not failed)."""
    subject, said = flat(mail.fields.get("subject", "")), flat(mail.notice)
    if any(wording.STILL_TRYING.search(text) for text in (subject, said)):
        return True
    if wording.GAVE_UP.search(said):
        return False
    return any(wording.DELAY_WORDS.search(text) for text in (subject, said))


def addresses_in(texts: Iterable[str]) -> list[str]:
    """The addresses of these texts in lower case, in order, each once."""
    found = [match[0].lower() for text in texts for match in _ADDRESS.finditer(text)]
    return list(dict.fromkeys(found))


def named_in(mail: Opened) -> list[tuple[str, str]]:
    """The recipients a notice names, each with what is said about it."""
    failed = addresses_in([mail.fields.get("x-failed-recipients", "")])
    named = _listed(mail) or failed or _named(mail) or returned_to(mail)[:1]
    if len(named) == 1:
        return [(named[0], mail.notice)]
    said = said_about(mail.notice)
    return [(each, said.get(each, "")) for each in named]


def _listed(mail: Opened) -> list[str]:
    """Those that stand alone on their lines below the words of Exim that announce them."""
    lines = iter(mail.notice.splitlines())
    if not any(wording.FAILED_BELOW.search(flat(line[:200])) for line in lines):
        return []
    return [line.strip().lower() for line in lines if _ADDRESS.fullmatch(line.strip())]


def _named(mail: Opened) -> list[str]:
    """Those of a transcript, else those at the head of a line, else the first anywhere."""
    lines = _about_recipients(mail.notice.splitlines())
    own = set(addresses_in(mail.fields.get(name, "") for name in _OWN_FIELDS))
    for naming in (_NAMING_IN_TRANSCRIPT, _NAMING):
        heads = [each for line in lines if naming.match(line) for each in addresses_in([line])[:1]]
        named = [each for each in dict.fromkeys(heads) if _may_be_recipient(each, own)]
        if named:
            return named
    return [each for each in _besides_aside(lines) if _may_be_recipient(each, own)][:1]


def _besides_aside(lines: list[str]) -> list[str]:
    """All addresses but those of whom to ask."""
    aside = {
        match[0].lower()
        for line in lines
        for match in _ADDRESS.finditer(line)
        if wording.ASIDE.search(flat(line[: match.start()][-60:]))
    }
    return [each for each in addresses_in(lines) if each not in aside]


def _about_recipients(lines: list[str]) -> list[str]:
    """Without what stands before the list of recipients: Exchange repeats To and Cc of the mail there."""
    for number, line in enumerate(lines, start=1):
        if wording.RECIPIENTS_BELOW.search(flat(line[:200])) and addresses_in(lines[number:]):
            return lines[number:]
    return lines


def _may_be_recipient(address: str, own: set[str]) -> bool:
    return address not in own and not wording.DAEMONS.match(address)


def said_about(notice: str) -> dict[str, str]:
    """Address -> the lines that mention it, and those from where it heads a line to the next such head."""
    said: dict[str, list[str]] = defaultdict(list)
    head = ""
    for line in notice.splitlines():
        mentioned = addresses_in([line])
        if mentioned and _NAMING.match(line):
            head = mentioned[0]
        for address in {head, *mentioned}:
            said[address].append(line)
    return {address: "\n".join(lines) for address, lines in said.items()}


def returned_to(mail: Opened) -> list[str]:
    """To whom the returned mail was written."""
    return next((addresses_in([fields["to"]]) for fields in mail.returned if "to" in fields), [])
