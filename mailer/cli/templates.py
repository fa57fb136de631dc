"""`infomail templates`: mails as they will look, in invented data."""

from pathlib import Path
from zoneinfo import ZoneInfo

import typer
from jinja2.exceptions import TemplateError

from mailer.cli import Refused
from mailer.cli.surroundings import read_settings
from mailer.installation import template_roots
from mailer.render.check.findings import nearest
from mailer.render.check.kinds import kinds_of
from mailer.render.check.trial import told
from mailer.render.finish import BadPage
from mailer.render.parts import body_names, html_part
from mailer.render.press import Sheets
from mailer.render.samples import NOTICES, samples_of
from mailer.render.selfcontained import NotSelfContained
from mailer.render.template import environment
from mailer.settings import Settings
from mailer.translations import LANGUAGES

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The templates of mails.")
#: in which the samples' dates are shown
ZONE = ZoneInfo("Europe/Berlin")


@app.callback()
def _noun() -> None:
    """Keeps `preview` a verb of its own, though it is the only one."""


@app.command()
def preview(
    kind: str = typer.Argument(help="A folder below templates/mail."),
    folder: Path = typer.Option(Path(), "--to", help="Folder to write the HTML and the text to."),
    language: str = typer.Option("de", help="de or en."),
) -> None:
    """Write a kind of mail with invented data, as HTML and as text, and print where."""
    roots = mail_folders(read_settings())
    kinds = kinds_of(roots)
    if kind not in kinds:
        raise Refused(f"{kind}: no such kind{nearest(kind, kinds)}; there are {', '.join(kinds)}")
    if language not in LANGUAGES:
        raise Refused(f"{language}: expected {' or '.join(LANGUAGES)}")
    env = environment(roots, language, zone=ZONE)
    context = samples_of(kind)[0] | {"language": language}
    sheets = Sheets(env, kind)
    try:
        subject = sheets.subject(context)
        html = html_part(env, body_names(kind), context) if kind in NOTICES else sheets.html(context)
        text = sheets.text(context)
    except TemplateError as problem:
        found = told(problem, kind)
        raise Refused(f"{found.file}:{found.line}: {found.says}; `infomail check` tells more") from None
    except (BadPage, NotSelfContained) as problem:
        raise Refused(f"{kind}: {problem}; `infomail check` tells where") from None
    folder.mkdir(parents=True, exist_ok=True)
    typer.echo(subject)
    for suffix, content in (("html", html), ("txt", text)):
        path = folder / f"{kind}.{suffix}"
        path.write_text(content, encoding="utf-8")
        typer.echo(path)


def mail_folders(settings: Settings) -> list[Path]:
    """Where the templates of mails stand, the own folder first."""
    return [folder for root in template_roots(settings) if (folder := root / "mail").is_dir()]
