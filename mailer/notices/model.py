"""Notice: a mail to one person."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from subscribers.base import Base, Handle, RowId, Utc, new_handle
from subscribers.model import MailingList, Request, Subscriber


class Notice(Base):
    """A mail to one person, written once from a request and kept as it was sent.

    Staff, coordinators and senders of contributions need not be subscribers: then `address` says
    where it goes.
    """

    __tablename__ = "notices"
    __table_args__ = (Index(None, "subscriber_id", "kind"), Index(None, "address"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    handle: Mapped[int] = mapped_column(Handle, unique=True, default=new_handle)
    kind: Mapped[str] = mapped_column(Text)
    list_key: Mapped[str] = mapped_column(ForeignKey(MailingList.key))
    request_id: Mapped[int | None] = mapped_column(ForeignKey(Request.id, ondelete="SET NULL"), unique=True)
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey(Subscriber.id, ondelete="SET NULL"))
    #: of somebody who is no subscriber; "" for a subscriber, and once it is forgotten
    address: Mapped[str] = mapped_column(Text, default="")
    #: names her in tokens, as a subscriber's own handle does
    address_handle: Mapped[int | None] = mapped_column(Handle)
    #: which secret key signed the tokens inside
    key_id: Mapped[int]
    subject: Mapped[str] = mapped_column(Text)
    #: the whole mail, the very bytes that go out
    message: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Utc)
    #: when its link was used, where one use is all it has
    answered_at: Mapped[datetime | None] = mapped_column(Utc)
