"""What is looked at before an issue is released, edition by edition. Pure: mailer.gate asks the network.

finding      what was found: how grave, in words, and where
page         the HTML of a mail, read once
accessible   WCAG 2.2 as far as a machine can tell, contrast in light and dark
alike        whether the text part says what the HTML says
sendable     what must hold, and what readers and their programs stumble over
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from mailer.render.preflight.accessible import accessible
from mailer.render.preflight.finding import Finding, Severity, Shown
from mailer.render.preflight.page import Page
from mailer.render.preflight.sendable import blockers, imprint_gaps, sendable

__all__ = ["Finding", "Page", "Severity", "Shown", "blockers", "imprint_gaps", "inspect"]


def inspect(
    page: Page,
    *,
    subject: str,
    preheader: str,
    text: str,
    message: bytes,
    shown: Sequence[Shown],
    send_at: datetime,
    ours: str,
) -> Iterator[Finding]:
    """All findings of one edition, as the press made it (mailer.render.press.Rendered).

    `message` is encoded and has slots; page and `text` are without anybody's. `shown` are its entries,
    `send_at` is in the zone of the issue. Addresses below `ours` are those of the pages.
    """
    yield from sendable(
        page,
        subject=subject,
        preheader=preheader,
        text=text,
        message=message,
        shown=shown,
        send_at=send_at,
        ours=ours,
    )
    yield from accessible(page)
