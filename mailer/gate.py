"""Preflight of an issue: every edition that its audience needs now, looked at before it is released.

What blocks is also asked where editions are rendered for good (mailer.render.editions), so nothing that
blocks goes out by whatever way. What needs the network is bounded in time, asks each host gently, and
never follows a link that is anybody's own.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from zoneinfo import ZoneInfo

import httpx2
from jinja2 import TemplateError

from mailer.feeds.fetch import FetchProblem, Kind, Policy, fetch, trusted
from mailer.feeds.hosts import Turns, host_of
from mailer.installation import Installation
from mailer.issues.model import Issue, pictures_of
from mailer.outbox.pace import expected_end, observed_pace
from mailer.outbox.readers import count_readers, readers_of
from mailer.render.choose import Numbered
from mailer.render.editions import chooser_of, shown_of, with_page
from mailer.render.finish import BadPage
from mailer.render.message import Prepared, Slot, header_value, salutation
from mailer.render.preflight import Finding, Page, Severity, imprint_gaps, inspect
from mailer.render.press import Press, Rendered
from mailer.render.selfcontained import NotSelfContained
from mailer.render.stationery import stationery_of
from subscribers.audience import AudienceKey, audience_keys

#: seconds for one link, for all of them, and for rspamd
_ONE, _ALL, _SPAM = 8.0, 60.0, 10.0
#: bytes after which a document counts as there
_ENOUGH = 200_000


@dataclass
class Report:
    """What preflight found; a finding of several editions stands once, with how many they are."""

    editions: int = 0
    people: int = 0
    #: when the last mail is expected to be out; None where nothing is known of the pace
    ends_at: datetime | None = None
    findings: list[Finding] = field(default_factory=list)
    _in: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def add(self, found: Iterable[Finding]) -> None:
        """The findings of one edition, or of the issue as a whole."""
        for finding in {finding.key: finding for finding in found}.values():
            if not self._in[finding.key]:
                self.findings.append(finding)
            self._in[finding.key] += 1

    def editions_of(self, finding: Finding) -> int:
        """In how many editions it was found."""
        return self._in[finding.key]

    def of(self, severity: Severity) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity is severity]


def look_at(house: Installation, issue_id: int, *, now: datetime, network: bool) -> Report:
    """Preflight of the issue as it would go out now. Stores nothing."""
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
        report.ends_at = expected_end(report.people, max(now, issue.send_at), observed_pace(session))
    wanted = {chooser.digest(key): key for key in keys}
    if not wanted:  # nobody is on its list yet
        key = AudienceKey(issue.for_list or issue.list_key, "de", "", "")
        wanted = {chooser.digest(key): key}
    report.editions = len(wanted)
    press = Press(issue, stationery, pictures)
    rendered: Rendered | None = None
    urls: dict[str, None] = {}
    for digest, key in sorted(wanted.items()):
        entries = chooser.visible(key)
        setting = with_page(chooser.setting(key), issue, digest, house.signing)
        try:
            rendered = press.edition(entries, setting, digest)
        except NotSelfContained as problem:
            report.add([Finding("remote", {"found": str(problem)})])
            continue
        except (TemplateError, BadPage) as problem:
            report.add([Finding("template", {"problem": str(problem)})])
            continue
        report.add(_inspected(house, issue, entries, rendered))
        urls |= dict.fromkeys(url for _, url in Page(rendered.html).links)
    if network:
        report.add(asyncio.run(_reached(house, list(urls), rendered, now)))
    return report


def _inspected(
    house: Installation, issue: Issue, entries: Sequence[Numbered], rendered: Rendered
) -> Iterable[Finding]:
    return inspect(
        subject=rendered.subject,
        html=rendered.html,
        text=rendered.text,
        message=rendered.message,
        shown=shown_of(issue, entries, house.letterhead),
        send_at=issue.send_at,
        ours=house.letterhead.links.base,
    )


async def _reached(
    house: Installation, urls: Sequence[str], rendered: Rendered | None, now: datetime
) -> list[Finding]:
    ours = house.letterhead.links.base
    others = [url for url in urls if url.startswith(("http://", "https://")) and not url.startswith(ours)]
    found = await _followed(others, house.fetching)
    if house.settings.rspamd_url and rendered is not None:
        found.append(await _weighed(house, rendered, now))
    return [finding for finding in found if finding is not None]


async def _followed(urls: Sequence[str], policy: Policy) -> list[Finding | None]:
    """Whether each leads somewhere; None where it does."""
    bounded = Policy(
        max_bytes=_ENOUGH,
        total_seconds=_ONE,
        max_redirects=policy.max_redirects,
        host_pause=policy.host_pause,
        allow_private=policy.allow_private,
        allowed_ports=policy.allowed_ports,
        proxy=policy.proxy,
        ca_bundle=policy.ca_bundle,
        user_agent=policy.user_agent,
    )
    try:
        trust = await asyncio.to_thread(trusted, policy.ca_bundle)
    except FetchProblem as problem:
        return [Finding("link-unchecked", {"problem": problem.message, "url": url[:100]}) for url in urls]
    turns = Turns(policy.host_pause)

    async def follow(url: str) -> Finding | None:
        try:
            async with turns.turn(host_of(url)):
                await fetch(url, policy=bounded, trust=trust)
        except FetchProblem as problem:
            if problem.kind is Kind.TOO_LARGE:
                return None
            # a server that answers so means this address; anything else may be about us
            code = "dead-link" if problem.status in (404, 410) else "link-unchecked"
            return Finding(code, {"problem": problem.message, "url": url[:100]})
        return None

    tasks = [asyncio.create_task(follow(url)) for url in urls]
    if tasks:
        await asyncio.wait(tasks, timeout=_ALL)
    found: list[Finding | None] = []
    for url, task in zip(urls, tasks, strict=True):
        if task.done():
            found.append(task.result())
        else:
            task.cancel()
            found.append(Finding("link-unchecked", {"problem": f"not within {_ALL:g} s", "url": url[:100]}))
    await asyncio.gather(*tasks, return_exceptions=True)
    return found


async def _weighed(house: Installation, rendered: Rendered, now: datetime) -> Finding | None:
    """What rspamd says of a mail of this edition (its /checkv2)."""
    as_text, as_html = salutation("Guten Tag,")
    nobody = "nobody@example.org"
    mail = Prepared(rendered.message).fill(
        {
            Slot.TO: header_value(nobody),
            Slot.DATE: format_datetime(now).encode(),
            Slot.MESSAGE_ID: b"preflight",
            Slot.UNSUBSCRIBE: b"preflight",
            Slot.SALUTATION_TEXT: as_text,
            Slot.SALUTATION_HTML: as_html,
        }
    )
    if house.signer is not None:
        mail = house.signer.sign(mail, at=int(now.timestamp()))
    url = house.settings.rspamd_url.rstrip("/") + "/checkv2"
    try:
        async with httpx2.AsyncClient(timeout=_SPAM, trust_env=False) as client:
            answer = await client.post(
                url, content=mail, headers={"From": house.letterhead.address, "Rcpt": nobody}
            )
            answer.raise_for_status()
            said = answer.json()
            score, most = float(said["score"]), float(said["required_score"])
            symbols = [str(name) for name, each in said["symbols"].items() if float(each["score"]) > 0]
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, KeyError, TypeError, AttributeError) as problem:
        return Finding("spam-unchecked", {"problem": f"{type(problem).__name__}: {str(problem)[:100]}"})
    if score < most / 2:
        return None
    named = ", ".join(sorted(symbols))
    return Finding("spam", {"score": f"{score:.1f}", "most": f"{most:.1f}", "symbols": named})
