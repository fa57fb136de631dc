"""The nouns of this package: municipalities, lists, people, and why they may be written to."""

import enum
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from subscribers.base import Base, Handle, RowId, Utc, new_handle, one_of


class Municipality(Base):
    """A body in the register.

    `ags` is the Amtlicher Gemeindeschlüssel as text, since it starts with 0: 2 digits a
    state, 3 a Regierungsbezirk, 5 a district or district-free city's prefix, 8 a
    municipality. Associations, the state and a Bezirksregierung have keys of their own
    that start with a letter.
    """

    __tablename__ = "municipalities"

    ags: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    #: as the register says it, in its language: "kreisfreie Stadt", "Kreis", ...
    kind: Mapped[str] = mapped_column(Text)
    #: key of the district it belongs to, "" for a district and a district-free city
    district: Mapped[str] = mapped_column(Text, default="")
    #: name of the Regierungsbezirk
    region: Mapped[str] = mapped_column(Text, default="")


class MembershipState(enum.StrEnum):
    INTERESTED = "interested"
    GUEST = "guest"
    RESOLVED = "resolved"
    DECLARED = "declared"
    MEMBER = "member"
    DORMANT = "dormant"
    LEFT = "left"


class Membership(Base):
    """One dated step of a municipality's way into (or out of) the network; the latest holds."""

    __tablename__ = "memberships"
    __table_args__ = (UniqueConstraint("ags", "since", "state"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    ags: Mapped[str] = mapped_column(ForeignKey(Municipality.ags, ondelete="CASCADE"))
    state: Mapped[MembershipState] = mapped_column(one_of(MembershipState))
    #: None where no date is known
    since: Mapped[date | None]
    #: which signing of the joint declaration
    round: Mapped[str] = mapped_column(Text, default="")
    #: where the declaration (or the report of it) is found
    reference: Mapped[str] = mapped_column(Text, default="")
    #: how sure it is
    note: Mapped[str] = mapped_column(Text, default="")


class Visibility(enum.StrEnum):
    PUBLIC = "public"
    INVITATION = "invitation"


class Following(enum.StrEnum):
    """How a municipal list follows a newsletter."""

    AS_IS = "as-is"
    FOREWORD = "foreword"


class WithoutForeword(enum.StrEnum):
    """What becomes of an issue whose foreword nobody wrote in time."""

    SEND = "send"
    SKIP = "skip"


class InDoubt(enum.StrEnum):
    """What becomes of a mail of which nobody knows whether it went out: the worker was lost under way."""

    #: it goes once more, with the same Message-ID: perhaps twice, but not never
    RESEND = "resend"
    #: it waits until staff have decided
    HOLD = "hold"


class MailingList(Base):
    """Whom a newsletter reaches: of the network (no municipality) or of one municipality."""

    __tablename__ = "lists"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    municipality: Mapped[str | None] = mapped_column(ForeignKey(Municipality.ags))
    visibility: Mapped[Visibility] = mapped_column(one_of(Visibility), default=Visibility.PUBLIC)
    language: Mapped[str] = mapped_column(Text, default="de")
    reply_to: Mapped[str] = mapped_column(Text, default="")
    #: who answers for the data (Art. 4 (7) GDPR); "" means the operator of the service
    controller: Mapped[str] = mapped_column(Text, default="")
    imprint: Mapped[str] = mapped_column(Text, default="")
    privacy_url: Mapped[str] = mapped_column(Text, default="")
    #: version of the privacy notice that readers of this list are shown; "" means the operator's
    privacy_version: Mapped[str] = mapped_column(Text, default="")
    #: name that mails come from; "" means the operator's
    sender_name: Mapped[str] = mapped_column(Text, default="")
    #: key of the newsletter in the schedule that this list follows, or ""
    follows: Mapped[str] = mapped_column(Text, default="")
    #: how: as it is, or with a foreword and entries of its own
    following: Mapped[Following] = mapped_column(one_of(Following), default=Following.AS_IS)
    #: who writes the foreword, how many hours after the release there are for it, and what if she does not
    coordinator: Mapped[str] = mapped_column(Text, default="")
    foreword_hours: Mapped[int] = mapped_column(default=48)
    without_foreword: Mapped[WithoutForeword] = mapped_column(
        one_of(WithoutForeword), default=WithoutForeword.SEND
    )
    in_doubt: Mapped[InDoubt] = mapped_column(one_of(InDoubt), default=InDoubt.RESEND)
    created_at: Mapped[datetime] = mapped_column(Utc)


class FormOfAddress(enum.StrEnum):
    """How a person wants to be addressed. Never guessed from a first name."""

    FRAU = "frau"
    HERR = "herr"
    NEUTRAL = "neutral"


class Format(enum.StrEnum):
    BOTH = "both"
    TEXT = "text"


class Subscriber(Base):
    """One address, and what its owner told us to call them."""

    __tablename__ = "subscribers"
    __table_args__ = (Index(None, "address_hash"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    handle: Mapped[int] = mapped_column(Handle, unique=True, default=new_handle)
    #: normalised (subscribers.addresses): NFC local part, domain as lower-case A-label
    address: Mapped[str] = mapped_column(Text, unique=True)
    #: HMAC(suppression key, address): what the suppression list knows an address by
    address_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    domain: Mapped[str] = mapped_column(Text)
    form: Mapped[FormOfAddress] = mapped_column(one_of(FormOfAddress), default=FormOfAddress.NEUTRAL)
    title: Mapped[str] = mapped_column(Text, default="")
    given: Mapped[str] = mapped_column(Text, default="")
    family: Mapped[str] = mapped_column(Text, default="")
    language: Mapped[str] = mapped_column(Text, default="de")
    format: Mapped[Format] = mapped_column(one_of(Format), default=Format.BOTH)
    created_at: Mapped[datetime] = mapped_column(Utc)


class Role(enum.StrEnum):
    CONTACT = "contact"
    DEPUTY = "deputy"
    MAILBOX = "mailbox"
    HEAD = "head"
    GUEST = "guest"
    STATE = "state"
    ASSOCIATION = "association"


class Office(Base):
    """A function somebody holds in a municipality for a time. The office is not the person."""

    __tablename__ = "offices"
    __table_args__ = (
        UniqueConstraint("subscriber_id", "municipality", "role", "starts"),
        Index(None, "municipality"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    municipality: Mapped[str] = mapped_column(ForeignKey(Municipality.ags))
    role: Mapped[Role] = mapped_column(one_of(Role))
    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id, ondelete="CASCADE"))
    starts: Mapped[date]
    #: last day in office; None while it lasts
    ends: Mapped[date | None]
    #: when the person said last that this is still right
    confirmed_at: Mapped[datetime | None] = mapped_column(Utc)
    #: how often the yearly question was asked since, and when last
    asked: Mapped[int] = mapped_column(default=0)
    asked_at: Mapped[datetime | None] = mapped_column(Utc)


class SubscriptionState(enum.StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"


class Basis(enum.StrEnum):
    """Why a person may be written to (Art. 6 (1) a and e GDPR; prior consent was given elsewhere)."""

    CONSENT = "consent"
    PUBLIC_TASK = "public-task"
    PRIOR_CONSENT = "prior-consent"


class ImportState(enum.StrEnum):
    HELD = "held"
    RELEASED = "released"
    REFUSED = "refused"


class Import(Base):
    """A file of people: where their data comes from (Art. 14 (2) f GDPR).

    Who is said to have consented elsewhere gets no mail until a second person releases the file.
    """

    __tablename__ = "imports"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    list_key: Mapped[str] = mapped_column(ForeignKey(MailingList.key))
    #: name of the file, and the SHA-256 of its bytes
    file: Mapped[str] = mapped_column(Text)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    basis: Mapped[Basis] = mapped_column(one_of(Basis))
    #: who gave us the data
    source: Mapped[str] = mapped_column(Text)
    #: when and how the people were told of it already; "" means that we tell them (Art. 14 GDPR)
    informed: Mapped[str] = mapped_column(Text, default="")
    #: when and in which words the people consented elsewhere
    given_on: Mapped[date | None]
    wording: Mapped[str] = mapped_column(Text, default="")
    #: a document that proves it, where there is one
    proof_name: Mapped[str] = mapped_column(Text, default="")
    proof: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[ImportState] = mapped_column(one_of(ImportState), default=ImportState.HELD)
    actor: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Utc)
    #: who released or refused it, and when
    decided_by: Mapped[str] = mapped_column(Text, default="")
    decided_at: Mapped[datetime | None] = mapped_column(Utc)


class Subscription(Base):
    """A subscriber on a list."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        UniqueConstraint("list_key", "subscriber_id"),
        Index(None, "subscriber_id"),
        Index(None, "ended_through"),
        Index(None, "import_id"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    list_key: Mapped[str] = mapped_column(ForeignKey(MailingList.key))
    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id, ondelete="CASCADE"))
    state: Mapped[SubscriptionState] = mapped_column(one_of(SubscriptionState))
    basis: Mapped[Basis] = mapped_column(one_of(Basis))
    #: when it came into its present state
    since: Mapped[datetime] = mapped_column(Utc)
    #: gets nothing before this day
    paused_until: Mapped[date | None]
    #: handle of the issue (or notice) whose link ended it
    ended_through: Mapped[int | None] = mapped_column(Handle)
    #: the file that brought it
    import_id: Mapped[int | None] = mapped_column(ForeignKey(Import.id))
    #: since when the person knows of that (Art. 14 GDPR); None as long as no issue told her
    informed_at: Mapped[datetime | None] = mapped_column(Utc)


class SuppressionReason(enum.StrEnum):
    HARD = "hard"
    COMPLAINT = "complaint"
    STAFF = "staff"
    ERASED = "erased"


class Suppression(Base):
    """An address that must get nothing, known by its keyed hash only."""

    __tablename__ = "suppressions"

    address_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    reason: Mapped[SuppressionReason] = mapped_column(one_of(SuppressionReason), primary_key=True)
    at: Mapped[datetime] = mapped_column(Utc)
    actor: Mapped[str] = mapped_column(Text)


class RequestKind(enum.StrEnum):
    """What somebody wants, or is owed; the kind of mail that answers it has the same name."""

    #: to be on a list
    CONFIRM = "confirm"
    #: has confirmed, and is on the list now
    WELCOME = "welcome"
    #: left by a page, and may want to come back
    GOODBYE = "goodbye"
    #: a fresh link to what is held on her
    PREFERENCES = "preferences"
    #: to follow somebody in an office
    INVITE = "invite"
    #: to be asked whether an office is still right
    STILL_RIGHT = "still-right"
    #: sent something in, and must confirm her address
    CONTRIBUTE = "contribute"
    #: is to hear what became of what she sent in
    CONTRIBUTION_USED = "contribution-used"
    CONTRIBUTION_REFUSED = "contribution-refused"
    #: staff: a draft is ready, a release is missing still, its time has come, somebody released alone
    DRAFT_READY = "draft-ready"
    REMINDER = "reminder"
    OVERDUE = "overdue"
    EMERGENCY = "emergency"
    #: staff: sending stopped by itself, or mails are held until somebody decides
    HALTED = "halted"
    #: staff: what was released did not go out, what waited for more items is given up, an issue is sent
    MISSED = "missed"
    GIVEN_UP = "given-up"
    ISSUE_SENT = "issue-sent"
    #: a coordinator may write her foreword
    FOREWORD = "foreword"


class RequestState(enum.StrEnum):
    NEW = "new"
    WRITTEN = "written"
    DROPPED = "dropped"


class Request(Base):
    """One thing a person set going that a mail answers.

    Whoever needs a mail writes this row in its own transaction and nothing else, so a
    sign-up does the same small work whether the address is new or known.
    """

    __tablename__ = "requests"
    __table_args__ = (
        Index(None, "state"),
        Index(None, "origin", "created_at"),
        Index(None, "created_at"),
        # of one person: without these, each erasure would look through all of them
        Index(None, "address"),
        Index(None, "subscriber_id"),
        CheckConstraint("(address IS NULL) <> (subscriber_id IS NULL)", name="whom"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    kind: Mapped[RequestKind] = mapped_column(one_of(RequestKind))
    #: None where it is about no list
    list_key: Mapped[str | None] = mapped_column(ForeignKey(MailingList.key))
    #: who asks: an address as typed and normalised, or somebody we know
    address: Mapped[str | None] = mapped_column(Text)
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey(Subscriber.id, ondelete="CASCADE"))
    #: what else the form said: names, municipality, wording version, ...
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    #: keyed hash of the network the request came from, to limit how many come from one; None for our own
    origin: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    actor: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Utc)
    state: Mapped[RequestState] = mapped_column(one_of(RequestState), default=RequestState.NEW)
    #: None, or when to try again what could not be written
    due_at: Mapped[datetime | None] = mapped_column(Utc)
    #: why it was dropped: "known", "suppressed", "one-a-day", ...; or why it could not be written yet
    outcome: Mapped[str] = mapped_column(Text, default="")


class TaskKind(enum.StrEnum):
    #: somebody says she holds an office that is somebody else's on record
    SUCCESSOR = "successor"


class Task(Base):
    """Something a person told us that coordinator or staff must look at; nothing is changed by itself."""

    __tablename__ = "tasks"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    kind: Mapped[TaskKind] = mapped_column(one_of(TaskKind))
    municipality: Mapped[str | None] = mapped_column(ForeignKey(Municipality.ags))
    #: who said it
    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id, ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(Utc)
    done_at: Mapped[datetime | None] = mapped_column(Utc)
    done_by: Mapped[str] = mapped_column(Text, default="")
