"""Preflight of an issue: every edition that its audience needs now, looked at before it is released.

What blocks is also asked where editions are rendered for good (mailer.render.editions), so nothing that
blocks goes out by whatever way. What needs the network is bounded in time, asks each host gently, and
never follows a link that is anybody's own.
"""

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from zoneinfo import ZoneInfo

from jinja2 import TemplateError

from mailer.feeds.following import follow
from mailer.feeds.hosts import host_of
from mailer.installation import Installation, relays
from mailer.issues.model import Issue, pictures_of
from mailer.outbox.capacity import quotas_of
from mailer.outbox.pace import Quota, expected_end, observed_pace
from mailer.outbox.readers import count_readers, readers_of
from mailer.render.editions import chooser_of, shown_of, with_page
from mailer.render.finish import BadPage
from mailer.render.message import Prepared, Slot, header_value, salutation
from mailer.render.preflight import Finding, Page, Severity, imprint_gaps, inspect
from mailer.render.press import Press
from mailer.render.selfcontained import NotSelfContained
from mailer.render.stationery import stationery_of
from mailer.rspamd import Unweighed, weigh
from subscribers.audience import AudienceKey, audience_keys


@dataclass
class Report:
    """What preflight found; a finding of several editions stands once, with those it is in."""

    editions: int = 0
    people: int = 0
    #: when the last mail is expected to be out; None where nothing is known of the pace
    ends_at: datetime | None = None
    findings: list[Finding] = field(default_factory=list)
    _in: dict[tuple[str, ...], list[str]] = field(default_factory=dict)

    def add(self, found: Iterable[Finding], *editions: str) -> None:
        """The findings of an edition, or without one of the issue as a whole."""
        for finding in {finding.key: finding for finding in found}.values():
            if finding.key not in self._in:
                self.findings.append(finding)
            self._in.setdefault(finding.key, []).extend(editions)

    def editions_of(self, finding: Finding) -> list[str]:
        """In which editions it was found: list, language, and the places of those who get it."""
        return self._in[finding.key]

    def of(self, severity: Severity) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity is severity]


def look_at(
    house: Installation, issue_id: int, *, now: datetime, network: bool, quotas: Sequence[Quota] | None = None
) -> Report:
    """Preflight of the issue as it would go out now. Stores nothing. `quotas` replace those of the relays."""
    report = Report()
    report.add(Finding("imprint", {"setting": gap}) for gap in imprint_gaps(house.letterhead.imprint))
    with house.database.read() as session:
        issue = session.get_one(Issue, issue_id)
        readers = readers_of(session, issue)
        today = now.astimezone(ZoneInfo(issue.zone)).date()
        keys = audience_keys(session, readers.lists, today, among=readers.among)
        stationery = stationery_of(house.letterhead)
        chooser, pictures = chooser_of(session, issue, stationery), pictures_of(session, issue)
        report.people = count_readers(session, issue, today)
        begins = max(now, issue.send_at).astimezone(ZoneInfo(issue.zone))
        if quotas is None:
            quotas = quotas_of(session, relays(house.settings), now)
        report.ends_at = expected_end(report.people, begins, observed_pace(session), quotas)
    wanted = {chooser.digest(key): key for key in keys}
    if not wanted:  # nobody is on its list yet
        key = AudienceKey(issue.for_list or issue.list_key, "de", "", "")
        wanted = {chooser.digest(key): key}
    report.editions = len(wanted)
    press = Press(issue, stationery, pictures)
    messages: list[bytes] = []
    urls: dict[str, None] = {}
    for digest, key in sorted(wanted.items()):
        edition = ", ".join(filter(None, (key.list_key, key.language, key.places)))
        entries = chooser.visible(key)
        setting = with_page(chooser.setting(key), issue, digest, house.signing)
        try:
            rendered = press.edition(entries, setting, digest)
        except NotSelfContained as problem:
            report.add([Finding("remote", {"found": str(problem)})], edition)
            continue
        except (TemplateError, BadPage) as problem:
            report.add([Finding("template", {"problem": str(problem)})], edition)
            continue
        page = Page(rendered.html)
        found = inspect(
            page,
            subject=rendered.subject,
            preheader=setting["preheader"],
            text=rendered.text,
            message=rendered.message,
            shown=shown_of(issue, entries, house.letterhead),
            send_at=begins,
            ours=house.letterhead.links.base,
        )
        report.add(found, edition)
        messages.append(rendered.message)
        urls |= dict.fromkeys(link.url for link in page.links)
    if network:
        report.add(asyncio.run(_reached(house, list(urls), messages, now)))
    return report


async def _reached(
    house: Installation, urls: Sequence[str], messages: Sequence[bytes], now: datetime
) -> list[Finding]:
    own = host_of(house.letterhead.links.base)
    others = [url for url in urls if url.startswith(("http://", "https://")) and host_of(url) != own]
    personal = [url for url in others if _PERSONAL.search(url)]
    found = [_unchecked(url, "it may be somebody's own") for url in personal]
    for followed in await follow([url for url in others if url not in personal], policy=house.fetching):
        if followed.is_broken:
            found.append(Finding("dead-link", {"problem": followed.problem, "url": followed.url[:100]}))
        elif followed.problem:
            found.append(_unchecked(followed.url, followed.problem))
    if house.settings.rspamd_url:
        found += await _weighed(house, messages, now)
    return found


def _unchecked(url: str, problem: str) -> Finding:
    return Finding("link-unchecked", {"problem": problem, "url": url[:100]})


async def _weighed(house: Installation, messages: Sequence[bytes], now: datetime) -> list[Finding]:
    """What rspamd says of a mail of each edition, as it would leave; when it fails, it is asked no more."""
    found: list[Finding] = []
    for message in messages:
        mail = _addressed(house, message, now)
        try:
            weighed = await weigh(
                mail, url=house.settings.rspamd_url, sender=house.letterhead.address, recipient=_NOBODY
            )
        except Unweighed as problem:
            return [*found, Finding("spam-unchecked", {"problem": str(problem)})]
        if weighed.is_suspect:
            values = {"score": f"{weighed.score:.1f}", "most": f"{weighed.most:.1f}"}
            found.append(Finding("spam", values | {"symbols": ", ".join(weighed.symbols)}))
    return found


def _addressed(house: Installation, message: bytes, now: datetime) -> bytes:
    as_text, as_html = salutation("Guten Tag,")
    mail = Prepared(message).fill(
        {
            Slot.TO: header_value(_NOBODY),
            Slot.DATE: format_datetime(now).encode(),
            Slot.MESSAGE_ID: b"preflight",
            Slot.UNSUBSCRIBE: b"preflight",
            Slot.SALUTATION_TEXT: as_text,
            Slot.SALUTATION_HTML: as_html,
        }
    )
    return mail if house.signer is None else house.signer.sign(mail, at=int(now.timestamp()))


_NOBODY = "nobody@example.org"
#: other senders' links of this kind, copied into an entry, may do something when they are followed
_PERSONAL = re.compile(r"unsubscribe|abmeld|abbestell|opt-?(?:in|out)|confirm|bestaetig", re.IGNORECASE)
