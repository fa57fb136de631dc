"""Art. 14 GDPR, by real mail: the first issue says where the data come from, and no later one does."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from mailer import clock
from mailer.installation import Installation
from subscribers.chain import Chain, Record
from subscribers.importing import Provenance, import_people
from subscribers.model import Basis, Subscription
from tests.flow.conftest import NOW, Sink, enrol
from tests.flow.test_people import composed_later, text_of
from tests.flow.test_sending import started


def test_the_first_issue_tells_who_was_imported_and_nobody_else(
    house: Installation, work: Callable[[], None], sink: Sink, tmp_path: Path
) -> None:
    enrol(house, 1)
    path = tmp_path / "leute.csv"
    path.write_text("email,role\nneu@example.org,state\n")
    import_people(
        house.database, path, list_key="netzwerk", basis=Basis.PUBLIC_TASK, actor="cli:t",
        suppression_key=house.suppression_key, zone=house.plan.timezone, now=datetime.now(UTC),
        provenance=Provenance(source="Städtetag"),
    )  # fmt: skip
    started(house)
    work()
    first = " ".join(text_of(sink.mails["neu@example.org"][0]).split())
    assert "Ihre Daten stammen von: Städtetag." in first
    assert "Art. 6 Abs. 1 Buchst. e DSGVO" in first
    other = next(address for address in sink.mails if address != "neu@example.org")
    assert "Woher wir Ihre Daten haben" not in text_of(sink.mails[other][0])
    with house.database.read() as session:
        told = session.scalars(
            select(Subscription.informed_at).where(Subscription.import_id.is_not(None))
        ).one()
        assert told is not None
        actions = session.scalars(select(Record.action).where(Record.chain == Chain.CONSENT)).all()
    assert actions == ["informed"]

    clock.start(house, composed_later(house), actor="user:1", now=NOW)
    work()
    assert "Woher wir Ihre Daten haben" not in text_of(sink.mails["neu@example.org"][1])
