"""How servers and gateways of this country word their reports. Every mail here is made up after their manner."""

import pytest

from mailer.receipts.report import Kind, Reason, read_report

ADDRESS = "erna@example.net"

#: family -> From, Subject, text
_FAMILIES = {
    "T-Online": (
        "Mail Delivery System <Mailer-Daemon@mailin.example.net>",
        "Mail delivery failed: returning message to sender",
        "|------------------------- Message log follows: -------------------------|\n"
        " no valid recipients were found for this message\n"
        "|------------------------- Failed addresses follow: ---------------------|\n"
        " <{address}> ... {reply}\n",
    ),
    "GMX and WEB.DE": (
        "Mail Delivery System <mailer-daemon@mx.example.net>",
        "Mail delivery failed: returning message to sender",
        "This message was created automatically by mail delivery software.\n\n"
        "A message that you sent could not be delivered to one or more of\n"
        "its recipients. This is a permanent error. The following address(es)\nfailed:\n\n"
        "{address}:\nSMTP error from remote server for RCPT TO command, host: mx00.example.net (192.0.2.5)"
        " reason: {reply}\n\n\n--- The header of the original message is following. ---\n\nTo: {address}\n",
    ),
    "IONOS": (
        "Mail Delivery System <mailer-daemon@kundenserver.example.net>",
        "Unzustellbar: Infomail",
        "Diese Nachricht wurde automatisch von einem Mailserver erzeugt.\n\n"
        "Ihre Nachricht konnte an die folgenden Empfänger nicht zugestellt werden:\n\n"
        "{address}:\n  {reply}\n",
    ),
    "Exchange in German": (
        "Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.net>",
        "Unzustellbar: Infomail",
        "Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Gruppen:\n\n{address}\n{reply}\n\n"
        "Diagnoseinformationen für Administratoren:\n\nGenerierender Server: mx.example.net\n",
    ),
    "Exchange 2003 in German": (
        "Systemadministrator <postmaster@example.net>",
        "Unzustellbar: Infomail",
        "Ihre Nachricht\n\n  An:      verteiler@example.org\n  Betreff: Infomail\n\n"
        "hat den folgenden Empfänger nicht erreicht:\n\n{address} am 04.05.2026 08:01\n    {reply}\n",
    ),
    "Domino in German": (
        "Postmaster@example.net",
        "DELIVERY FAILURE: {reply}",
        "Ihre Nachricht\n\n  Betreff: Infomail\n\nkonnte nicht zugestellt werden an:\n\n  {address}\n\n"
        "da:\n\n  {reply}\n",
    ),
    "qmail": (
        "MAILER-DAEMON@mx.example.net",
        "failure notice",
        "Hi. This is the qmail-send program at mx.example.net.\nI'm afraid I wasn't able to deliver your message\n"
        "to the following addresses.\n\n<{address}>:\n192.0.2.9 does not like recipient.\n"
        "Remote host said: {reply}\nGiving up on 192.0.2.9.\n\n--- Below this line is a copy of the message.\n",
    ),
    "Mimecast": (
        "Postmaster <postmaster@mimecast.example.net>",
        "[Postmaster] Email Delivery Failure",
        "This is an automated message from the mail system.\n\nYour email could not be delivered to:\n\n"
        "{address}\n\nThe remote server said: {reply}\n",
    ),
    "Proofpoint": (
        "Mail Delivery Subsystem <MAILER-DAEMON@pphosted.example.net>",
        "Returned mail: see transcript for details",
        "   ----- The following addresses had permanent fatal errors -----\n<{address}>\n    (reason: {reply})\n\n"
        "   ----- Transcript of session follows -----\n... while talking to mx.example.net.:\n"
        ">>> RCPT To:<{address}>\n<<< {reply}\n",
    ),
    "Barracuda": (
        "Barracuda <mailer-daemon@barracuda.example.net>",
        "Delivery Status Notification (Failure)",
        "Your message to {address} could not be delivered.\nRemote server replied: {reply}\n",
    ),
    "Sophos": (
        "Mail Delivery System <mailer-daemon@utm.example.net>",
        "Mail delivery failed",
        "Delivery to the following recipient failed:\n\n  {address}\n    host mx.example.net [192.0.2.5]\n    {reply}\n",
    ),
    "NoSpamProxy": (
        "NoSpamProxy <postmaster@gateway.example.net>",
        "Zustellung fehlgeschlagen: Infomail",
        "Die folgende E-Mail konnte nicht zugestellt werden.\n\nEmpfänger: {address}\n"
        "Grund: Der entfernte Server antwortete mit \"{reply}\"\n",
    ),
    "Hornetsecurity": (
        "MAILER-DAEMON@hornet.example.net",
        "Undelivered Mail Returned to Sender",
        "This is the mail system at host mx.hornet.example.net.\n\n<{address}>: host mx.example.net[192.0.2.5]"
        " said: {reply} (in\n    reply to RCPT TO command)\n",
    ),
    "REDDOXX": (
        "Postmaster <postmaster@reddoxx.example.net>",
        "Nicht zustellbar: Infomail",
        "Die Nachricht konnte an den folgenden Empfänger nicht zugestellt werden:\n\n{address}\n\n"
        "Antwort des Servers: {reply}\n",
    ),
}  # fmt: skip

_REPLIES = (
    ("550 5.1.1 User unknown", Kind.HARD, Reason.UNKNOWN_USER),
    ("550 Requested action not taken: mailbox unavailable", Kind.HARD, Reason.UNKNOWN_USER),
    ("550 5.1.1 Empfänger unbekannt", Kind.HARD, Reason.UNKNOWN_USER),
    ("550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found", Kind.HARD, Reason.UNKNOWN_USER),
    ("552 5.2.2 Mailbox full", Kind.SOFT, Reason.FULL),
    ("552 Das Postfach des Empfängers ist voll", Kind.SOFT, Reason.FULL),
    ("554 5.7.1 Message rejected as spam", Kind.SOFT, Reason.SPAM),
    ("550 5.7.1 Richtlinie der Behörde verletzt", Kind.SOFT, Reason.POLICY),
    ("552 5.3.4 Nachrichtengröße überschreitet das Limit", Kind.SOFT, Reason.SIZE),
    # in words alone, what speaks of time alone is held against nobody
    ("421 4.4.2 Connection timed out", Kind.DELAYED, Reason.EXPIRED),
    ("554 5.4.6 Too many hops", Kind.SOFT, Reason.ROUTING),
)


@pytest.mark.parametrize(("reply", "kind", "reason"), _REPLIES)
@pytest.mark.parametrize("family", _FAMILIES)
def test_whoever_words_it_a_reply_means_the_same(family: str, reply: str, kind: Kind, reason: Reason) -> None:
    sender, subject, text = (each.format(address=ADDRESS, reply=reply) for each in _FAMILIES[family])
    head = f"From: {sender}\nTo: bounce@infomail.example.org\nSubject: {subject}\n"
    raw = f"{head}Content-Type: text/plain; charset=utf-8\n\n{text}".encode()
    [returned] = read_report(raw).recipients
    assert (returned.address, returned.kind, returned.reason) == (ADDRESS, kind, reason)


#: what programs say when they give no reply of a server
_SAYINGS = (
    ("Die eingegebene E-Mail-Adresse konnte nicht gefunden werden.", Reason.UNKNOWN_USER),
    ("Die angegebene E-Mail-Adresse existiert nicht.", Reason.UNKNOWN_USER),
    ("Das E-Mail-Konto ist nicht in der Organisation vorhanden, an die diese Nachricht gesendet wurde.", Reason.UNKNOWN_USER),
    ("Der Empfängername ist nicht bekannt.", Reason.UNKNOWN_USER),
    ("Das Postfach ist deaktiviert.", Reason.UNKNOWN_USER),
    ("Kein Postfach unter diesem Namen.", Reason.UNKNOWN_USER),
    ("User erna (erna@example.net) nicht im Domino-Verzeichnis aufgeführt", Reason.UNKNOWN_USER),
    ("Host or domain name not found. Name service error for name=example.net", Reason.UNKNOWN_HOST),
    ("all relevant MX records point to non-existent hosts", Reason.UNKNOWN_HOST),
    ("Unrouteable address", Reason.UNKNOWN_HOST),
    ("Das Postfach des Empfängers ist voll und kann keine Nachrichten mehr annehmen.", Reason.FULL),
    ("Kontingent überschritten", Reason.FULL),
    ("Der Speicherplatz des Empfängers reicht nicht.", Reason.FULL),
    ("Die Nachricht ist zu groß.", Reason.SIZE),
    ("Die Nachricht überschreitet die maximale Größe.", Reason.SIZE),
    ("Die Nachricht wurde als unerwünschte Werbung eingestuft.", Reason.SPAM),
    ("Die Nachricht enthält Schadsoftware.", Reason.SPAM),
    ("Sie haben keine Berechtigung, an diesen Empfänger zu senden.", Reason.POLICY),
    ("Für die Gruppe gilt: Der Absender ist nicht erlaubt.", Reason.POLICY),
    ("retry timeout exceeded", Reason.EXPIRED),
    ("Zeitüberschreitung bei der Verbindung", Reason.EXPIRED),
    ("Der Server ist nicht erreichbar.", Reason.EXPIRED),
    ("Das Konto ist gesperrt.", Reason.LOCKED),
    ("Host not found, try again", Reason.DNS),
)  # fmt: skip


@pytest.mark.parametrize(("saying", "reason"), _SAYINGS)
def test_a_saying_without_a_code_has_its_reason(saying: str, reason: Reason) -> None:
    sender, subject, text = (
        each.format(address=ADDRESS, reply=saying) for each in _FAMILIES["Exchange in German"]
    )
    raw = f"From: {sender}\nSubject: {subject}\nContent-Type: text/plain; charset=utf-8\n\n{text}".encode()
    [returned] = read_report(raw).recipients
    assert returned.reason is reason
    late = Kind.DELAYED if reason is Reason.EXPIRED else Kind.SOFT
    assert returned.kind is (Kind.HARD if reason.startswith("unknown") else late)


@pytest.mark.parametrize(
    "text",
    [
        "Die Zustellung an {address} hat sich verzögert. Es wird weiter versucht, sie zuzustellen.",
        "Ihre Nachricht an {address} wurde noch nicht übermittelt. Weitere Versuche folgen.",
        "{address}\n\nDiese Nachricht wurde noch nicht zugestellt. Der Server wird es weiterhin versuchen.",
        "This is a warning message only. Delivery to {address} is delayed; we will keep trying.",
        "The message to {address} has not been delivered yet. No action is required on your part.",
    ],
)
def test_who_goes_on_trying_has_not_failed(text: str) -> None:
    head = "From: postmaster@example.net\nSubject: Zustellung\nContent-Type: text/plain; charset=utf-8\n\n"
    [returned] = read_report((head + text.format(address=ADDRESS)).encode()).recipients
    assert (returned.address, returned.kind) == (ADDRESS, Kind.DELAYED)


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Gelesen: Infomail", "Ihre Nachricht wurde am 4. Mai gelesen."),
        ("Read: Infomail", "Your message was read on 4 May."),
        (
            "Please confirm your message",
            "To deliver your message, click on the link. Anti-spam by example.net",
        ),
    ],
)
def test_read_receipts_and_challenges_are_no_failures(subject: str, text: str) -> None:
    raw = f"From: Erna <{ADDRESS}>\nSubject: {subject}\nContent-Type: text/plain\n\n{text}\n".encode()
    assert read_report(raw).kind in (Kind.OTHER, Kind.AUTOREPLY)


@pytest.mark.parametrize("action", ["failed", "delayed"])
def test_a_report_by_the_book_says_itself_whether_it_was_given_up(action: str) -> None:
    raw = (
        "From: MAILER-DAEMON@mx.example.net\nSubject: Undelivered Mail Returned to Sender\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        f"--b\n\n<{ADDRESS}>: connection timed out\n--b\nContent-Type: message/delivery-status\n\n"
        "Reporting-MTA: dns; mx.example.net\n\n"
        f"Final-Recipient: rfc822; {ADDRESS}\nAction: {action}\nStatus: 4.4.1\n\n--b--\n"
    )
    [returned] = read_report(raw.encode()).recipients
    assert returned.kind is (Kind.SOFT if action == "failed" else Kind.DELAYED)


def test_a_report_that_could_not_be_delivered_is_about_whoever_was_to_get_it() -> None:
    """To the postmaster: our report to the sender came back. What that one says is about another mail."""

    def report(about: str, returned: str) -> str:
        return (
            "From: MAILER-DAEMON@mx.example.net\nSubject: Returned mail: see transcript for details\n"
            f'Content-Type: multipart/report; report-type=delivery-status; boundary="{about[:4]}"\n\n'
            f"--{about[:4]}\n\nundelivered\n--{about[:4]}\nContent-Type: message/delivery-status\n\n"
            f"Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; {about}\nAction: failed\n"
            f"Status: 5.1.1\n\n--{about[:4]}\nContent-Type: message/rfc822\n\n{returned}\n--{about[:4]}--\n"
        )

    raw = report("sender@example.org", report(ADDRESS, "Subject: Infomail\n\nGuten Tag\n"))
    assert [each.address for each in read_report(raw.encode()).recipients] == ["sender@example.org"]


def test_whom_exim_lists_goes_before_whom_its_header_names() -> None:
    raw = (
        f"From: Mailer-Daemon@mx.example.net\nX-Failed-Recipients: alias@example.org\n"
        "Subject: Mail delivery failed: returning message to sender\n\n"
        "A message that you sent could not be delivered to one or more of its recipients.\n"
        f"This is a permanent error. The following address(es) failed:\n\n  {ADDRESS}\n"
        "    host mx.example.net [192.0.2.7]: 550 5.1.1 User unknown\n"
    )
    [returned] = read_report(raw.encode()).recipients
    assert (returned.address, returned.kind) == (ADDRESS, Kind.HARD)


@pytest.mark.parametrize("first", ["Original-Recipient", "Final-Recipient"])
def test_of_the_original_and_the_final_recipient_the_one_that_stands_first_is_meant(first: str) -> None:
    other = {"Original-Recipient": "Final-Recipient", "Final-Recipient": "Original-Recipient"}[first]
    raw = (
        "From: MAILER-DAEMON@mx.example.net\nSubject: Undelivered Mail Returned to Sender\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\n\nNo such user\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n"
        f"{first}: rfc822; {ADDRESS}\n{other}: rfc822; alias@example.org\nAction: failed\nStatus: 5.1.1\n\n--b--\n"
    )
    [returned] = read_report(raw.encode()).recipients
    assert returned.address == ADDRESS
