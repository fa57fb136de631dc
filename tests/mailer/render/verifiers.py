"""Two verifiers of DKIM signatures that are not ours, with keys of the tests instead of DNS."""

import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import dkim
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from mailer.render.dkim import Key, Signer
from tests.services.require import require

DOMAIN = "example.org"


@cache
def signer() -> Signer:
    """One with a key of each kind."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return Signer(DOMAIN, (Key("alt", private), Key("neu", ed25519.Ed25519PrivateKey.generate())))


def records(by: Signer) -> dict[str, str]:
    return {f"{key.selector}._domainkey.{by.domain}": key.record() for key in by.keys}


def dkimpy_accepts(message: bytes, by: Signer) -> bool:
    """Whether dkimpy accepts every signature of it."""
    known = {f"{name}.".encode(): text.encode() for name, text in records(by).items()}
    verifying = dkim.DKIM(message, minkey=1024)
    try:
        return all(
            verifying.verify(idx=number, dnsfunc=lambda name, timeout=5: known.get(name))
            for number in range(len(by.keys))
        )
    except dkim.ValidationError:
        return False


def opendkim_accepts(messages: Sequence[bytes], by: Signer, folder: Path) -> int:
    """Of how many of these mails opendkim accepts every signature."""
    command = require("opendkim", "opendkim")["opendkim"]
    (folder / "keys").write_text("".join(f"{name} {text}\n" for name, text in records(by).items()))
    (folder / "conf").write_text(
        f"Mode v\nTestPublicKeys {folder / 'keys'}\nSyslog no\nSocket inet:0@127.0.0.1\n"
    )
    paths = []
    for number, message in enumerate(messages):
        paths.append(folder / f"{number}.eml")
        paths[-1].write_bytes(message)
    accepted = 0
    for start in range(0, len(paths), 100):
        some = ",".join(map(str, paths[start : start + 100]))
        said = subprocess.run(
            [command, "-x", folder / "conf", "-v", "-v", "-t", some],
            capture_output=True,
            check=True,
            text=True,
            timeout=120,
        ).stdout
        results = said.split("Authentication-Results")[1:]
        accepted += sum(result.count("dkim=pass") == len(by.keys) for result in results)
    return accepted
