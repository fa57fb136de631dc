"""What one recipient costs of a prepared edition: `python bench/fill.py`.

Fills an edition of about 30 KB with 85 slots for many recipients, and builds the same mail with
email.message.EmailMessage, in turns in the same run; then signs it with RSA-2048 and Ed25519 beside the
bare RSA signature. Medians of seven. Exit code 1 if filling takes 20 microseconds or more, is less
than 100 times as fast as building, or a signature takes more than 1.3 times the bare RSA one.
"""

import statistics
import sys
import time
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.policy import SMTP

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from mailer.render.dkim import Key, Signer
from mailer.render.message import Prepared, Slot, encode, header_value, salutation

_RUNS = 7
_MOST_MICROSECONDS, _LEAST_TIMES, _MOST_SIGNING = 20.0, 100.0, 1.3
_LINKS = 79
_SENTINELS = {"xTEXTx": Slot.SALUTATION_TEXT, "xHTMLx": Slot.SALUTATION_HTML, "xLEAVEx": Slot.UNSUBSCRIBE}
_WORDS = "Wer sich in seiner Kommune für andere einsetzt, soll dafür gute Bedingungen finden. " * 3
_TEXT = "xTEXTx\n\nAbmelden: https://example.org/abmelden/xLEAVEx\n"
_HTML = "<p>xHTMLx</p>\n" + "".join(
    f'<p>{_WORDS} <a href="https://example.org/abmelden/xLEAVEx">{number}</a></p>\n'
    for number in range(_LINKS)
)


def main() -> int:
    prepared = Prepared(_encoded())
    values = _values("person@example.net")
    mail = prepared.fill(values)
    slots = sum(len(mark) - 1 for mark in (_encoded().split(slot.value) for slot in Slot))
    print(f"an edition of {len(mail):,} bytes with {slots} slots")
    rsa_key = Key("a", rsa.generate_private_key(public_exponent=65537, key_size=2048))
    ed_key = Key("b", ed25519.Ed25519PrivateKey.generate())
    relaxed = prepared.relaxed(values)

    def signed(key: Key) -> Callable[[], object]:
        signer = Signer("example.org", (key,))
        return lambda: signer.sign(mail, at=1, form=prepared.relaxed(values))

    acts: dict[str, tuple[Callable[[], object], int]] = {
        "fill": (lambda: prepared.fill(values), 2000),
        "build": (lambda: _built("person@example.net"), 20),
        "bare": (lambda: rsa_key.sign(relaxed.body[:32]), 200),
        "rsa": (signed(rsa_key), 200),
        "ed25519": (signed(ed_key), 500),
    }
    times: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(_RUNS):
        for name, (act, count) in acts.items():
            times[name].append(_timed(act, count))
    took = {name: statistics.median(each) for name, each in times.items()}
    ratio = took["build"] / took["fill"]
    print(
        f"fill {took['fill']:.1f} microseconds, EmailMessage {took['build']:,.0f}: {ratio:,.0f} times as fast"
    )
    for name in ("rsa", "ed25519"):
        times = took[name] / took["bare"]
        print(f"{name} {took[name]:.0f} microseconds, {times:.2f} times a bare RSA signature")
    return int(
        took["fill"] >= _MOST_MICROSECONDS
        or ratio < _LEAST_TIMES
        or max(took["rsa"], took["ed25519"]) > _MOST_SIGNING * took["bare"]
    )


def _encoded() -> bytes:
    return encode(
        headers=[("From", "Infomail <info@example.org>"), ("Subject", "Infomail – Übersicht")],
        lines=[
            b"To: " + Slot.TO.value,
            b"Date: " + Slot.DATE.value,
            b"Message-ID: <" + Slot.MESSAGE_ID.value + b"@example.org>",
        ],
        text=_TEXT,
        html=_HTML,
        sentinels=_SENTINELS,
        boundary="=b=",
    )


def _values(address: str) -> Mapping[Slot, bytes]:
    as_text, as_html = salutation("Sehr geehrte Frau Dr. Beispiel,")
    return {
        Slot.TO: header_value(address),
        Slot.DATE: b"Tue, 05 Mar 2024 10:00:00 +0100",
        Slot.MESSAGE_ID: b"t" * 45,
        Slot.UNSUBSCRIBE: b"u" * 45,
        Slot.SALUTATION_TEXT: as_text,
        Slot.SALUTATION_HTML: as_html,
    }


def _built(address: str) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = "Infomail <info@example.org>"
    message["To"] = address
    message["Subject"] = "Infomail – Übersicht"
    message["Date"] = "Tue, 05 Mar 2024 10:00:00 +0100"
    message["Message-ID"] = f"<{'t' * 45}@example.org>"
    text, html = (
        part.replace("xTEXTx", "Sehr geehrte Frau Dr. Beispiel,")
        .replace("xHTMLx", "Sehr geehrte Frau Dr. Beispiel,")
        .replace("xLEAVEx", "u" * 45)
        for part in (_TEXT, _HTML)
    )
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message.as_bytes()


def _timed(act: Callable[[], object], count: int) -> float:
    """Microseconds of this thread for one; what else runs on the machine is not counted."""
    began = time.thread_time()
    for _ in range(count):
        act()
    return (time.thread_time() - began) / count * 1e6


if __name__ == "__main__":
    sys.exit(main())
