"""Whatever people, servers and staff do in whatever order: no barred address is ever in an audience.

A state machine over the real functions on a real database. It keeps its own account of what each
person said last, and after every step compares it with who would get the next issue.
"""

import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select

from mailer.database import Database
from mailer.privacy.erasing import erase
from mailer.schema import upgrade
from subscribers.addresses import address_hash
from subscribers.audience import audience
from subscribers.chain import Chain, verify
from subscribers.consent import IllegalMove
from subscribers.evidence import Evidence, Wording
from subscribers.importing import Provenance, import_people
from subscribers.imports import held, refuse, release
from subscribers.model import (
    Basis,
    MailingList,
    Municipality,
    Role,
    Subscriber,
    Subscription,
    SubscriptionState,
    SuppressionReason,
)
from subscribers.offices import appoint, lapse
from subscribers.subscribing import (
    admit,
    await_confirmation,
    confirm,
    leave,
    leave_all,
    lift,
    pause,
    subscription_of,
    suppress,
    suppressed_for,
    undo,
)

KEY = b"k" * 32
ZONE = ZoneInfo("Europe/Berlin")
LISTS = ("netzwerk", "termine")
PEOPLE = ("a@example.org", "b@xn--strae-oqa.example.org")

_person = st.sampled_from(PEOPLE)
_list = st.sampled_from(LISTS)
_issue = st.integers(1, 2)
_barred = st.sampled_from([SuppressionReason.HARD, SuppressionReason.COMPLAINT, SuppressionReason.STAFF])
_template: list[bytes] = []


class Comings(RuleBasedStateMachine):
    """Two people, two lists."""

    @initialize()
    def found(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.now = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
        path = Path(self.folder.name) / "infomail.sqlite"
        if _template:
            path.write_bytes(_template[0])
        self.database = Database(f"sqlite:///{path}")
        if not _template:
            self._found()
            self.database.close()
            _template.append(path.read_bytes())
        #: who may get which list at most: said yes or was appointed, and did not leave since
        self.willing: set[tuple[str, str]] = set()

    def _found(self) -> None:
        upgrade(self.database)
        with self.database.write() as session:
            session.add(Municipality(ags="05111000", name="Musterstadt", kind="Stadt"))
            session.flush()
            session.add_all(MailingList(key=key, title=key, created_at=self.now) for key in LISTS)
        self.database.empty_log()

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()
            self.folder.cleanup()

    def _later(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now

    @rule(address=_person, key=_list)
    def sign_up(self, address: str, key: str) -> None:
        with self.database.write() as session:
            if suppressed_for(session, address_hash(KEY, address)) - {SuppressionReason.ERASED}:
                return  # no mail goes out, so nobody can confirm
            person = admit(session, address=address, suppression_key=KEY, now=self._later())
            await_confirmation(session, subscriber=person, list_key=key, now=self.now)

    @rule(address=_person, key=_list)
    def confirm(self, address: str, key: str) -> None:
        """The page confirms what is on record and was not answered: pending, or left and asked anew."""
        with self.database.write() as session:
            person = session.scalar(select(Subscriber).where(Subscriber.address == address))
            if person is None or subscription_of(session, person, key) is None:
                return
            proof = Evidence(Wording("Ja.", "1"), source="form")
            confirm(session, subscriber=person, list_key=key, proof=proof, actor="token:x", now=self._later())
        self.willing.add((address, key))

    @rule(address=_person, key=_list, through=_issue)
    def leave(self, address: str, key: str, through: int) -> None:
        with self.database.write() as session:
            person = session.scalar(select(Subscriber).where(Subscriber.address == address))
            if person is None:
                return
            try:
                leave(
                    session, subscriber=person, list_key=key, through=through, source="link", actor="token:x",
                    now=self._later(),
                )  # fmt: skip
            except IllegalMove:
                return
        self.willing.discard((address, key))

    @rule(address=_person, through=_issue)
    def leave_everything(self, address: str, through: int) -> None:
        with self.database.write() as session:
            person = session.scalar(select(Subscriber).where(Subscriber.address == address))
            if person is not None:
                leave_all(
                    session, subscriber=person, through=through, source="link", actor="token:x", now=self._later()
                )  # fmt: skip
        self.willing -= {(address, key) for key in LISTS}

    @rule(address=_person, through=_issue)
    def undo(self, address: str, through: int) -> None:
        """Only what was active, and left by this very link, comes back."""
        with self.database.write() as session:
            person = session.scalar(select(Subscriber).where(Subscriber.address == address))
            if person is None:
                return
            before = {
                row.list_key: row.ended_through
                for row in session.scalars(
                    select(Subscription).where(Subscription.subscriber_id == person.id)
                )
                if row.state is SubscriptionState.UNSUBSCRIBED
            }
            back = undo(
                session, subscriber=person, through=through, source="link", actor="token:x", now=self._later()
            )  # fmt: skip
        assert all(before[key] == through for key in back)
        self.willing |= {(address, key) for key in back}

    @rule(address=_person, key=_list, days=st.integers(-2, 40))
    def pause(self, address: str, key: str, days: int) -> None:
        with self.database.write() as session:
            person = session.scalar(select(Subscriber).where(Subscriber.address == address))
            if person is not None:
                until = self.now.date() + timedelta(days=days)
                pause(session, subscriber=person, list_key=key, until=until)

    @rule(address=_person, reason=_barred)
    def bounce_or_complain(self, address: str, reason: SuppressionReason) -> None:
        with self.database.write() as session:
            hashed = address_hash(KEY, address)
            suppress(session, address_hash=hashed, reason=reason, actor="receipts", now=self._later())

    @rule(address=_person)
    def lift(self, address: str) -> None:
        with self.database.write() as session:
            lift(session, address_hash=address_hash(KEY, address))

    @rule(address=_person)
    def erase(self, address: str) -> None:
        erase(self.database, address, suppression_key=KEY, actor="token:x", now=self._later())
        self.willing -= {(address, key) for key in LISTS}

    @rule(address=_person, key=_list, basis=st.sampled_from(Basis))
    def import_file(self, address: str, key: str, basis: Basis) -> None:
        path = Path(self.folder.name) / "leute.csv"
        path.write_text(f"email,ags\n{address},05111000\n")
        claim = Provenance(source="Tagung", given_on=date(2024, 5, 3), wording="Ja.")
        report = import_people(
            self.database, path, list_key=key, basis=basis, actor="cli:berta", suppression_key=KEY, zone=ZONE,
            now=self._later(), provenance=claim,
        )  # fmt: skip
        if report.outcomes["added"]:
            self.willing.add((address, key))

    @rule(yes=st.booleans())
    def decide_on_files(self, yes: bool) -> None:
        with self.database.read() as session:
            waiting = [file.id for file in held(session)]
        for file in waiting:
            with self.database.read() as session:
                claimed = session.execute(
                    select(Subscriber.address, Subscription.list_key)
                    .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
                    .where(Subscription.import_id == file, Subscription.state == SubscriptionState.PENDING)
                ).all()
            if yes:
                release(self.database, file, actor="cli:carla", now=self._later())
                self.willing |= {(address, key) for address, key in claimed}
            else:
                with self.database.write() as session:
                    refuse(session, file, actor="cli:carla", now=self._later())

    @rule(address=_person)
    def end_every_office(self, address: str) -> None:
        with self.database.write() as session:
            person = session.scalar(select(Subscriber).where(Subscriber.address == address))
            if person is None:
                return
            day = self.now.date() - timedelta(days=1)
            office = appoint(
                session, subscriber=person, municipality="05111000", role=Role.CONTACT, starts=day, confirmed=True,
                actor="t", now=self.now,
            )  # fmt: skip
            office.ends = day
            session.flush()
            # what lapses is left; what is of consent stays
            lapse(session, today=self.now.date(), actor="clock", now=self._later())
            self.willing = {
                (whose, key)
                for whose, key in self.willing
                if whose != address or _is_active(subscription_of(session, person, key))
            }

    @invariant()
    def nobody_gets_mail_who_must_not(self) -> None:
        if not hasattr(self, "willing"):
            return
        with self.database.read() as session:
            for key in LISTS:
                for row in session.execute(audience([key], self.now.date())):
                    barred = suppressed_for(session, address_hash(KEY, row.address))
                    assert not barred, (row.address, barred)
                    assert (row.address, key) in self.willing
                    subscription = subscription_of(
                        session, session.get_one(Subscriber, row.subscriber_id), key
                    )
                    assert subscription is not None
                    assert subscription.paused_until is None or subscription.paused_until <= self.now.date()

    @invariant()
    def every_chain_is_whole(self) -> None:
        if not hasattr(self, "willing"):
            return
        with self.database.read() as session:
            for chain in Chain:
                assert verify(session, chain).problems == []


def _is_active(subscription: Subscription | None) -> bool:
    return subscription is not None and subscription.state is SubscriptionState.ACTIVE


TestNobodySuppressedIsMailable = Comings.TestCase
TestNobodySuppressedIsMailable.settings = settings(
    max_examples=40, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
