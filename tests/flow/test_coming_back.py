"""Real servers on the way out and on the way back: Postfix as relay, Postfix and Dovecot as receivers.

    Infomail -> relay -> receiver -> Dovecot        what cannot be delivered, is late or is answered
        ^___________________________/               comes back by LMTP, or into a mailbox read by IMAP

Nobody plays a part here but the greylist, and the person who asks for a report of success.
"""

import asyncio
import contextlib
import email
import smtplib
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from mailer import clock
from mailer.daemon.worker import drain
from mailer.database import Database
from mailer.installation import Installation, open_arrivals, open_installation
from mailer.outbox.model import Delivery, DeliveryState, Returned
from mailer.receipts.intake import serve_intake
from mailer.receipts.listening import Speaks
from mailer.receipts.model import Receipt, ReceiptState
from mailer.settings import Settings
from subscribers.model import MailingList, Subscriber, Suppression
from tests.flow.conftest import NOW, enrol
from tests.flow.test_sending import started
from tests.services import dovecot, postfix
from tests.services.require import require

UNKNOWN, FULL, GREYLISTED, EXPIRED, REDIRECTED, AWAY, FINE = (f"p{n}@example.org" for n in range(7))
BACK = "return.example.com"

_QUOTA_AND_SIEVE = """\
userdb {
  driver = passwd-file
  args = ROOT/users/full
}
protocol lmtp {
  mail_plugins = quota sieve
}
plugin {
  quota = maildir:User quota
  quota_rule = *:storage=1G
  sieve = file:ROOT/sieve/%u.sieve
  sieve_extensions = +editheader
}
"""
#: a responder that minds no list, as there are: the headers that would keep Dovecot's silent are taken away
_VACATION = """\
require ["editheader", "vacation"];
deleteheader "List-Id"; deleteheader "List-Unsubscribe"; deleteheader "List-Unsubscribe-Post";
deleteheader "List-Help"; deleteheader "List-Owner"; deleteheader "List-Archive"; deleteheader "Precedence";
deleteheader "Auto-Submitted"; deleteheader "X-Auto-Response-Suppress";
vacation :subject "Abwesenheitsnotiz" "Ich bin im Urlaub und lese keine Mails.";
"""


@contextlib.contextmanager
def greylist() -> Iterator[int]:
    """A policy server of Postfix that defers the first try to one address."""
    seen: set[str] = set()

    class Policy(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked: dict[str, str] = {}
            for line in self.rfile:
                name, _, value = line.decode().strip().partition("=")
                asked[name] = value
                if not name:
                    recipient = asked["recipient"]
                    first = recipient == GREYLISTED and recipient not in seen
                    seen.add(recipient)
                    action = "defer_if_permit 4.2.0 greylisted" if first else "dunno"
                    self.wfile.write(f"action={action}\n\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Policy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def servers(intake: int, domain: str) -> Iterator[tuple[postfix.Postfix, dovecot.Dovecot]]:
    """The relay and the mailboxes; what goes to `domain` goes by LMTP to `intake`, or to Dovecot if it is 0."""
    require("dovecot-sieve", "sievec")
    with socket.create_server(("127.0.0.1", 0)) as free:
        receiving = free.getsockname()[1]
    full = f"{FULL}::USER:GROUP::ROOT/mail/{FULL}::userdb_quota_rule=*:bytes=1000\n"
    with (
        greylist() as policy,
        dovecot.running(
            settings=_QUOTA_AND_SIEVE.replace(
                "plugin {", f"submission_host = 127.0.0.1:{receiving}\nplugin {{"
            ),
            files={"users/full": full, f"sieve/{AWAY}.sieve": _VACATION},
        ) as mailboxes,
    ):
        back = {
            "transport_maps": f"inline:{{ {{{domain}=lmtp:inet:127.0.0.1:{intake or mailboxes.lmtp}}}, "
            "{gone.example.com=error:5.1.1 no such user} }",
            "minimal_backoff_time": "1s",
            "maximal_backoff_time": "1s",
            "queue_run_delay": "1s",
            # there is no scache here: waiting for it would let a retry find the last try still running
            "smtp_connection_cache_on_demand": "no",
            "lmtp_connection_cache_on_demand": "no",
        }
        receiver = back | {
            "virtual_transport": f"lmtp:inet:127.0.0.1:{mailboxes.lmtp}",
            "virtual_alias_maps": f"inline:{{ {{{REDIRECTED}=new@gone.example.com}} }}",
            "smtpd_relay_restrictions": "permit_mynetworks, reject",
            "smtpd_recipient_restrictions": "check_recipient_access "
            f"inline:{{ {{{EXPIRED}=450 4.2.1 busy}} }}, check_policy_service inet:127.0.0.1:{policy}",
        }
        known = (FULL, GREYLISTED, EXPIRED, AWAY, FINE)
        with postfix.running(mailboxes=known, settings=receiver, port=receiving) as receives:
            relay = postfix.relaying_to(receives.port) | back
            # late enough for the greylisted one to have arrived on a busy machine
            relay |= {"delay_warning_time": "7s", "maximal_queue_lifetime": "12s"}
            with postfix.running(mailboxes=(), settings=relay) as relays:
                yield relays, mailboxes


@contextlib.contextmanager
def house_behind(
    relay: int, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, **settings: str
) -> Iterator[Installation]:
    relays = {"INFOMAIL_SMTP_URLS": f"smtp://127.0.0.1:{relay}?starttls=off&connections=2"}
    more = {f"INFOMAIL_{name}": value for name, value in settings.items()}
    for name, value in (environment | relays | more).items():
        monkeypatch.setenv(name, value)
    with open_installation(Settings()) as house:
        with house.database.write() as session:
            session.add(MailingList(key="netzwerk", title="Netzwerk", created_at=NOW))
        yield house


@pytest.mark.parametrize(
    ("way", "return_path"),
    [
        ("lmtp", f"bounce+{{token}}@{BACK}"),
        ("lmtp", f"{{token}}@bounce.{BACK}"),
        ("imap", f"bounce+{{token}}@{BACK}"),
        ("imap", f"bounce@{BACK}"),
    ],
)
def test_whatever_comes_of_a_mail_its_delivery_ends_in_the_right_state(
    way: str,
    return_path: str,
    environment: dict[str, str],
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    door = socket.create_server(("127.0.0.1", 0))
    port = door.getsockname()[1] if way == "lmtp" else 0
    with servers(port, return_path.rpartition("@")[2]) as (relay, mailboxes):
        mailbox = f"bounce%40{BACK}:anything@127.0.0.1:{mailboxes.imap}"
        more = {"IMAP_URL": f"imap://{mailbox}/INBOX?starttls=off"} if way == "imap" else {}
        with house_behind(relay.port, environment, monkeypatch, RETURN_PATH=return_path, **more) as house:
            enrol(house, 7)
            started(house)
            asyncio.run(_until_all_is_back(house, door, relay, mailboxes))
            with house.database.read() as session:
                deliveries = {each.address: each for each in session.scalars(select(Delivery))}
                ended = {address: (each.state, each.returned) for address, each in deliveries.items()}
                suppressed = select(Subscriber.address).join(
                    Suppression, Suppression.address_hash == Subscriber.address_hash
                )
                assert ended == {
                    UNKNOWN: (DeliveryState.SENT, Returned.BOUNCED),
                    FULL: (DeliveryState.SENT, Returned.BOUNCED),
                    GREYLISTED: (DeliveryState.SENT, Returned.NONE),
                    EXPIRED: (DeliveryState.SENT, Returned.BOUNCED),
                    REDIRECTED: (DeliveryState.SENT, Returned.BOUNCED),
                    AWAY: (DeliveryState.SENT, Returned.NONE),
                    FINE: (DeliveryState.SENT, Returned.NONE),
                }
                assert set(session.scalars(suppressed)) == {UNKNOWN, REDIRECTED}
                kinds = {
                    address: [
                        (row.kind, row.state)
                        for row in session.scalars(
                            select(Receipt).where(Receipt.delivery_id == each.id).order_by(Receipt.id)
                        )
                    ]
                    for address, each in deliveries.items()
                }
                applied = ReceiptState.APPLIED
                assert kinds[EXPIRED] == [("delayed", applied), ("soft", applied)]
                assert kinds[FULL] == [("soft", applied)]
                assert kinds[AWAY] == [("autoreply", ReceiptState.IGNORED)]
                assert len(kinds[FINE]) == 1  # the report of success
            assert len(mailboxes.wait_for(GREYLISTED, 1)) == 1
            if way == "imap":
                # what was read was moved, and nothing was deleted
                assert mailboxes.wait_for(f"bounce@{BACK}", 1, 0) == []
                assert len(mailboxes.wait_for(f"bounce@{BACK}", 7, 1, folder="Gelesen")) == 7


async def _until_all_is_back(
    house: Installation, door: socket.socket, relay: postfix.Postfix, mailboxes: dovecot.Dovecot
) -> None:
    """Deliver, ask for a report of success, and take what comes back until all seven reports are there."""
    arrivals = open_arrivals(house.settings)
    async with serve_intake(
        house.database, arrivals, house.letterhead.return_path, [(door, Speaks.LMTP)], now=_now
    ):
        await drain(house)
        await asyncio.to_thread(_ask_for_success, relay, mailboxes)
        end = time.monotonic() + 45
        while time.monotonic() < end:
            await asyncio.to_thread(clock.collect, house, now=_now())
            await asyncio.to_thread(clock.read_receipts, house, now=_now())
            with house.database.read() as session:
                if len(session.scalars(select(Receipt.id)).all()) >= 7:
                    return
            await asyncio.sleep(0.2)
    with house.database.read() as session:
        said = [(row.kind, row.state, row.outcome) for row in session.scalars(select(Receipt))]
    raise AssertionError(f"only {said} came back: {relay.log}")


def _ask_for_success(relay: postfix.Postfix, mailboxes: dovecot.Dovecot) -> None:
    """The mail once more, by a sender who wants to know that it arrived (RFC 3461 4.1)."""
    (raw,) = mailboxes.wait_for(FINE, 1)
    sender = str(email.message_from_bytes(raw)["Return-Path"]).strip("<>")
    with smtplib.SMTP("127.0.0.1", relay.port) as client:
        client.sendmail(sender, [FINE], raw, rcpt_options=["NOTIFY=SUCCESS"])


def _now() -> datetime:
    return datetime.now(UTC)
