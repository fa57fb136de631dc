"""Contributions for the tests of pages: one that waits for its confirmation, one in the pool with a picture."""

import io
from datetime import UTC, datetime

from PIL import Image
from sqlalchemy.orm import Session

from mailer.database import Database
from mailer.feeds.contributions import Illustration, Sent, keep, receive
from mailer.feeds.model import Contribution, Kind, Picture
from mailer.feeds.pictures import made_ours
from mailer.notices.model import Notice
from subscribers.tokens import Keys, Purpose, sign


def photo(width: int = 60, height: int = 40, kind: str = "JPEG") -> bytes:
    """A picture with more colours than a drawing has."""
    picture = Image.effect_noise((width, height), 90).convert("RGB")
    out = io.BytesIO()
    picture.save(out, kind)
    return out.getvalue()


def sent(**values: object) -> Sent:
    given: dict[str, object] = {
        "kind": Kind.PRACTICE, "municipality": "05999002", "title": "Tag der Nachbarschaft",
        "text": "So gelang es.\n\nUnd so geht es weiter.", "url": "https://www.example.org/tag", "starts": None,
        "ends": None, "all_day": False, "deadline": None, "location": "", "contact": "Engagementbüro",
        "pass_on": True,
    }  # fmt: skip
    return Sent(**(given | values))  # type: ignore[arg-type]


def contribute(session: Session, *, address: str = "amt@example.net", **values: object) -> Contribution:
    """One that nobody confirmed yet, with a picture."""
    illustration = Illustration(made_ours(photo()), "Menschen an einem Tisch", "Erika Muster, CC BY 4.0")
    now = datetime.now(UTC)
    return keep(session, sent(**values), illustration, address=address, language="de", now=now)


def fill_contributions(database: Database, keys: Keys) -> dict[str, str]:
    """Two of them; the links to the one that waits and to the picture of the other."""
    now = datetime.now(UTC)
    with database.write() as session:
        waiting, received = contribute(session), contribute(session)
        receive(session, received, now=now)
        notice = Notice(
            kind="contribute", list_key="netzwerk", address="amt@example.net", key_id=1, subject="Bitte",
            message=b"", created_at=now,
        )  # fmt: skip
        session.add(notice)
        session.flush()
        picture = session.get_one(Picture, received.picture_id)
        token = sign(keys, Purpose.CONTRIBUTE, notice.handle, waiting.handle)
        return {"beitrag": f"/beitrag/{token}", "bild": f"/bild/{picture.handle:016x}"}
