"""Mailboxes that others deliver into: an IMAP account, a Maildir."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

import structlog

from mailer.installation import Installation, imap_account, open_arrivals, retention, tls_context
from mailer.receipts import imap, maildir
from mailer.receipts.arrivals import Arrivals
from mailer.receipts.intake import store_arrivals
from mailer.receipts.mailbox import MailboxProblem
from mailer.receipts.oauth import Client, fetch_token

log = structlog.get_logger()

_Look = Callable[[Arrivals, datetime], int]


def collect(house: Installation, *, now: datetime) -> int:
    """Take what lies in the mailboxes; how many mails it was.

    A mailbox that cannot be read now is written down, and costs neither the other one nor the rest.
    """
    looks = mailboxes(house)
    if not looks:
        return 0
    arrivals = open_arrivals(house.settings)
    taken = 0
    for name, look in looks.items():
        try:
            found = look(arrivals, now)
        except MailboxProblem as problem:
            log.warning("mailbox.failed", mailbox=name, reason=str(problem))
            continue
        if found:
            log.info("mailbox.read", mailbox=name, mails=found)
        taken += found
    store_arrivals(house.database, arrivals)
    return taken


def mailboxes(house: Installation) -> dict[str, _Look]:
    """How to look into each mailbox of the settings. Raises NotConfigured."""
    found: dict[str, _Look] = {}
    settings = house.settings
    if account := imap_account(settings):
        found["imap"] = partial(_imap, house, *account)
    if settings.maildir:
        found["maildir"] = partial(_maildir, house)
    return found


def _imap(
    house: Installation, account: imap.Account, client: Client | None, arrivals: Arrivals, now: datetime
) -> int:
    tls = tls_context(house.settings)
    return imap.collect(
        account,
        arrivals.keep,
        tls=tls,
        token=partial(fetch_token, client, tls) if client else None,
        return_path=house.letterhead.return_path,
        now=now,
        keep_since=now - retention(house.settings).receipts,
    )


def _maildir(house: Installation, arrivals: Arrivals, now: datetime) -> int:
    assert house.settings.maildir is not None
    return maildir.collect(
        house.settings.maildir,
        arrivals.keep,
        return_path=house.letterhead.return_path,
        now=now,
        keep_since=now - retention(house.settings).receipts,
    )
