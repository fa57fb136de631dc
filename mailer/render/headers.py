"""The header lines of an edition that machines read: list, links to leave, where answers go. Pure."""

from urllib.parse import quote as url_quote

from mailer.issues.model import Issue
from mailer.render.choose import Setting
from mailer.render.headerlines import ascii_address, phrase
from mailer.render.letterhead import Letterhead
from mailer.render.message import Slot


def machine_headers(issue: Issue, setting: Setting, letterhead: Letterhead) -> list[bytes]:
    """Complete lines in ASCII, with the marks of slots in them."""
    said, domain = setting["of_list"], letterhead.message_id_domain
    token = Slot.UNSUBSCRIBE.value.decode()
    https = letterhead.links.unsubscribe(token)
    mailto = letterhead.return_path.unsubscribe_mailto(token)
    owner = url_quote(ascii_address(letterhead.operator or letterhead.address), safe="@+")
    lines = [
        f"To: {Slot.TO.value.decode()}",
        f"Date: {Slot.DATE.value.decode()}",
        f"Message-ID: <{Slot.MESSAGE_ID.value.decode()}@{domain}>",
        # RFC 2919: the list's name, and an identifier that never changes
        f"List-Id: {phrase(said['title'], len('List-Id: '))}\r\n <{said['key']}.{domain}>",
        f"List-Help: <{letterhead.links.base}>",
        f"List-Archive: <{letterhead.links.archive(setting['archive'])}>",
        f"List-Owner: <mailto:{owner}>",
        f"List-Unsubscribe: <{https}>,\r\n <{mailto}>",
        # RFC 8058: that https address takes a POST from the mail program itself
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        f"Feedback-ID: {issue.handle:016x}:{said['key']}:{issue.newsletter}:{domain}",
        "X-Auto-Response-Suppress: OOF, AutoReply",
    ]
    return [line.encode("ascii") for line in lines]
