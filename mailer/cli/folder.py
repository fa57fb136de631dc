"""`infomail init`, `check`, `config`, `db upgrade`, `demo`: the folder that a service runs in."""

import contextlib
import difflib
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import typer
from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import SecretStr

from mailer.cli import Refused, dkim
from mailer.cli.surroundings import JSON, now, open_house, print_json, read_settings
from mailer.cli.tables import print_table
from mailer.cli.templates import ZONE, mail_folders
from mailer.installation import (
    NotConfigured,
    connect,
    dkim_signer,
    domain_limits,
    imap_account,
    load_plan,
    migrate,
    open_pool,
    signing_keys,
    suppression_key,
)
from mailer.render.check.kinds import check_templates
from mailer.render.preflight import imprint_gaps
from mailer.settings import Settings
from mailer.setup import set_up
from subscribers.register import BadRegister

_PREFIX = "INFOMAIL_"

db = typer.Typer(no_args_is_help=True, add_completion=False, help="The database.")


@db.callback()
def _noun() -> None:
    """Keeps `upgrade` a verb of its own, though it is the only one."""


def init(folder: Path = typer.Argument(Path(), help="The folder to make ready.")) -> None:
    """Make a folder ready: plan, settings with fresh keys, database, register, lists."""
    try:
        made = set_up(folder, overrides={}, now=now())
    except (NotConfigured, BadRegister) as problem:
        raise Refused(str(problem)) from None
    except OSError as error:
        raise Refused(f"{folder}: {error.strerror}") from None
    for line in made:
        typer.echo(f"made {line}")
    typer.echo(
        f"next: fill in the imprint in {folder / '.env'}, look at the feeds in {folder / 'schedule.toml'}"
    )


def check() -> None:
    """Say what is wrong in plan, settings and templates of this folder, with line numbers."""
    settings = read_settings()
    problems = list(_misspelt(Path(".env")))
    for part in (
        load_plan,
        signing_keys,
        suppression_key,
        open_pool,
        domain_limits,
        dkim_signer,
        imap_account,
    ):
        try:
            part(settings)
        except NotConfigured as problem:
            problems += str(problem).splitlines()
    notes: list[str] = []
    for warns, line in _in_templates(settings):
        (notes if warns else problems).append(line)
    if not problems:
        with open_house() as house:
            problems = [
                f"{name}: empty; nothing is sent without it"
                for name in imprint_gaps(house.letterhead.imprint)
            ]
    if problems:
        raise Refused("\n          ".join(problems))
    for note in (*notes, *_only_for_trying_out(settings), *dkim.doubts(settings)):
        typer.echo(f"note: {note}", err=True)
    typer.echo("plan, settings and templates are in order")


def _in_templates(settings: Settings) -> Iterator[tuple[bool, str]]:
    """Whether it is a note only, and what is wrong in which line of which file."""
    folders = mail_folders(settings)
    used: set[str] = set()
    with contextlib.suppress(NotConfigured):
        used = {newsletter.template for newsletter in load_plan(settings).newsletters.values()}
    for found in check_templates(folders, zone=ZONE, used=used):
        path = next((path for folder in folders if (path := folder / found.file).exists()), found.file)
        line = f":{found.line}" if found.line else ""
        yield found.warns, f"{path}{line}: {found.says}"


def _misspelt(env: Path) -> Iterator[str]:
    """Names in the file that begin as ours do and are none: a line each, with the nearest right one."""
    if not env.exists():
        return
    known = [name.upper() for name in Settings.model_fields]
    with env.open(encoding="utf-8") as file:
        for binding in parse_stream(file):
            name = (binding.key or "").upper()
            if not name.startswith(_PREFIX) or name.removeprefix(_PREFIX) in known:
                continue
            close = difflib.get_close_matches(name.removeprefix(_PREFIX)[:40], known, n=1, cutoff=0.5)
            advice = f"nearest is {_PREFIX}{close[0]}" if close else "`infomail config` shows them all"
            yield f"{env}:{binding.original.line}: {binding.key}: no such setting; {advice}"


def _only_for_trying_out(settings: Settings) -> Iterator[str]:
    """Settings that are right on one machine and wrong for mails to others."""
    host = urlsplit(settings.public_url).hostname or ""
    if host == "localhost" or host.endswith(".localhost") or _is_loopback(host):
        yield f"{_PREFIX}PUBLIC_URL: {settings.public_url}: only this machine can follow the mailed links"
    for name in ("sender_address", "operator_address", "sender_email", "return_path"):
        value = getattr(settings, name)
        if value.endswith("@localhost"):
            yield f"{_PREFIX}{name.upper()}: {value}: what others send there does not arrive"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def config(as_json: bool = JSON) -> None:
    """Every setting, its value and where it came from; keys and passwords are masked."""
    settings = read_settings()
    in_file = {name.upper() for name in dotenv_values(".env")} if Path(".env").exists() else set()
    in_environment = {name.upper() for name in os.environ}
    rows = []
    for name, field in Settings.model_fields.items():
        variable = f"{_PREFIX}{name.upper()}"
        value = getattr(settings, name)
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if name.endswith(("_url", "_urls", "_proxy")):
            value = ",".join(map(_without_password, re.split(r",(?=[\w+]+://)", text)))
        elif isinstance(value, SecretStr):
            value = "***" if text else ""
        source = "default"
        if variable in in_environment:
            source = "environment"
        elif variable in in_file:
            source = ".env"
        rows.append({"name": variable, "value": value, "from": source, "about": field.description})
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "name", "value", "from")


def _without_password(url: str) -> str:
    """The URL with *** for what may be a password: rather too much than too little."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "***" if url else ""
    # to the last @: in a password that is not encoded there may be one, and in a user name, too
    rest = re.sub(r"(?s)^([^:]*):.*@", r"\1:***@", rest)
    return scheme + separator + re.sub(r"(?i)(password=)[^&]*", r"\1***", rest)


@db.command("upgrade")
def upgrade_() -> None:
    """Bring the database to the newest schema."""
    try:
        with contextlib.closing(connect(read_settings())) as database:
            migrate(database)
    except NotConfigured as problem:
        raise Refused(str(problem)) from None


def demo(
    recipients: int = typer.Option(200, min=1, max=1_000_000, help="How many officers to invent."),
    folder: Path = typer.Option(Path("demo"), "--dir", help="Where to run; a second run goes on there."),
    as_json: bool = JSON,
) -> None:
    """The whole river by itself: feeds, issue, mails into a local inbox, and what comes back."""
    from mailer.demo.run import run as run_demo  # brings web servers along

    try:
        account = run_demo(folder, recipients, (lambda _: None) if as_json else typer.echo)
    except (NotConfigured, BadRegister) as problem:
        raise Refused(str(problem)) from None
    if as_json:
        print_json(asdict(account))
        return
    typer.echo(
        f"""
Issue {account.issue}: {account.recipients} recipients in {account.editions} editions, {account.sent} sent, \
{account.failed} failed
came back: {account.bounced} bounced, {account.complained} complained, {account.unsubscribed} unsubscribed
took {account.seconds} s

mails     {account.inbox}
preview   {account.preview}
database  {account.database}

To answer the mailed links: cd {shlex.quote(str(folder))} && {_called()} serve"""
    )


def _called() -> str:
    """What to type for this very program in another folder: it need not be on the PATH."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m mailer"
    found = shutil.which("infomail")
    return "infomail" if found and called.samefile(found) else shlex.quote(str(called.absolute()))
