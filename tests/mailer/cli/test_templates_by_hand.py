"""`infomail templates preview`, and `infomail check` on templates of one's own."""

from pathlib import Path

import pytest

from tests.mailer.cli.conftest import Infomail
from tests.mailer.cli.test_checking_a_folder import IMPRINT, put


def own(folder: Path, name: str, source: str) -> None:
    path = folder / "templates/mail" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")


@pytest.mark.parametrize(("kind", "said"), [("issue", "Landespreis"), ("confirm", "bestätigen")])
def test_a_kind_of_mail_can_be_looked_at(infomail: Infomail, folder: Path, kind: str, said: str) -> None:
    ran = infomail("templates", "preview", kind, "--to", "out")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[1:] == [f"out/{kind}.html", f"out/{kind}.txt"]
    for suffix in ("html", "txt"):
        assert said in (folder / f"out/{kind}.{suffix}").read_text(encoding="utf-8")


def test_it_can_be_looked_at_in_english(infomail: Infomail, folder: Path) -> None:
    assert infomail("templates", "preview", "goodbye", "--language", "en").code == 0
    assert '<html lang="en"' in (folder / "goodbye.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["isue"], "infomail: isue: no such kind; nearest is issue; there are "),
        (["issue", "--language", "fr"], "infomail: fr: expected de or en\n"),
    ],
)
def test_what_there_is_not_is_refused(
    infomail: Infomail, folder: Path, arguments: list[str], complaint: str
) -> None:
    ran = infomail("templates", "preview", *arguments)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(complaint)


def test_mistakes_of_own_templates_are_told_with_path_and_line(infomail: Infomail, folder: Path) -> None:
    put(folder, **{f"SENDER_{name}": "x@example.org" for name in IMPRINT})
    own(folder, "confirm/body.html", "<!doctype html>\n<html><body>\n<p>{{ confirm_ulr }}</body></html>")
    own(folder, "confirm/subject.txt", "{{ _('Nobody knows') }}")
    ran = infomail("check")
    assert ran.code == 1
    assert ran.err.split("\n          ") == [
        "infomail: templates/mail/confirm/body.html:3: <p> is never closed",
        "templates/mail/confirm/body.html:3: there is no confirm_ulr; nearest is confirm_url\n",
    ]
    looked = infomail("templates", "preview", "confirm")
    assert looked.err.startswith("infomail: confirm/body.html:3: 'confirm_ulr' is undefined")
    own(
        folder,
        "confirm/body.html",
        "<html><body><p><a href='{{ confirm_url }}'>{{ valid_days }}</a></p></body></html>",
    )
    ran = infomail("check")
    assert ran.code == 0
    assert "note: templates/mail/confirm/subject.txt:1: the German catalogue does not know" in ran.err
