"""`infomail dkim records`, and what `infomail check` says of the keys."""

import base64
import json
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.mailer.cli.conftest import Infomail
from tests.mailer.cli.test_checking_a_folder import IMPRINT, put


def write_key(path: Path, key: RSAPrivateKey | Ed25519PrivateKey, mode: int = 0o600) -> None:
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(mode)


@pytest.fixture
def keys(folder: Path) -> Path:
    """A folder in order, with a good key of each kind that nobody has named yet."""
    put(
        folder, PUBLIC_URL="https://infomail.example.org", SENDER_ADDRESS="infomail@example.org",
        RETURN_PATH="bounce+{token}@example.org", **{f"SENDER_{name}": "x@example.org" for name in IMPRINT},
    )  # fmt: skip
    write_key(folder / "r.pem", generate_private_key(65537, 2048))
    write_key(folder / "e.pem", Ed25519PrivateKey.generate())
    return folder


def test_the_records_are_lines_of_a_zone_file_and_whole_in_json(infomail: Infomail, keys: Path) -> None:
    put(keys, DKIM_KEYS="r2026:r.pem,e2026:e.pem")
    rsa, ed25519 = json.loads(infomail("dkim", "records", "--json").out)
    assert (rsa["name"], ed25519["name"]) == (
        "r2026._domainkey.example.org",
        "e2026._domainkey.example.org",
    )
    assert rsa["value"].startswith("v=DKIM1; k=rsa; p=MIIB")
    lines = infomail("dkim", "records").out.splitlines()
    for line, record in zip(lines, (rsa, ed25519), strict=True):
        assert line.startswith(f"{record['name']}. IN TXT ( ")
        strings = re.findall(r'"([^"]*)"', line)
        assert "".join(strings) == record["value"]
        assert max(map(len, strings)) <= 255


def test_without_a_key_there_are_no_records(infomail: Infomail, keys: Path) -> None:
    ran = infomail("dkim", "records")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "infomail: INFOMAIL_DKIM_KEYS is empty: this service signs nothing\n"


def test_good_keys_are_in_order_without_a_note(infomail: Infomail, keys: Path) -> None:
    put(keys, DKIM_KEYS="r2026:r.pem, e2026:e.pem")
    ran = infomail("check")
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("r.pem", "INFOMAIL_DKIM_KEYS: expected SELECTOR:FILE, got 'r.pem'"),
        ("a:r.pem,a:e.pem", "INFOMAIL_DKIM_KEYS: a: each key needs a selector of its own"),
        ("a b:r.pem", "INFOMAIL_DKIM_KEYS: r.pem: a selector is letters, digits and hyphens"),
        ("a:none.pem", "INFOMAIL_DKIM_KEYS: none.pem: No such file or directory"),
        ("a:.env", "INFOMAIL_DKIM_KEYS: .env: no private key in PEM without a password"),
    ],
)
def test_what_cannot_sign_is_refused(infomail: Infomail, keys: Path, said: str, problem: str) -> None:
    put(keys, DKIM_KEYS=said)
    for command in (["check"], ["dkim", "records"], ["worker", "--drain"]):
        ran = infomail(*command)
        assert (ran.code, ran.out, ran.err) == (1, "", f"infomail: {problem}\n")


def test_what_had_better_be_otherwise_is_noted(infomail: Infomail, keys: Path) -> None:
    write_key(keys / "r.pem", generate_private_key(65537, 1024), mode=0o644)
    put(keys, DKIM_KEYS="r2026:r.pem", DKIM_DOMAIN="mail.example.net")
    ran = infomail("check")
    assert (ran.code, ran.err.splitlines()) == (
        0,
        [
            "note: INFOMAIL_DKIM_KEYS: r.pem: others on this machine can read it: chmod 600",
            "note: INFOMAIL_DKIM_KEYS: r.pem: RSA of less than 2048 bits is weak (RFC 8301)",
            "note: INFOMAIL_DKIM_DOMAIN: mail.example.net is not of example.org: DMARC does not count its signatures",
        ],
    )


def test_ed25519_alone_is_noted(infomail: Infomail, keys: Path) -> None:
    (keys / "e.pem").write_bytes(base64.b64encode(bytes(range(32))) + b"\n")
    put(keys, DKIM_KEYS="e2026:e.pem", DKIM_DOMAIN="mail.example.org")
    ran = infomail("check")
    assert (ran.code, ran.err) == (
        0, "note: INFOMAIL_DKIM_KEYS: not every receiver knows Ed25519: add a key of RSA\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("said", "domain"),
    [("a@EXAMPLE.org", "example.org"), ("a@köln.example", "xn--kln-sna.example"), ("a@b;d=evil.example", "")],
)
def test_the_domain_is_written_as_the_dns_has_it(
    infomail: Infomail, keys: Path, said: str, domain: str
) -> None:
    put(keys, DKIM_KEYS="e2026:e.pem", SENDER_ADDRESS=f'"{said}"')
    ran = infomail("dkim", "records", "--json")
    if domain:
        assert json.loads(ran.out)[0]["name"] == f"e2026._domainkey.{domain}"
    else:
        assert (ran.code, ran.err) == (
            1,
            "infomail: INFOMAIL_DKIM_DOMAIN: expected a domain, got 'b;d=evil.example'\n",
        )


def test_the_record_of_activities_says_who_signs(infomail: Infomail, keys: Path) -> None:
    assert "DKIM: signiert nicht dieser Dienst" in infomail("privacy", "record").out
    put(keys, DKIM_KEYS="e2026:e.pem")
    record = infomail("privacy", "record").out
    assert "DKIM: signiert nicht" not in record
    assert "DKIM" in record
    assert "example.org" in next(line for line in record.splitlines() if "DKIM" in line)
