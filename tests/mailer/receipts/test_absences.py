"""Automatic answers in German and English. Everybody in these mails is made up."""

import pytest

from mailer.receipts.report import Kind, read_report

#: how programs mark what they answer by themselves; the last leave it to the words
_MARKS = (
    "Auto-Submitted: auto-replied",
    "Auto-Submitted: auto-replied\nX-Auto-Response-Suppress: All",
    "X-Autoreply: yes\nPrecedence: bulk",
    "Precedence: auto_reply",
    "X-Mailer: none",
)

#: subject, text
_AWAY = (
    ("Abwesenheitsnotiz: Infomail", "Ich bin bis zum 14. Mai nicht im Haus. Ihre E-Mail wird nicht weitergeleitet."),
    ("Automatische Antwort: Infomail im Mai", "Vielen Dank für Ihre Nachricht. Ich bin ab 3. Juni wieder da."),
    ("AW: Infomail", "Ich befinde mich derzeit im Urlaub und bin nicht erreichbar."),
    ("Abwesend: Infomail", "In dringenden Fällen wenden Sie sich an vertretung@example.org, Durchwahl 550."),
    ("Out of Office: Infomail", "I am out of the office until Monday. Mailbox unavailable until then."),
    ("Automatic reply: Infomail", "I am on annual leave with limited access to email."),
    ("Ich bin im Urlaub", "Zurück am 2. Januar. Postfach voll? Das kann sein."),
    ("Urlaub", "Während meines Urlaubs vertritt mich Frau Beispiel (beispiel@example.org)."),
    ("Büro Abwesenheit", "Das Büro ist über die Feiertage geschlossen."),
    ("Eingangsbestätigung", "Ihre E-Mail ist bei der Stadt Musterstadt eingegangen und wird bearbeitet."),
    ("Automatische Antwort", "Wegen Krankheit kann ich Ihre Mail nicht lesen. Sie wird nicht zugestellt an andere."),
    ("Infomail", "Ich bin zurzeit nicht im Büro. Bitte rufen Sie in der Zentrale an."),
    ("Re: Infomail", "Ich bin leider bis auf weiteres nicht erreichbar."),
    ("Automatische Antwort: Zustellung", "Dienstreise bis Freitag. unknown user? Nein, nur unterwegs."),
    ("Nicht im Büro: Infomail", "Bis 9. August bin ich nicht am Platz."),
    ("Außer Haus", "Ich bin auf einer Fortbildung und ab Mittwoch wieder im Rathaus."),
    ("Abwesenheitsassistent", "Elternzeit bis Oktober. Vertretung: amt50@example.org"),
    ("Automatisierte Antwort", "Dies ist eine automatische Antwort des Bürgerbüros."),
    ("Vacation reply", "I will be away from my desk. 5.1.1 is a number, too."),
    ("Auto-Reply: Infomail", "Thank you. We answer within two working days."),
    ("I am away", "Back next week. Your message was not delivered to anybody else."),
    ("On holiday", "This is an automated response."),
    ("Infomail", "Ich bin im Mutterschutz; danach bin ich in Elternzeit."),
    ("Abwesenheit", "Ich arbeite montags bis mittwochs."),
    ("Automatische Abwesenheitsnachricht", "Mein Postfach ist voll, sobald ich zurück bin, lese ich alles."),
)  # fmt: skip

#: subject, text, whom it names
_GONE = (
    ("Automatische Antwort: Infomail", "Ich bin nicht mehr bei der Stadt tätig. Bitte an neu@example.org.", "neu@example.org"),
    ("Abwesenheitsnotiz", "Frau Muster ist aus dem Dienst ausgeschieden. Nachfolge: amt@example.org", "amt@example.org"),
    ("AW: Infomail", "Herr Beispiel ist im Ruhestand. Seine Aufgaben hat ehrenamt@example.org.", "ehrenamt@example.org"),
    ("Automatische Antwort", "Ich habe die Stadtverwaltung verlassen. Ansprechpartnerin: b@example.org", "b@example.org"),
    ("Automatische Antwort", "Ich habe die Stelle gewechselt; zuständig ist jetzt stab@example.org.", "stab@example.org"),
    ("Abwesenheit", "Seit 1. April arbeite ich nicht mehr für den Kreis. Neu: kreis@example.org", "kreis@example.org"),
    ("Automatische Antwort", "Frau Probe ist hier nicht mehr beschäftigt. Wenden Sie sich an info@example.org", "info@example.org"),
    ("Automatische Antwort", "Für das Ehrenamt bin ich nicht mehr zuständig, sondern d@example.org", "d@example.org"),
    ("Automatische Antwort", "Dieses Postfach wird nicht mehr gelesen. Schreiben Sie an post@example.org", "post@example.org"),
    ("Abwesenheitsnotiz", "Ich bin in Rente! Alles Weitere: rathaus@example.org", "rathaus@example.org"),
    ("Automatische Antwort", "Meine Nachfolge hat Frau Neu (neu.frau@example.org) angetreten.", "neu.frau@example.org"),
    ("Automatische Antwort", "Mein Nachfolger ist Herr Neu, n@example.org.", "n@example.org"),
    ("Automatic reply", "Erna has left the authority. Please write to desk@example.org.", "desk@example.org"),
    ("Automatic reply", "I no longer work here. Contact successor@example.org.", "successor@example.org"),
    ("Out of office", "Otto has retired. New contact: team@example.org", "team@example.org"),
    ("Automatische Antwort", "Ich bin seit Mai nicht länger bei der Gemeinde tätig.", ""),
    ("Automatische Antwort", "Das Amt hat neue Ansprechpartner: f@example.org", "f@example.org"),
    ("Abwesenheitsnotiz", "Ich wurde pensioniert. Es war mir eine Freude. g@example.org", "g@example.org"),
    ("Automatische Antwort", "Die Zuständigkeit hat gewechselt: jetzt h@example.org", "h@example.org"),
    ("Automatische Antwort", "Ich bin ausgeschieden; user unknown heißt es bald. i@example.org", "i@example.org"),
)  # fmt: skip


def _mail(subject: str, text: str, mark: str) -> bytes:
    return (
        f"Return-Path: <>\nFrom: Erna Muster <erna@example.net>\nTo: bounce@infomail.example.org\n"
        f"Subject: {subject}\n{mark}\nContent-Type: text/plain; charset=utf-8\n\nGuten Tag,\n\n{text}\n"
    ).encode()


@pytest.mark.parametrize("mark", _MARKS[:3])
@pytest.mark.parametrize(("subject", "text"), _AWAY)
def test_who_is_away_is_there(subject: str, text: str, mark: str) -> None:
    report = read_report(_mail(subject, text, mark))
    assert [(each.address, each.kind) for each in report.recipients] == [("erna@example.net", Kind.AUTOREPLY)]
    assert (report.left, report.successors) == (False, ())


@pytest.mark.parametrize(
    ("subject", "text"), [each for each in _AWAY if each[0] not in ("Re: Infomail", "AW: Infomail")]
)
def test_an_answer_that_no_program_marked_is_told_by_its_words(subject: str, text: str) -> None:
    assert read_report(_mail(subject, text, _MARKS[-1])).kind is Kind.AUTOREPLY


@pytest.mark.parametrize("mark", [_MARKS[0], _MARKS[3]])
@pytest.mark.parametrize(("subject", "text", "successor"), _GONE)
def test_who_left_names_whom_to_ask_and_is_no_bounce(
    subject: str, text: str, successor: str, mark: str
) -> None:
    report = read_report(_mail(subject, text, mark))
    assert report.kind is Kind.AUTOREPLY
    assert report.left
    assert report.successors == ((successor,) if successor else ())


def test_there_are_enough_of_them() -> None:
    assert len(_AWAY) + len(_GONE) >= 40


def test_a_person_who_writes_that_somebody_left_is_no_automatic_answer() -> None:
    report = read_report(_mail("Frage", "Frau Muster ist im Ruhestand, wer ist zuständig?", _MARKS[-1]))
    assert not report.left
