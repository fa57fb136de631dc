"""What mails that come back are read as. Every mail here is made up."""

from textwrap import dedent

import pytest

from mailer.receipts.report import Kind, Reason, Report, read_report


def mail(header: str, body: str = "") -> bytes:
    return (dedent(header).strip() + "\n\n" + dedent(body).lstrip("\n")).encode()


def dsn(block: str, *, text: str = "", message: str = "Message-ID: <abc.7@infomail.example.org>") -> bytes:
    """A report as RFC 3464 wants it, about one recipient or several."""
    return mail(
        """
        Return-Path: <>
        From: Mail Delivery System <MAILER-DAEMON@mx.example.net>
        To: bounce@infomail.example.org
        Subject: Undelivered Mail Returned to Sender
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status; boundary="cut"
        """,
        "\n".join(
            [
                "--cut",
                "Content-Type: text/plain; charset=utf-8\n",
                dedent(text),
                "--cut",
                "Content-Type: message/delivery-status\n",
                "Reporting-MTA: dns; mx.example.net",
                "Original-Envelope-Id: envelope-42\n",
                dedent(block).strip(),
                "\n--cut",
                "Content-Type: message/rfc822\n",
                message,
                "Subject: Infomail im Mai\n\nGuten Tag",
                "--cut--",
            ]
        ),
    )


def block(action: str, status: str, diagnostic: str, address: str = "erna@example.net") -> str:
    return f"Final-Recipient: rfc822; {address}\nAction: {action}\nStatus: {status}\nDiagnostic-Code: {diagnostic}"


def only(report: Report) -> tuple[str, str]:
    [returned] = report.recipients
    assert returned.kind is report.kind
    return returned.address, str(returned.kind)


@pytest.mark.parametrize(
    ("status", "diagnostic", "kind"),
    [
        ("5.1.1", "smtp; 550 5.1.1 <erna@example.net>: Recipient address rejected: User unknown", "hard"),
        ("5.1.1", "smtp; 550 5.1.1 RESOLVER.ADR.RecipNotFound; not found", "hard"),
        ("5.1.10", "smtp; 550 5.1.10 Recipient not found by SMTP address lookup", "hard"),
        (
            "5.1.2",
            "X-Postfix; Host or domain name not found. Name service error for name=example.net",
            "hard",
        ),
        ("5.1.6", "smtp; 550 5.1.6 recipient no longer on server", "hard"),
        ("5.2.1", "smtp; 550 5.2.1 The account is disabled", "hard"),
        ("5.0.0", "smtp; 550 No such user here", "hard"),
        ("5.4.1", "smtp; 550 5.4.1 Recipient address rejected: Access denied. [x.example]", "soft"),
        ("5.4.1", "smtp; 550 5.4.1 [erna@example.net]: Recipient address rejected: Access denied", "hard"),
        ("5.0.0", "smtp; 554 Transaction failed", "soft"),
        ("5.2.2", "smtp; 552 5.2.2 Mailbox full", "soft"),
        ("5.3.4", "smtp; 552 5.3.4 Message too large", "soft"),
        ("5.7.1", "smtp; 554 5.7.1 Client host rejected: blocked using dnsbl.example", "soft"),
        ("5.7.1", "smtp; 550 5.7.1 Nonexistent user", "hard"),
        ("5.7.26", "smtp; 550 5.7.26 Unauthenticated email is not accepted due to DMARC policy", "soft"),
        ("5.6.0", "smtp; 552 5.6.0 Headers too large", "soft"),
        ("5.1.1", "smtp; 550 5.7.1 IP address blacklisted by recipient", "soft"),
        ("5.1.8", "smtp; 501 5.1.8 Domain of sender address does not exist", "soft"),
        ("4.4.1", "X-Postfix; connect to mx.example.net: Connection timed out", "soft"),
        ("4.0.0", "smtp; DNS Error: NXDOMAIN Domain name not found", "soft"),
    ],
)
def test_a_failed_delivery_is_hard_only_where_nobody_is_there(
    status: str, diagnostic: str, kind: str
) -> None:
    assert only(read_report(dsn(block("failed", status, diagnostic)))) == ("erna@example.net", kind)


def test_words_of_an_address_are_no_words_of_a_server() -> None:
    diagnostic = "smtp; 550 5.2.2 <unknown-user@example.net>... over its limit"
    assert (
        read_report(dsn(block("failed", "5.2.2", diagnostic, "unknown-user@example.net"))).kind is Kind.SOFT
    )


def test_what_is_refused_after_the_text_was_sent_is_the_mail_not_the_mailbox() -> None:
    text = "<erna@example.net>: host mx said: 550 User unknown (in reply to end of DATA command)"
    assert read_report(dsn(block("failed", "5.0.0", "smtp; 550 User unknown"), text=text)).kind is Kind.SOFT


@pytest.mark.parametrize("status", ["4.4.7", "4.2.2", "5.1.1"])
def test_a_delayed_report_never_suppresses_anybody(status: str) -> None:
    report = read_report(dsn(block("delayed", status, "smtp; 550 User unknown")))
    assert only(report) == ("erna@example.net", "delayed")


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
def test_a_success_is_nothing_that_came_back(action: str) -> None:
    assert only(read_report(dsn(block(action, "2.1.5", "smtp; 250 Ok"))))[1] == "other"


def test_the_gravest_recipient_speaks_for_the_mail() -> None:
    blocks = "\n\n".join(
        [
            block("delayed", "4.4.1", "smtp; 451 wait", "a@example.net"),
            block("failed", "5.1.1", "smtp; 550 User unknown", "b@example.net"),
            block("failed", "5.2.2", "smtp; 552 Mailbox full", "c@example.net"),
        ]
    )
    report = read_report(dsn(blocks))
    assert report.kind is Kind.HARD
    assert [(each.address[0], each.kind) for each in report.recipients] == [
        ("a", Kind.DELAYED),
        ("b", Kind.HARD),
        ("c", Kind.SOFT),
    ]


def test_a_report_names_the_mail_it_is_about() -> None:
    message = "Message-ID: <abc.7@infomail.example.org>\nIn-Reply-To: bare.8@infomail.example.org"
    report = read_report(dsn(block("failed", "5.1.1", "smtp; 550 no"), message=message))
    assert report.references == ("abc.7@infomail.example.org", "bare.8@infomail.example.org")
    assert report.envelope_id == "envelope-42"
    assert report.subject == "Undelivered Mail Returned to Sender"
    [returned] = report.recipients
    assert (returned.status, returned.action, returned.said) == ("5.1.1", "failed", "smtp; 550 no")
    assert returned.reason is Reason.UNKNOWN_USER


_EXIM = """
    This message was created automatically by mail delivery software.

    A message that you sent could not be delivered to one or more of its
    recipients. This is a permanent error. The following address(es) failed:

      erna@example.net
        host mx.example.net [192.0.2.7]
        SMTP error from remote mail server after RCPT TO:<erna@example.net>:
        {reply}

    ------ This is a copy of the message, including all the headers. ------

    Message-ID: <exim.1@infomail.example.org>
    To: erna@example.net
    Subject: Spam und quota: unknown user
    """
_QMAIL = """
    Hi. This is the qmail-send program at mx.example.net.
    I'm afraid I wasn't able to deliver your message to the following addresses.
    This is a permanent error; I've given up. Sorry it didn't work out.

    <erna@example.net>:
    {reply}

    --- Below this line is a copy of the message.

    Message-ID: <qmail.1@infomail.example.org>
    """
_EXCHANGE = """
    Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Gruppen:

    erna@example.net
    {reply}

    Diagnoseinformationen für Administratoren:

    Generierender Server: mx.example.net
    """
_GROUPWISE = """
    Die Nachricht, die Sie gesendet haben, konnte nicht zugestellt werden an:

    erna@example.net ({reply})
    """


@pytest.mark.parametrize(
    ("subject", "text", "reply", "kind"),
    [
        ("Mail delivery failed: returning message to sender", _EXIM, "550 5.1.1 User unknown", "hard"),
        ("Mail delivery failed: returning message to sender", _EXIM, "552 5.2.2 over quota", "soft"),
        (
            "Mail delivery failed: returning message to sender",
            _EXIM,
            "550 administrative prohibition",
            "soft",
        ),
        ("failure notice", _QMAIL, "Sorry, no mailbox here by that name. (#5.1.1)", "hard"),
        ("failure notice", _QMAIL, "The user's mailbox is full.", "soft"),
        ("Unzustellbar: Infomail", _EXCHANGE, "Die E-Mail-Adresse wurde nicht gefunden.", "hard"),
        ("Unzustellbar: Infomail", _EXCHANGE, "Das Postfach ist voll.", "soft"),
        ("Unzustellbar: Infomail", _EXCHANGE, "Remote Server returned '550 5.1.1 not found'", "hard"),
        ("Unzustellbar: Infomail", _EXCHANGE, "550 5.7.1 Richtlinie verletzt", "soft"),
        ("Nachrichtenstatus - nicht zugestellt", _GROUPWISE, "Unbekannter Benutzer", "hard"),
        ("Zustellungsfehler", _GROUPWISE, "User erna nicht im Domino-Verzeichnis aufgeführt", "hard"),
        ("DELIVERY FAILURE: Infomail", _GROUPWISE, "User erna not listed in Domino Directory", "hard"),
    ],
)
def test_reports_in_words_are_read(subject: str, text: str, reply: str, kind: str) -> None:
    header = (
        f"From: Postmaster <postmaster@mx.example.net>\nTo: bounce@infomail.example.org\nSubject: {subject}"
    )
    assert only(read_report(mail(header, text.format(reply=reply)))) == ("erna@example.net", kind)


def test_the_returned_mail_below_a_notice_gives_its_message_id() -> None:
    header = "From: MAILER-DAEMON@mx.example.net\nSubject: failure notice"
    assert read_report(mail(header, _QMAIL)).references == ("qmail.1@infomail.example.org",)


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        (
            "Warning: message 1abc delayed 24 hours",
            "It has not yet been delivered to:\n\n  erna@example.net\n",
        ),
        ("Delivery Status Notification (Delay)", "Delivery to erna@example.net. Message will be retried."),
        (
            "Delayed Mail (still being retried)",
            "<erna@example.net>: 550 User unknown\nIf undeliverable it is returned to sender.",
        ),
        ("Zustellung verzögert", "Ihre Nachricht an erna@example.net wurde noch nicht zugestellt."),
        ("Übermittlungsbericht", "Zustellung an erna@example.net verzögert; weitere Zustellversuche folgen."),
        ("Warning: could not send message for past 4 hours", "<erna@example.net>... Deferred: host unknown"),
    ],
)
def test_a_delay_told_in_words_is_delayed(subject: str, text: str) -> None:
    header = f"From: MAILER-DAEMON@mx.example.net\nSubject: {subject}"
    assert only(read_report(mail(header, text))) == ("erna@example.net", "delayed")


@pytest.mark.parametrize(
    "header",
    [
        "Subject: Abwesenheitsnotiz: Infomail",
        "Subject: =?utf-8?q?Automatische_Antwort=3A_Infomail_f=C3=BCr_Mai?=",
        "Subject: Automatische Antwort: Zustellung der Wahlunterlagen fehlgeschlagen",
        "Subject: Out of Office: Infomail",
        "Subject: AW: Infomail\nAuto-Submitted: auto-replied (vacation)",
        "Subject: Re: Infomail\nX-Autoreply: yes",
        "Subject: Re: Infomail\nX-Autorespond: yes",
        "Subject: Re: Infomail\nPrecedence: auto_reply",
        "Subject: Infomail",
    ],
)
def test_an_automatic_answer_never_counts_against_its_sender(header: str) -> None:
    body = (
        "Ich bin bis 30. Mai nicht im Büro. vertretung@example.net; user unknown, 550 5.1.1 gibt es nicht.\n"
    )
    report = read_report(mail(f"Return-Path: <>\nFrom: Erna <Erna@example.net>\n{header}", body))
    assert only(report) == ("erna@example.net", "autoreply")


@pytest.mark.parametrize("sender", ["Erna <erna@example.net>", "Rathaus <info@example.net>"])
@pytest.mark.parametrize("subject", ["Re: Infomail", "Unzustellbar: Infomail", "Nicht zustellbar"])
def test_words_of_people_never_end_an_address(sender: str, subject: str) -> None:
    body = "Die Mail wird nicht zugestellt: Die Adresse otto@example.net existiert nicht mehr."
    report = read_report(mail(f"Return-Path: <>\nFrom: {sender}\nSubject: {subject}", body))
    assert report.kind is not Kind.HARD


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("unsubscribe", ""),
        ("unsubscribe abcdefghij", ""),
        ("Re: Abmelden", "Danke"),
        ("Infomail", "bitte abmelden\n\nMit freundlichen Grüßen"),
        ("Infomail abbestellen", ""),
        ("Hallo", "\nBitte nehmen Sie mich aus dem Verteiler heraus."),
    ],
)
def test_a_wish_to_leave_is_understood(subject: str, body: str) -> None:
    report = read_report(mail(f"From: erna@example.net\nSubject: {subject}", body))
    assert only(report) == ("erna@example.net", "unsubscribe")
    assert report.subject == subject


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("Frage zur Infomail", "Wer sich abmelden will, was muss der tun?"),
        ("Re: Undelivered Mail Returned to Sender", "erna@example.net: user unknown. Was heißt das?"),
        ("Protokoll", "550 5.1.1 ist eine Zahl"),
    ],
)
def test_an_ordinary_mail_is_other(subject: str, body: str) -> None:
    report = read_report(
        mail(f"From: erna@example.net\nTo: desk@infomail.example.org\nSubject: {subject}", body)
    )
    assert (report.kind, report.recipients) == (Kind.OTHER, ())


def _complaint(feedback: str) -> bytes:
    return mail(
        """
        From: feedback@example.net
        Subject: FW: Infomail
        Content-Type: multipart/report; report-type=feedback-report; boundary=cut
        """,
        f"--cut\nContent-Type: text/plain\n\nThis is an abuse report.\n--cut\n"
        f"Content-Type: message/feedback-report\n\n{feedback}\nVersion: 1\n--cut\n"
        "Content-Type: text/rfc822-headers\n\nTo: erna@example.net\nMessage-ID: <arf.1@infomail.example.org>\n--cut--\n",
    )


@pytest.mark.parametrize(
    "feedback",
    [
        "Feedback-Type: abuse\nOriginal-Rcpt-To: <erna@example.net>",
        "Feedback-Type: opt-out\nRemoval-Recipient: erna@example.net",
        "Feedback-Type: abuse",  # then the returned mail says to whom
    ],
)
def test_a_complaint_names_who_complained(feedback: str) -> None:
    report = read_report(_complaint(feedback))
    assert only(report) == ("erna@example.net", "complaint")
    assert report.references == ("arf.1@infomail.example.org",)


@pytest.mark.parametrize("kind", ["auth-failure", "not-spam"])
def test_a_feedback_report_of_a_program_is_no_complaint(kind: str) -> None:
    assert (
        read_report(_complaint(f"Feedback-Type: {kind}\nOriginal-Rcpt-To: erna@example.net")).kind
        is Kind.OTHER
    )
