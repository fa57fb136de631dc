"""`infomail dkim`: what DNS has to say for the signatures to be believed."""

import typer

from mailer.cli import Refused
from mailer.cli.surroundings import JSON, print_json, read_settings
from mailer.installation import NotConfigured, dkim_signer

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Signatures of the mails.")


@app.callback()
def _noun() -> None:
    """Keeps `records` a verb of its own, though it is the only one."""


@app.command()
def records(as_json: bool = JSON) -> None:
    """The TXT records that the domain needs, one for each key."""
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
        typer.echo(f"{row['name']}. TXT {row['value']}")
