"""What the demo's recipients answer: a bounce, a complaint, an unsubscribe, made from mails that arrived."""

import asyncio
import email
import email.policy
import smtplib
from email.message import EmailMessage
from pathlib import Path

import httpx2


def arrived(inbox: Path, message_ids: set[str]) -> list[EmailMessage]:
    """The mails of the inbox with these Message-IDs, as they lie there."""
    found = []
    for path in sorted((inbox / "new").iterdir()):
        with path.open("rb") as file:
            mail = email.message_from_binary_file(file, policy=email.policy.default)
        if mail["Message-ID"] in message_ids:
            found.append(mail)
    return found


def bounce(mail: EmailMessage) -> bytes:
    """The report (RFC 3464) with which a server says that the mail's recipient does not exist."""
    return _report(
        mail,
        "Undelivered Mail Returned to Sender",
        'report-type="delivery-status"',
        "Der Empfänger ist hier nicht bekannt: 550 5.1.1 User unknown",
        "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.example.org\r\n\r\n"
        f"Final-Recipient: rfc822; {mail['To']}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 User unknown\r\n",
    )


def complaint(mail: EmailMessage) -> bytes:
    """The report (RFC 5965) with which a provider passes on that somebody called the mail spam."""
    return _report(
        mail,
        "Abuse report",
        'report-type="feedback-report"',
        "Eine Nutzerin hat diese Nachricht als Spam gemeldet.",
        "Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: demo/1\r\n"
        f"Version: 1\r\nOriginal-Rcpt-To: {mail['To']}\r\n",
    )


def _report(mail: EmailMessage, subject: str, kind: str, words: str, machine_part: str) -> bytes:
    headers = "".join(f"{name}: {mail[name]}\r\n" for name in ("From", "To", "Message-ID"))
    return (
        f"From: MAILER-DAEMON@example.org\r\nTo: {_return_path(mail)}\r\nSubject: {subject}\r\n"
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; {kind}; boundary="b"\r\n\r\n'
        f'--b\r\nContent-Type: text/plain; charset="utf-8"\r\n\r\n{words}\r\n'
        f"--b\r\n{machine_part}\r\n"
        f"--b\r\nContent-Type: message/rfc822-headers\r\n\r\n{headers}\r\n--b--\r\n"
    ).encode()


async def hand_over(mail: EmailMessage, report: bytes, host: str, port: int) -> None:
    """Give a report about `mail` to the intake, by LMTP as a mail server does."""

    def speak() -> None:
        with smtplib.LMTP(host, port) as lmtp:
            lmtp.sendmail("", [_return_path(mail)], report)

    await asyncio.to_thread(speak)


async def unsubscribe(mail: EmailMessage, public_url: str, listening_at: str) -> None:
    """Press the mail program's own button (RFC 8058): a POST without cookie or page."""
    link = str(mail["List-Unsubscribe"]).split(">")[0].strip("< ")
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.post(
            link.replace(public_url, listening_at, 1), data={"List-Unsubscribe": "One-Click"}
        )
        answer.raise_for_status()


def _return_path(mail: EmailMessage) -> str:
    return str(mail["Return-Path"]).strip("<>")
