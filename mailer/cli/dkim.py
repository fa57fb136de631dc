"""`infomail dkim`: what DNS has to say for the signatures to be believed; what `check` notes of the keys."""

from collections.abc import Iterator

import typer

from mailer.cli import Refused
from mailer.cli.surroundings import JSON, print_json, read_settings
from mailer.installation import NotConfigured, dkim_key_files, dkim_signer
from mailer.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Signatures of the mails.")

#: octets of one string of a TXT record at most; more of them are read as one (RFC 1035 3.3, RFC 6376 3.6.2.2)
_STRING = 255


@app.callback()
def _noun() -> None:
    """Keeps `records` a verb of its own, though it is the only one."""


@app.command()
def records(as_json: bool = JSON) -> None:
    """The TXT records that the domain needs, one for each key, as lines of a zone file."""
    try:
        signer = dkim_signer(read_settings())
    except NotConfigured as problem:
        raise Refused(str(problem)) from None
    if signer is None:
        raise Refused("INFOMAIL_DKIM_KEYS is empty: this service signs nothing")
    rows = [
        {"name": f"{key.selector}._domainkey.{signer.domain}", "type": "TXT", "value": key.record()}
        for key in signer.keys
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['name']}. IN TXT ( {_strings(row['value'])} )")


def _strings(value: str) -> str:
    # in quotation marks, since a zone file takes what follows a bare semicolon for a comment
    return " ".join(f'"{value[at : at + _STRING]}"' for at in range(0, len(value), _STRING))


def doubts(settings: Settings) -> Iterator[str]:
    """What works and had better be otherwise. Raises NotConfigured."""
    signer = dkim_signer(settings)
    if signer is None:
        return
    for (_, file), key in zip(dkim_key_files(settings), signer.keys, strict=True):
        if file.stat().st_mode & 0o077:
            yield f"INFOMAIL_DKIM_KEYS: {file}: others on this machine can read it: chmod 600"
        if key.is_weak:
            yield f"INFOMAIL_DKIM_KEYS: {file}: RSA of less than 2048 bits is weak (RFC 8301)"
    if all(key.algorithm == "ed25519-sha256" for key in signer.keys):
        yield "INFOMAIL_DKIM_KEYS: not every receiver knows Ed25519: add a key of RSA"
    sender = settings.sender_address.rpartition("@")[2].lower()
    # RFC 7489 3.1.1, as far as names tell without a list of public suffixes
    if sender.isascii() and signer.domain.split(".")[-2:] != sender.split(".")[-2:]:
        yield f"INFOMAIL_DKIM_DOMAIN: {signer.domain} is not of {sender}: DMARC does not count its signatures"
