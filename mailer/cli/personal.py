"""`infomail subscribers show · rectify · erase`: one person, by her address."""

import sys
from datetime import datetime
from pathlib import Path

import typer
from sqlalchemy.orm import Session

from mailer import inbox
from mailer.cli import Refused
from mailer.cli.surroundings import AS, actor, now, open_house
from mailer.installation import Installation, circumstances
from mailer.logs import write_logs
from mailer.privacy.erasing import erase as erase_person
from mailer.privacy.holding import as_json, held, is_nothing
from mailer.receipts.forget import mentions
from mailer.translations import LANGUAGES
from mailer.web.assets import FOLDER
from mailer.web.pages import Pages
from subscribers.addresses import BadAddress, normalise
from subscribers.chain import Chain, Happening, append
from subscribers.privacy import BadValue, Whom, whom
from subscribers.privacy import rectify as put_right

#: bytes of the largest file looked into for what an erasure leaves to its owner
_LARGEST = 50_000_000
_ADDRESS = typer.Argument(help="The person's e-mail address, in any spelling.")


def show(
    address: str = _ADDRESS,
    html: Path | None = typer.Option(None, "--html", metavar="FILE", help="Write a readable page there."),
    who: str = AS,
) -> None:
    """What is held on one person, as JSON: the answer to Art. 15 and 20 GDPR."""
    with open_house() as house, house.database.write() as session:
        about = _whom(session, house, address)
        language = about.person.language if about.person else LANGUAGES[0]
        found = held(session, about, circumstances(house.settings), language)
        if is_nothing(found):
            barred = (
                f"; it is barred from mail: {', '.join(found['suppressed'])}" if found["suppressed"] else ""
            )
            raise Refused(f"nobody here has the address {about.address}{barred}")
        if html is None:
            typer.echo(as_json(found), nl=False)
        else:
            html.write_text(_page(house, found, language, now()), encoding="utf-8")
            typer.echo(html)
        exported = Happening("subscriber.exported", {"as": "html" if html else "json"}, about.handle)
        append(session, Chain.AUDIT, [exported], actor=actor(who), at=now())


def rectify(
    address: str = _ADDRESS,
    form: str = typer.Option(None, help="frau, herr or neutral."),
    title: str = typer.Option(None, help="Dr., Prof., ...; empty for none."),
    given: str = typer.Option(None, help="First name."),
    family: str = typer.Option(None, help="Last name."),
    language: str = typer.Option(None, help="de or en."),
    format_: str = typer.Option(None, "--format", help="both (HTML and text) or text."),
    new: str = typer.Option(None, "--address", metavar="NEW", help="Always refused; says what to do."),
    who: str = AS,
) -> None:
    """Put right what is held on one person (Art. 16 GDPR)."""
    if new is not None:
        raise Refused(
            "an address is never renamed, since consent to one mailbox is none to another: she signs up with "
            f"the new one and confirms it; then `infomail subscribers erase {address}`"
        )
    fields = {
        "form": form, "title": title, "given": given, "family": family, "language": language,
        "format": format_,
    }  # fmt: skip
    values = {name: value.strip() for name, value in fields.items() if value is not None}
    if not values:
        raise typer.BadParameter("name at least one field to put right")
    with open_house() as house, house.database.write() as session:
        about = _whom(session, house, address)
        if about.person is None:
            raise Refused(f"nobody here has the address {about.address}")
        try:
            changed = put_right(session, about.person, values, actor=actor(who), now=now())
        except BadValue as problem:
            raise Refused(str(problem)) from None
    typer.echo(f"changed {', '.join(changed)}" if changed else "nothing to change")


def erase(
    address: str = _ADDRESS,
    yes: bool = typer.Option(False, "--yes", help="Do not ask on a terminal either."),
    who: str = AS,
) -> None:
    """Erase one person: only a keyed hash of the address stays (Art. 17 GDPR). It cannot be undone."""
    write_logs()
    with open_house() as house:
        normalised = _normalised(address)
        # nobody can answer a pipe or a timer: what they ask for is meant
        asked = not yes and sys.stdin.isatty()
        if asked and not typer.confirm(f"Erase everything that is held on {normalised}?"):
            raise Refused("nothing was erased")
        gone = erase_person(
            house.database,
            normalised,
            suppression_key=house.suppression_key,
            actor=actor(who),
            now=now(),
        )
        if house.settings.inbox_listen and (tried_out := inbox.forget(normalised)):
            gone["mails of the local inbox"] = tried_out
    if not gone:
        raise Refused(f"nothing is held on {normalised}")
    typer.echo("erased: " + ", ".join(f"{count} {what}" for what, count in sorted(gone.items())))
    for path in _naming(normalised):
        typer.echo(f"{path} names the address: that file is yours to clean or delete")


def _naming(address: str) -> list[Path]:
    """Files of the folder, such as those people were imported from, that no erasure may touch."""
    return [
        path
        for path in sorted(Path().glob("*"))
        if path.is_file() and path.stat().st_size < _LARGEST and mentions(path.read_bytes(), address)
    ]


def _normalised(address: str) -> str:
    try:
        return normalise(address)
    except BadAddress as problem:
        raise Refused(f"{address}: {problem}") from None


def _whom(session: Session, house: Installation, address: str) -> Whom:
    return whom(session, _normalised(address), house.suppression_key)


def _page(house: Installation, found: dict[str, object], language: str, at: datetime) -> str:
    """One file that needs no other: it goes to a person by post or mail."""
    style = (FOLDER / "pages.css").read_text(encoding="utf-8").partition("\n.page {")
    return Pages(house.settings, assets="").render(
        "own_data_file.html", language, held=found, style=style[1] + style[2], made_at=at
    )
