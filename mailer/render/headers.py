"""The header lines of an edition that machines read: list, links to leave, where answers go. Pure."""

from mailer.issues.model import Issue
from mailer.render.choose import Setting
from mailer.render.letterhead import Letterhead
from mailer.render.message import Slot, phrase


def machine_headers(issue: Issue, setting: Setting, letterhead: Letterhead) -> list[bytes]:
    """Complete lines in ASCII, with the marks of slots in them."""
    said, domain = setting["of_list"], letterhead.message_id_domain
    token = Slot.UNSUBSCRIBE.value.decode()
    https = letterhead.links.unsubscribe(token)
    mailto = letterhead.return_path.unsubscribe_mailto(token)
    lines = [
        f"To: {Slot.TO.value.decode()}",
        f"Date: {Slot.DATE.value.decode()}",
        f"Message-ID: <{Slot.MESSAGE_ID.value.decode()}@{domain}>",
        # RFC 2919: the list's name, and an identifier that never changes
        f"List-Id: {phrase(said['title'])}\r\n <{said['key']}.{domain}>",
        f"List-Help: <{letterhead.links.base}>",
        f"List-Archive: <{letterhead.links.archive(setting['archive'])}>",
        f"List-Owner: <mailto:{letterhead.operator or letterhead.address}>",
        f"List-Unsubscribe: <{https}>,\r\n <{mailto}>",
        # RFC 8058: that https address takes a POST from the mail program itself
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        f"Feedback-ID: {issue.handle:016x}:{said['key']}:{issue.newsletter}:{domain}",
        "X-Auto-Response-Suppress: OOF, AutoReply",
    ]
    return [line.encode("ascii") for line in lines]
