"""What a real rspamd says of a mail before it is released, and what happens when nobody answers."""

import asyncio
from dataclasses import replace
from http.server import BaseHTTPRequestHandler

import pytest
from sqlalchemy import update

from mailer.gate import look_at
from mailer.installation import Installation
from mailer.render.preflight import Finding, Severity
from mailer.rspamd import Unweighed, weigh
from subscribers.model import Subscriber
from tests.flow.conftest import NOW, enrol
from tests.flow.site import Answer, Site
from tests.flow.test_preflight import entry_of
from tests.flow.test_sending import composed
from tests.services.rspamd import rspamd

__all__ = ["rspamd"]

#: every filter of unsolicited mail knows it (GTUBE)
_SPAM = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


def weighed(house: Installation, issue: int, url: str) -> list[Finding]:
    entry_of(house, issue, url="")
    asking = replace(house, settings=house.settings.model_copy(update={"rspamd_url": url}))
    found = look_at(asking, issue, now=NOW, network=True).findings
    return [each for each in found if each.code.startswith("spam")]


def test_a_mail_of_ours_looks_good_to_rspamd_and_an_advertisement_does_not(
    house: Installation, rspamd: str
) -> None:
    enrol(house, 1)
    issue = composed(house, approve=False)
    assert weighed(house, issue, rspamd) == []
    entry_of(house, issue, summary=f"<p>{_SPAM}</p>")
    (found,) = weighed(house, issue, rspamd)
    assert found == Finding("spam", {"score": "15.0", "most": "15.0", "symbols": "GTUBE"})
    assert found.severity is Severity.WARNS


def test_every_edition_is_weighed(house: Installation, site: Site) -> None:
    one, *_ = enrol(house, 2)
    with house.database.write() as session:
        session.execute(update(Subscriber).where(Subscriber.address == one).values(language="en"))
    issue = composed(house, approve=False)
    site.pages["/checkv2"] = answering(
        b'{"score": 1, "required_score": 15, "action": "no action", "symbols": {}}'
    )
    assert weighed(house, issue, f"http://127.0.0.1:{site.port}/") == []
    assert site.asked == ["/checkv2", "/checkv2"]


def test_an_rspamd_that_nobody_reaches_is_told_and_blocks_nothing(house: Installation) -> None:
    enrol(house, 1)
    issue = composed(house, approve=False)
    (found,) = weighed(house, issue, "http://127.0.0.1:9")
    assert (found.code, found.severity) == ("spam-unchecked", Severity.UNCHECKED)
    assert found.said("de").startswith("Nicht geprüft, ob die Mail nach Spam aussieht: rspamd: ConnectError")


def test_proxies_of_the_environment_are_not_asked_for_a_neighbour(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    site.pages["/checkv2"] = answering(
        b'{"score": 7, "required_score": 15, "action": "add header", "symbols": {"A": {"score": 7}, "B": {"score": -1}}}'
    )
    said = asyncio.run(
        weigh(b"", url=f"http://127.0.0.1:{site.port}", sender="a@example.org", recipient="b@example.org")
    )
    assert (said.score, said.most, said.symbols, said.is_suspect) == (7.0, 15.0, ("A",), True)


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        (b"", 200, "rspamd answered what nobody understands"),
        (b"[1]", 200, "rspamd answered what nobody understands"),
        (
            b'{"score": 1, "required_score": 2, "action": "reject", "symbols": {"A": 3}}',
            200,
            "rspamd answered what nobody understands",
        ),
        (b"{}", 403, "rspamd answered 403"),
        (b"x" * 2_000_000, 200, "rspamd answered too much"),
    ],
)
def test_an_answer_that_says_nothing_is_told(site: Site, body: bytes, status: int, why: str) -> None:
    site.pages["/checkv2"] = answering(body, status)
    with pytest.raises(Unweighed) as told:
        asyncio.run(
            weigh(b"", url=f"http://127.0.0.1:{site.port}", sender="a@example.org", recipient="b@example.org")
        )
    assert str(told.value) == why


def answering(body: bytes, status: int = 200) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer
