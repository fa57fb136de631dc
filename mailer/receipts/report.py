"""placeholder"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Returned:
    address: str
    kind: str
    status: str
    action: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    kind: str
    recipients: tuple[Returned, ...]
    references: tuple[str, ...]
    envelope_id: str
    subject: str


def read_report(raw: bytes) -> Report:
    text = raw.decode("utf-8", "replace")
    kind = "complaint" if "feedback-report" in text else "hard" if "Action: failed" in text else "other"
    return Report(kind, (), (), "", "")
