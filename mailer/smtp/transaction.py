"""The bytes of one mail transaction, ready before the first of them is written (pure)."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import idna

from mailer.smtp.envelope import Envelope, Outcome, UnsendableError
from mailer.smtp.replies import Reply, printable

# RFC 5321 section 4.5.3.1.3: a path is 256 octets with its angle brackets.
_MAX_ADDRESS = 254
# RFC 3461 section 4.4
_MAX_ENVELOPE_ID = 100

_DOT_ATOM = r'[^\s\x00-\x20\x7f"(),:;<>@\[\]\\]+'
_QUOTED = r'"(?:[^\x00-\x1f\x7f"\\]|\\[\x20-\x7e])*"'
_ADDRESS = re.compile(rf"({_DOT_ATOM}|{_QUOTED})@({_DOT_ATOM}|\[[0-9A-Za-z:.]+\])")
#: as nearly all are
_COMMON = re.compile(r"[!#-'*+\-./0-9=?A-Z^-~]{1,64}@[0-9A-Za-z.-]{1,180}")
_XTEXT = re.compile(r"[!-*,-<>-~]*")
_LINE_END = re.compile(rb"\r\n|\r|\n")


class Transaction(NamedTuple):
    """An envelope and its commands as they go over the wire. `message` has its line ends normalised."""

    envelope: Envelope
    mail: bytes
    rcpt: bytes
    message: bytes

    @property
    def stuffed(self) -> bytes:
        """The message for DATA, without the final dot (RFC 5321 section 4.5.2)."""
        if self.envelope.canonical:
            return self.message
        stuffed = self.message.replace(b"\r\n.", b"\r\n..")
        return b"." + stuffed if stuffed.startswith(b".") else stuffed


def prepare(envelope: Envelope, offered: Mapping[str, str]) -> Transaction:
    """The transaction for `envelope` on a server that offers these extensions (see `extensions`).

    Raises UnsendableError for whatever could smuggle a command past us, for a message that cannot be
    filled in, and for one that needs an extension the server lacks.
    """
    sender = _address(envelope.sender) if envelope.sender else ""
    recipient = _address(envelope.recipient)
    if not envelope.envelope_id.isprintable():
        raise UnsendableError("the envelope id contains a control character")
    message = _filled(envelope)
    is_ascii = envelope.canonical
    if not is_ascii:
        message = _with_line_ends(message)
        is_ascii = message.isascii()
    international = not (sender + recipient).isascii() or not (
        is_ascii or message.partition(b"\r\n\r\n")[0].isascii()
    )

    mail = [f"MAIL FROM:<{sender}>", *_size(len(message), offered)]
    rcpt = [f"RCPT TO:<{recipient}>"]
    if not is_ascii:
        mail.append("BODY=" + _needed("8BITMIME", offered, "the message has 8-bit text"))
    if international:
        mail.append(_needed("SMTPUTF8", offered, "an address or a header is not ASCII"))
    # RFC 3461: without a sender there is nobody to report to.
    if "DSN" in offered and sender:
        mail += ["RET=HDRS", *_envelope_id(envelope.envelope_id)]
        rcpt += ["NOTIFY=FAILURE,DELAY", f"ORCPT={_original_recipient(recipient)}"]
    return Transaction(envelope, _command(mail), _command(rcpt), message)


def extensions(reply: Reply) -> dict[str, str]:
    """The extensions an EHLO reply offers: keyword in capitals -> its parameters (RFC 5321 4.1.1.1)."""
    offered: dict[str, str] = {}
    for line in reply.lines[1:]:
        # "AUTH=LOGIN" is a form older than RFC 4954 that some servers send beside the right one.
        keyword, _, parameters = line.strip().replace("=", " ", 1).partition(" ")
        offered[keyword.upper()] = f"{offered.get(keyword.upper(), '')} {parameters}".strip()
    return offered


@lru_cache(maxsize=256)
def _domain(domain: str) -> str:
    """As it goes over the wire: few domains make up most of a list."""
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        raise UnsendableError(f"not a domain name: {printable(domain)}") from None


def _address(address: str) -> str:
    if _COMMON.fullmatch(address):
        return address
    match = _ADDRESS.fullmatch(address)
    if match is None or not address.isprintable():
        raise UnsendableError(f"not an address that can be mailed: {printable(address)}")
    local, domain = match.groups()
    address = f"{local}@{_domain(domain)}"
    if len(address.encode()) > _MAX_ADDRESS:
        raise UnsendableError(f"an address is longer than {_MAX_ADDRESS} octets")
    return address


def _filled(envelope: Envelope) -> bytes:
    try:
        return envelope.message()
    except Exception as error:
        # One message that cannot be made must not stop the others; whoever keeps count holds it back.
        problem = printable(f"the message could not be made: {type(error).__name__}: {error}")
        raise UnsendableError(problem, Outcome.DEFERRED) from error


def _with_line_ends(message: bytes) -> bytes:
    # RFC 5321 section 2.3.8: CR and LF only ever go out together. A lone one is read as a line end by
    # some servers and not by others, which is what lets a message be smuggled inside another.
    pairs = message.count(b"\r\n")
    if not message.count(b"\r") == message.count(b"\n") == pairs:
        message = _LINE_END.sub(b"\r\n", message)
    return message if message.endswith(b"\r\n") or not message else message + b"\r\n"


def _size(size: int, offered: Mapping[str, str]) -> list[str]:
    # RFC 1870: 0, or no number, states no limit.
    if "SIZE" not in offered:
        return []
    limit = offered["SIZE"]
    if limit.isdecimal() and 0 < int(limit[:20]) < size:
        raise UnsendableError(f"the message has {size} octets, the relay takes {int(limit[:20])}")
    return [f"SIZE={size}"]


def _needed(extension: str, offered: Mapping[str, str], why: str) -> str:
    if extension not in offered:
        raise UnsendableError(f"{why} and the relay does not offer {extension}")
    return extension


def _envelope_id(envelope_id: str) -> list[str]:
    if not envelope_id:
        return []
    encoded = _xtext(envelope_id)
    if not envelope_id.isascii() or len(encoded) > _MAX_ENVELOPE_ID:
        raise UnsendableError(f"the envelope id is not ASCII or longer than {_MAX_ENVELOPE_ID} octets")
    return [f"ENVID={encoded}"]


def _original_recipient(address: str) -> str:
    if address.isascii():
        return f"rfc822;{_xtext(address)}"
    # RFC 6533 section 3, the form that survives servers which know ASCII only.
    plain = "".join(char if _is_plain(char) and char != "\\" else f"\\x{{{ord(char):X}}}" for char in address)
    return f"utf-8;{plain}"


def _xtext(text: str) -> str:
    # RFC 3461 section 4
    if _XTEXT.fullmatch(text):
        return text
    return "".join(char if _is_plain(char) else f"+{ord(char):02X}" for char in text)


def _is_plain(char: str) -> bool:
    return "!" <= char <= "~" and char not in "+="


def _command(words: list[str]) -> bytes:
    return " ".join(words).encode() + b"\r\n"
