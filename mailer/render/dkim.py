"""Signatures that say which domain answers for a mail (RFC 6376), by RSA or Ed25519 (RFC 8463).

Both header and body are signed in their relaxed form, which survives what relays do to blanks. A
header that must not be added on the way is named once more than it is there (RFC 6376 5.4.2), so
that a second From or Subject breaks the signature.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

#: signed where they stand, and no second one may be added
_ONCE = (
    b"from", b"to", b"cc", b"subject", b"date", b"reply-to", b"message-id", b"mime-version", b"content-type",
    b"content-transfer-encoding", b"list-unsubscribe", b"list-unsubscribe-post",
)  # fmt: skip
#: signed where they stand
_ALSO = (
    b"list-id", b"list-help", b"list-archive", b"list-owner", b"content-language", b"auto-submitted",
    b"feedback-id",
)  # fmt: skip
_ORDER = (*_ONCE, *_ALSO)
_SIGNED = frozenset(_ORDER)
_LINE_END = re.compile(rb"\r\n|\r|\n")
_BLANKS = re.compile(rb"  +")
_SELECTOR = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")
#: characters of a line in b= and h=; with what stands before them, a line has 78 at most (RFC 5322 2.1.1)
_PIECE = 70
#: RFC 8301 3.2: no verifier need take less
_LEAST_BITS = 1024
_USUAL_BITS = 2048
_SHA256 = Prehashed(hashes.SHA256())
_PKCS1 = PKCS1v15()


class BadKey(ValueError):
    """The key cannot be used; says why, and nothing of the key."""


@dataclass(frozen=True, slots=True)
class Key:
    """A private key, and the name its public half has in DNS: SELECTOR._domainkey.DOMAIN."""

    selector: str
    private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey = field(repr=False)

    @property
    def algorithm(self) -> str:
        return "rsa-sha256" if isinstance(self.private, rsa.RSAPrivateKey) else "ed25519-sha256"

    @property
    def is_weak(self) -> bool:
        """Whether it signs with fewer bits than it should (RFC 8301 3.2)."""
        return isinstance(self.private, rsa.RSAPrivateKey) and self.private.key_size < _USUAL_BITS

    def record(self) -> str:
        """The TXT record of its public half (RFC 6376 3.6.1, RFC 8463 4.2)."""
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            kind, data = "rsa", public.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )  # fmt: skip
        else:
            kind, data = "ed25519", public.public_bytes_raw()
        return f"v=DKIM1; k={kind}; p={base64.b64encode(data).decode()}"

    def sign(self, digest: bytes) -> bytes:
        """The signature of a SHA-256 digest, as it stands in the header's b=."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(digest, _PKCS1, _SHA256)
        return self.private.sign(digest)


def read_key(selector: str, path: Path) -> Key:
    """The key of a file: PEM (PKCS #1 or #8, no password), or the BASE64 of an Ed25519 key's 32 bytes.

    Raises BadKey and OSError.
    """
    if not _SELECTOR.fullmatch(selector) or ".." in selector:
        raise BadKey("a selector is letters, digits and hyphens")
    private = _private(path.read_bytes())
    if not isinstance(private, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        raise BadKey("neither RSA nor Ed25519")
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size < _LEAST_BITS:
        raise BadKey(
            f"{private.key_size} bits; {_LEAST_BITS} is the least, {_USUAL_BITS} is usual (RFC 8301)"
        )
    return Key(selector, private)


def _private(content: bytes) -> object:
    try:
        if b"-----BEGIN" in content:
            return serialization.load_pem_private_key(content, password=None)
        return ed25519.Ed25519PrivateKey.from_private_bytes(base64.b64decode(content.strip(), validate=True))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # what went wrong exactly might quote the key
        raise BadKey("no private key in PEM without a password") from None


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for `domain` with each of the keys, the first one's signature on top."""

    domain: str
    keys: Sequence[Key]

    def sign(self, message: bytes, *, at: int, form: "Relaxed | None" = None) -> bytes:
        """The message with a DKIM-Signature before it for each key; line ends become those of SMTP.

        `at` is the time in seconds since 1970. Where the relaxed `form` is known, the message's line ends are
        CRLF already. Raises ValueError for a message without From, which cannot be signed (RFC 6376 5.4).
        """
        if form is None:
            message = with_line_ends(message)
            form = relaxed(message)
        body_hash = base64.b64encode(sha256(form.body).digest()).decode()
        signatures = [self._signature(key, at, form.names, form.header, body_hash) for key in self.keys]
        return b"".join((*signatures, message))

    def _signature(self, key: Key, at: int, named: str, canonical: bytes, body_hash: str) -> bytes:
        value = (
            f" v=1; a={key.algorithm}; c=relaxed/relaxed;\r\n d={self.domain};\r\n"
            f" s={key.selector}; t={at};\r\n h={named};\r\n bh={body_hash};\r\n b="
        ).encode()
        # itself as it stands there, without what is not known yet (RFC 6376 3.7)
        own = value.replace(b"\r\n ", b" ").strip(b" ")
        digest = sha256(b"%bdkim-signature:%b" % (canonical, own)).digest()
        signature = base64.b64encode(key.sign(digest))
        pieces = [signature[start : start + _PIECE] for start in range(0, len(signature), _PIECE)]
        return b"DKIM-Signature:%b%b\r\n" % (value, b"\r\n ".join(pieces))


class Relaxed(NamedTuple):
    """What is signed of a message: the names of headers as h= has them, those headers, and the body."""

    names: str
    header: bytes
    body: bytes


def relaxed(message: bytes) -> Relaxed:
    """The form of a message that has CRLF line ends. Raises ValueError for one without From."""
    head, _, body = message.partition(b"\r\n\r\n")
    return Relaxed(*_header(head), relaxed_body(body))


def with_line_ends(message: bytes) -> bytes:
    """The message as SMTP brings it: CRLF at the end of each line, and nowhere else (RFC 6376 5.3)."""
    pairs = message.count(b"\r\n")
    if not message.count(b"\r") == message.count(b"\n") == pairs:
        message = _LINE_END.sub(b"\r\n", message)
    return message if message.endswith(b"\r\n") else message + b"\r\n"


def relaxed_body(body: bytes) -> bytes:
    """RFC 6376 3.4.4: one space for a run of blanks, none where a line ends, no empty lines at the end."""
    body = relaxed_lines(body).rstrip(b" \r\n")
    return body + b"\r\n" if body else b""


def relaxed_lines(data: bytes) -> bytes:
    """The same for whole lines within a body: those at its end stay."""
    return _one_blank(data).replace(b" \r\n", b"\r\n")


def relaxed_headers(head: bytes) -> list[tuple[bytes, bytes]]:
    """Name and value of each header (RFC 6376 3.4.2): unfolded, one space for each run of blanks."""
    found = []
    for line in _one_blank(head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")).split(b"\r\n"):
        if not line:
            break  # the message has no header, or no body
        name, colon, value = line.partition(b":")
        if colon:
            found.append((name.rstrip(b" ").lower(), value.strip(b" ")))
    return found


def _one_blank(data: bytes) -> bytes:
    return _BLANKS.sub(b" ", data.replace(b"\t", b" "))


def _header(head: bytes) -> tuple[str, bytes]:
    """The names to be signed as h= has them, and the fields in their relaxed form, in that order."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in relaxed_headers(head):
        if name in _SIGNED:
            found.setdefault(name, []).append(b"%b:%b\r\n" % (name, value))
    if b"from" not in found:
        raise ValueError("a message without From cannot be signed")
    names: list[bytes] = []
    fields: list[bytes] = []
    for name in _ORDER:
        if values := found.get(name):
            names += [name] * len(values)
            # of several the last one counts first (RFC 6376 5.4.2)
            fields += reversed(values)
    # what is named once more than it is there cannot be added
    return _wrapped((*names, *_ONCE)), b"".join(fields)


@lru_cache(maxsize=256)
def _wrapped(names: Sequence[bytes]) -> str:
    """The names with colons; blanks may stand behind one. Mails of an edition have the same."""
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) > _PIECE:
            lines.append(" ")
        lines[-1] += f"{name.decode()}:"
    return "\r\n".join(lines).removesuffix(":")
