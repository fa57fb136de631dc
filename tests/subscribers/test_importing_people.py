"""People from a file: good rows in, a report for every row, never half a row, never a traceback."""

import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from mailer.database import Database
from subscribers.addresses import address_hash
from subscribers.importing import Report, RowReport, import_people
from subscribers.model import (
    Basis,
    FormOfAddress,
    MailingList,
    Municipality,
    Office,
    Request,
    Role,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from subscribers.rows import BadFile
from subscribers.subscribing import admit, await_confirmation, suppress

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
KEY = b"k" * 32
HEAD = "email,form,title,given,family,role,ags,language\n"

Import = Callable[..., tuple[Report, list[RowReport]]]


@pytest.fixture
def town(database: Database) -> Database:
    return _founded(database)


def _founded(database: Database) -> Database:
    with database.write() as session:
        session.add(Municipality(ags="05111000", name="Musterstadt", kind="Stadt"))
        session.flush()
        session.add(MailingList(key="netzwerk", title="Netzwerk", created_at=NOW))
        session.add(MailingList(key="stadt", title="Stadt", municipality="05111000", created_at=NOW))
    return database


@pytest.fixture
def load(town: Database, tmp_path: Path) -> Import:
    def load(content: str | bytes, **options: object) -> tuple[Report, list[RowReport]]:
        path = tmp_path / "people.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        rows: list[RowReport] = []
        settings: dict[str, object] = {
            "list_key": "netzwerk", "basis": Basis.PUBLIC_TASK, "actor": "cli:test", "suppression_key": KEY,
            "zone": ZoneInfo("Europe/Berlin"), "now": NOW, "tell": rows.append,
        }  # fmt: skip
        report = import_people(town, path, **(settings | options))  # type: ignore[arg-type]
        return report, rows

    return load


def test_an_import_is_the_same_on_both_engines(either_database: Database, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(HEAD + "a@example.org,,,,,,05111000,\nb@example.org,,,,,head,05111000,\nx,,,,,,,\n")
    for outcomes in ({"added": 2, "refused": 1}, {"known": 2, "refused": 1}):
        report = import_people(
            _founded(either_database) if "added" in outcomes else either_database,
            path, list_key="netzwerk", basis=Basis.PUBLIC_TASK, actor="cli:test", suppression_key=KEY,
            zone=ZoneInfo("Europe/Berlin"), now=NOW,
        )  # fmt: skip
        assert report.outcomes == outcomes
    with either_database.read() as session:
        assert session.scalar(select(func.count()).select_from(Office)) == 2


def test_an_officer_is_active_at_once_with_name_and_office(load: Import, town: Database) -> None:
    load(HEAD + "Anna@Example.org,frau,Dr.,Anna,Muster,head,05111000,de\n")
    with town.read() as session:
        person = session.scalars(select(Subscriber)).one()
        office = session.scalars(select(Office)).one()
        subscription = session.scalars(select(Subscription)).one()
    assert (person.address, person.form, person.title, person.family) == (
        "anna@example.org", FormOfAddress.FRAU, "Dr.", "Muster",
    )  # fmt: skip
    assert (office.municipality, office.role, office.subscriber_id) == ("05111000", Role.HEAD, person.id)
    assert (subscription.state, subscription.basis) == (SubscriptionState.ACTIVE, Basis.PUBLIC_TASK)


def test_with_consent_a_row_is_a_question_and_nothing_else(load: Import, town: Database) -> None:
    report, _ = load("email,given\na@example.org,Anna\n", basis=Basis.CONSENT)
    assert report.outcomes == {"pending": 1}
    with town.read() as session:
        request = session.scalars(select(Request)).one()
        assert (request.address, request.details["given"]) == ("a@example.org", "Anna")
        assert session.scalar(select(func.count()).select_from(Subscriber)) == 0


def test_every_row_is_answered_for(load: Import, town: Database) -> None:
    load(HEAD + "known@example.org,,,,,,05111000,\nleft@example.org,,,,,,05111000,\n")
    with town.write() as session:
        left = session.scalars(select(Subscriber).where(Subscriber.address == "left@example.org")).one()
        row = session.scalars(select(Subscription).where(Subscription.subscriber_id == left.id)).one()
        row.state = SubscriptionState.UNSUBSCRIBED
        session.add(
            Suppression(
                address_hash=address_hash(KEY, "erased@example.org"), reason=SuppressionReason.ERASED,
                at=NOW, actor="t",
            )
        )  # fmt: skip
    report, rows = load(
        HEAD
        + "new@example.org,,,,,,05111000,\n"
        + "KNOWN@example.org,,,,,,05111000,\n"
        + "left@example.org,,,,,,05111000,\n"
        + "erased@example.org,,,,,,05111000,\n"
        + "new@Example.org,,,,,,05111000,\n"
        + "no address,,,,,,05111000,\n"
        + "a@example.org,lady,,,,,05111000,\n"
        + "b@example.org,,,,,king,05111000,\n"
        + "c@example.org,,,,,,99999999,\n"
        + "d@example.org,,,,,,,\n"
        + "e@example.org,,,,,,05111000,xx\n"
        + "f@example.org,,,,,state,,\n"
    )
    assert [(row.line, row.outcome) for row in rows] == [
        (2, "added"), (3, "known"), (4, "left"), (5, "suppressed"), (6, "duplicate"), (7, "refused"),
        (8, "refused"), (9, "refused"), (10, "refused"), (11, "refused"), (12, "refused"), (13, "added"),
    ]  # fmt: skip
    problems = [row.problem.partition(":")[0] for row in rows if row.outcome == "refused"]
    assert problems == ["email", "form", "role", "ags", "ags", "language"]
    assert report.outcomes["added"] == 2
    with town.read() as session:
        assert session.scalar(select(func.count()).select_from(Subscriber)) == 4


def test_a_second_import_of_the_same_file_changes_nothing(load: Import, town: Database) -> None:
    content = HEAD + "a@example.org,frau,,Anna,Muster,,05111000,\n"
    load(content)
    report, _ = load(content.replace("Anna", "Berta"))
    assert report.outcomes == {"known": 1}
    with town.read() as session:
        assert session.scalars(select(Subscriber.given)).all() == ["Anna"]
        assert session.scalar(select(func.count()).select_from(Office)) == 1


def test_strict_imports_all_or_nothing(load: Import, town: Database) -> None:
    with pytest.raises(BadFile, match="1 rows refused"):
        load(HEAD + "a@example.org,,,,,,05111000,\nbad,,,,,,05111000,\n", strict=True)
    with town.read() as session:
        assert session.scalar(select(func.count()).select_from(Subscriber)) == 0
    report, _ = load(HEAD + "a@example.org,,,,,,05111000,\n", strict=True)
    assert report.outcomes == {"added": 1}


def test_a_dry_run_reports_and_writes_nothing(load: Import, town: Database) -> None:
    report, _ = load(HEAD + "a@example.org,,,,,,05111000,\n", dry_run=True)
    assert report.outcomes == {"added": 1}
    with town.read() as session:
        assert session.scalar(select(func.count()).select_from(Subscriber)) == 0


@pytest.mark.parametrize(
    ("encoding", "charset"), [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("cp1252", "cp1252")]
)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_charset_mark_separator_and_line_end_are_found_out(
    load: Import, town: Database, encoding: str, charset: str, separator: str, end: str
) -> None:
    text = "given,email,ags\nJürgen,a@example.org,05111000\n".replace(",", separator).replace("\n", end)
    report, _ = load(text.encode(encoding))
    assert (report.charset, report.outcomes) == (charset, {"added": 1})
    with town.read() as session:
        assert session.scalars(select(Subscriber.given)).all() == ["Jürgen"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"name,ags\n", "column email"),
        (b"email,shoe size\n", "unknown columns: 'shoe size'"),
        (b"email,email\n", "email stands there twice"),
        (b"email" + b",x" * 500 + b"\n", "unknown columns"),
        (b"\0\1\2\3", "no header"),
        (b"email,ags\ra@example.org,05111000\r", "line 1: new-line character"),
        (b"email,\x81\na@example.org,x\n", "unknown columns"),
        (b"email,\x1b[2J\n", r"'\\x1b\[2J'"),
        (b'email,"ags\na@example.org,05111000\n', "line 1: unexpected end of data"),
        (b"x" * 200_000, "no header"),
    ],
)
def test_a_file_that_is_no_list_of_people_is_refused_in_one_line(
    load: Import, content: bytes, problem: str
) -> None:
    with pytest.raises(BadFile, match=problem) as refusal:
        load(content)
    assert len(str(refusal.value)) < 300
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (b"a\0@example.org,05111000", "NUL"),
        (b"a@example.org," + b"0" * 100_000, "longer than"),
        (b"a@example.org," + b"0" * 10_000, "longer than"),
        (b"a@example.org,05111000" + b",x" * 500, "502 cells"),
        (b'"a@example.org,05111000', ""),
        (b"a@example.org\x01,05111000", "control character"),
        (b"a\x81@example.org,05111000", "cannot be read"),
    ],
)
def test_a_hostile_row_is_reported_and_the_rest_goes_in(load: Import, row: bytes, problem: str) -> None:
    report, rows = load(b"email,ags\nok1@example.org,05111000\n" + row + b"\nok2@example.org,05111000\n")
    assert report.outcomes == {"added": 2, "refused": 1}
    assert problem in rows[1].problem
    assert rows[1].outcome == "refused"


def test_a_line_without_end_is_never_held(load: Import, tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        content = b"email,ags\n" + b"x" * 30_000_000 + b"\nok@example.org,05111000\n"
        report, _ = load(content)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert report.outcomes == {"refused": 1, "added": 1}
    # what the test itself holds, and little more
    assert most < 2 * 30_000_000 + 10_000_000


def test_public_task_is_not_for_a_municipalitys_own_list(load: Import) -> None:
    with pytest.raises(BadFile, match="lists of the network"):
        load(HEAD + "a@example.org,,,,,,05111000,\n", list_key="stadt")


def test_what_an_export_wrote_comes_in_as_it_was(load: Import, town: Database) -> None:
    load("email,given,ags\na@example.org,'=1+1,05111000\n")
    with town.read() as session:
        assert session.scalars(select(Subscriber.given)).all() == ["=1+1"]


def test_a_no_break_space_is_a_space_and_names_are_kept_composed(load: Import, town: Database) -> None:
    load("email,title,family,ags\na@example.org,Prof.\u00a0Dr.,Mu\u0308ller,05111000\n")
    with town.read() as session:
        person = session.scalars(select(Subscriber)).one()
    assert (person.title, person.family) == ("Prof. Dr.", "Müller")


def test_the_empty_rows_below_a_spreadsheet_are_no_rows(load: Import) -> None:
    report, _ = load('email;given;ags\na@example.org;Anna;05111000\n;;\n"";"";\n\n', strict=True)
    assert report.outcomes == {"added": 1}


def test_a_sign_up_that_waits_is_active_once_its_owner_is_an_officer(load: Import, town: Database) -> None:
    with town.write() as session:
        for name in ("a", "b"):
            address = f"{name}@example.org"
            subscriber = admit(session, address=address, suppression_key=KEY, now=NOW - timedelta(days=1))
            await_confirmation(
                session, subscriber=subscriber, list_key="netzwerk", now=NOW - timedelta(days=1)
            )
    report, _ = load("email,ags\na@example.org,05111000\nnew@example.org,05111000\n")
    assert report.outcomes == {"added": 2}
    with town.read() as session:
        rows = session.execute(
            select(Subscriber.address, Subscription.state, Subscription.basis, Subscription.since).join(
                Subscription, Subscription.subscriber_id == Subscriber.id
            )
        ).all()
    assert sorted(rows) == [
        ("a@example.org", SubscriptionState.ACTIVE, Basis.PUBLIC_TASK, NOW),
        ("b@example.org", SubscriptionState.PENDING, Basis.CONSENT, NOW - timedelta(days=1)),
        ("new@example.org", SubscriptionState.ACTIVE, Basis.PUBLIC_TASK, NOW),
    ]


@pytest.mark.parametrize("basis", [Basis.CONSENT, Basis.PUBLIC_TASK])
@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_no_import_reaches_a_suppressed_address(
    load: Import, town: Database, basis: Basis, reason: SuppressionReason
) -> None:
    with town.write() as session:
        suppress(session, address_hash=address_hash(KEY, "a@example.org"), reason=reason, actor="t", now=NOW)
    report, _ = load("email,ags\nA@example.org,05111000\n", basis=basis)
    assert report.outcomes == {"suppressed": 1}
    with town.read() as session:
        for noun in (Request, Subscriber, Subscription, Office):
            assert session.scalar(select(func.count()).select_from(noun)) == 0


@pytest.mark.parametrize("dry_run", [False, True])
def test_strict_says_of_every_row_what_is_wrong_even_in_a_dry_run(
    load: Import, town: Database, dry_run: bool
) -> None:
    rows: list[RowReport] = []
    with pytest.raises(BadFile, match="2 rows refused: nothing was imported"):
        load("email,ags\na@example.org,05111000\nx,\ny,\n", strict=True, dry_run=dry_run, tell=rows.append)
    assert [row.outcome for row in rows] == ["added", "refused", "refused"]


def test_a_duplicate_is_found_across_chunks(load: Import) -> None:
    lines = [f"p{n}@example.org,05111000" for n in range(1500)]
    report, rows = load("\n".join(["email,ags", *lines, "P0@example.org,05111000", ""]))
    assert report.outcomes == {"added": 1500, "duplicate": 1}
    assert rows[-1].line == 1502
