"""What a program sent is never answered."""

import pytest

from mailer.receipts.answering import may_be_answered


@pytest.mark.parametrize(
    ("head", "sender", "answered"),
    [
        ("Subject: unsubscribe", "someone@example.net", True),
        ("Subject: abmelden\nAuto-Submitted: no", "someone@example.net", True),
        ("Subject: abmelden", "", True),  # from a mailbox or a pipe that does not tell
        ("Subject: unsubscribe", "<>", False),
        ("Return-Path: <>\nSubject: unsubscribe", "", False),
        ("Auto-Submitted: auto-replied", "someone@example.net", False),
        ("auto-submitted: Auto-Generated; type=x", "someone@example.net", False),
        ("Precedence: Bulk", "someone@example.net", False),
        ("Precedence: list", "someone@example.net", False),
        ("Precedence: first-class", "someone@example.net", True),
        ("List-Id: <a.example.net>", "someone@example.net", False),
        ("list-unsubscribe: <mailto:a@example.net>", "someone@example.net", False),
        ("X-Auto-Response-Suppress: All", "someone@example.net", False),
        ("Subject: x\n\nPrecedence: bulk", "someone@example.net", True),
        ("", "someone@example.net", True),
    ],
)
def test_only_a_person_is_answered(head: str, sender: str, answered: bool) -> None:
    for newline in ("\n", "\r\n"):
        assert may_be_answered(head.replace("\n", newline).encode(), sender) is answered
