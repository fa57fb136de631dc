"""Receipt: what came back, as it came in."""

import enum
from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from mailer.outbox.model import Delivery
from subscribers.base import Base, RowId, Utc, one_of


class ReceiptState(enum.StrEnum):
    """`unread` is the visible queue of what could not be read or belongs to nobody; never the bin."""

    NEW = "new"
    APPLIED = "applied"
    IGNORED = "ignored"
    UNREAD = "unread"


class Receipt(Base):
    """One mail that came in about mail that went out. Its digest is its key: a replay changes nothing."""

    __tablename__ = "receipts"
    __table_args__ = (Index(None, "state"), Index(None, "delivery_id"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    #: SHA-256 of envelope recipient and bytes, in hex
    digest: Mapped[str] = mapped_column(Text, unique=True)
    #: the address it was sent to
    recipient: Mapped[str] = mapped_column(Text)
    sender: Mapped[str] = mapped_column(Text)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime] = mapped_column(Utc)
    state: Mapped[ReceiptState] = mapped_column(one_of(ReceiptState), default=ReceiptState.NEW)
    kind: Mapped[str] = mapped_column(Text, default="")
    #: what was made of it, one line
    outcome: Mapped[str] = mapped_column(Text, default="")
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey(Delivery.id, ondelete="SET NULL"))
