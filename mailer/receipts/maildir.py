"""A Maildir of our own that a mail server on this machine delivers into.

Its subfolders say how far a mail is: `new` was delivered, `cur` is what we have taken.
"""

from datetime import datetime
from pathlib import Path

from mailer.receipts.arrivals import LARGEST
from mailer.receipts.mailbox import Keep, MailboxProblem, arrival
from mailer.receipts.returnpath import ReturnPath


def collect(folder: Path, keep: Keep, *, return_path: ReturnPath, now: datetime, keep_since: datetime) -> int:
    """Take each new mail, file it into `cur`, and delete there what came before `keep_since`.

    Returns how many were taken. Of a mail beyond the limit its beginning is taken. Raises MailboxProblem,
    and what `keep` raises.
    """
    taken = 0
    try:
        for path in sorted((folder / "new").iterdir(), key=lambda each: each.name):
            with path.open("rb") as mail:
                raw = mail.read(LARGEST)
            keep(arrival(raw, owner="Maildir", return_path=return_path, now=now))
            path.replace(folder / "cur" / f"{path.name}:2,S")
            taken += 1
        for path in (folder / "cur").iterdir():
            if path.stat().st_mtime < keep_since.timestamp():
                path.unlink()
    except OSError as error:
        raise MailboxProblem(error.strerror or type(error).__name__) from error
    return taken
