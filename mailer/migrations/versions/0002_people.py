"""People: evidence as a hash chain, imports to be released, pauses, the yearly question, tasks."""

from contextlib import AbstractContextManager

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations
from sqlalchemy.orm import Session

from subscribers.base import Handle, Utc
from subscribers.chain import Chain, Happening, append

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KINDS = ("confirm", "goodbye", "preferences", "invite", "still-right")


def upgrade() -> None:
    op.create_table(
        "records",
        sa.Column(
            "chain",
            sa.Enum("consent", "audit", name="chain", native_enum=False, create_constraint=True, length=20),
            nullable=False,
        ),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("previous", sa.LargeBinary(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.BigInteger(), nullable=True),
        sa.Column("commitment", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("chain", "seq", name=op.f("pk_records")),
        sa.UniqueConstraint("chain", "previous", name=op.f("uq_records_chain_previous")),
    )
    op.create_index(op.f("ix_records_subject"), "records", ["subject"], unique=False)
    op.create_table(
        "record_payloads",
        sa.Column(
            "chain",
            sa.Enum("consent", "audit", name="chain", native_enum=False, create_constraint=True, length=20),
            nullable=False,
        ),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("salt", sa.LargeBinary(length=16), nullable=True),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blocked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["chain", "seq"],
            ["records.chain", "records.seq"],
            name=op.f("fk_record_payloads_chain_seq_records"),
        ),
        sa.PrimaryKeyConstraint("chain", "seq", name=op.f("pk_record_payloads")),
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("successor", name="taskkind", native_enum=False, create_constraint=True, length=20),
            nullable=False,
        ),
        sa.Column("municipality", sa.Text(), nullable=True),
        sa.Column("subscriber_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality"], ["municipalities.ags"], name=op.f("fk_tasks_municipality_municipalities")
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_tasks_subscriber_id_subscribers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
    )
    op.create_table(
        "imports",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("list_key", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column(
            "basis",
            sa.Enum(
                "consent",
                "public-task",
                "prior-consent",
                name="basis",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("informed", sa.Text(), nullable=False),
        sa.Column("given_on", sa.Date(), nullable=True),
        sa.Column("wording", sa.Text(), nullable=False),
        sa.Column("proof_name", sa.Text(), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "held",
                "released",
                "refused",
                name="importstate",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["list_key"], ["lists.key"], name=op.f("fk_imports_list_key_lists")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.add_column("notices", sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True))
    _move_consents()
    op.drop_index("ix_consents_subscriber_handle", table_name="consents")
    op.drop_table("consents")
    _add_filled("lists", sa.Column("privacy_version", sa.Text(), nullable=False, server_default=""))
    with _altering("offices") as offices:
        offices.add_column(sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True))
        offices.add_column(sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True))
    _add_filled("offices", sa.Column("asked", sa.Integer(), nullable=False, server_default="0"))
    with _altering("requests") as requests:
        requests.drop_constraint(op.f("ck_requests_requestkind"), type_="check")
        kinds = ", ".join(f"'{kind}'" for kind in _KINDS)
        requests.create_check_constraint(op.f("ck_requests_requestkind"), f"kind IN ({kinds})")
        requests.alter_column("list_key", existing_type=sa.Text(), nullable=True)
        requests.add_column(sa.Column("origin", sa.LargeBinary(length=32), nullable=True))
        requests.add_column(sa.Column("due_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_requests_created_at", "requests", ["created_at"])
    op.create_index("ix_requests_origin_created_at", "requests", ["origin", "created_at"])
    op.create_index("ix_requests_address", "requests", ["address"])
    op.create_index("ix_requests_subscriber_id", "requests", ["subscriber_id"])
    op.create_index("ix_receipts_delivery_id", "receipts", ["delivery_id"])
    with _altering("subscriptions") as subscriptions:
        subscriptions.add_column(sa.Column("paused_until", sa.Date(), nullable=True))
        subscriptions.add_column(
            sa.Column("import_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        subscriptions.add_column(sa.Column("informed_at", sa.DateTime(timezone=True), nullable=True))
        subscriptions.create_foreign_key(
            op.f("fk_subscriptions_import_id_imports"), "imports", ["import_id"], ["id"]
        )
    op.create_index("ix_subscriptions_import_id", "subscriptions", ["import_id"])
    _key_editions_by_import()


def _key_editions_by_import() -> None:
    """The mapping is made anew before each freeze: nothing in it is worth carrying over."""
    op.drop_table("edition_audience")
    op.create_table(
        "edition_audience",
        sa.Column("issue_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("list_key", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("places", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("edition_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["edition_id"], ["editions.id"], name=op.f("fk_edition_audience_edition_id_editions"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issues.id"], name=op.f("fk_edition_audience_issue_id_issues"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "issue_id", "list_key", "language", "places", "roles", "import_id",
            name=op.f("pk_edition_audience"),
        ),
    )  # fmt: skip


def _altering(table: str) -> AbstractContextManager[BatchOperations]:
    """SQLite knows no ALTER for this: there the table is made anew and filled from the old one."""
    return op.batch_alter_table(table, recreate="auto")


def _add_filled(table: str, column: sa.Column[object]) -> None:
    """A column that rows there have a value in already, and new ones get no default for."""
    with _altering(table) as altering:
        altering.add_column(column)
    with _altering(table) as altering:
        altering.alter_column(column.name, existing_type=column.type, server_default=None)


def _move_consents() -> None:
    """What was evidence in a table of its own becomes the start of the chain."""
    session = Session(op.get_bind())
    consents = sa.table(
        "consents",
        *(sa.column(name, sa.Text()) for name in ("list_key", "act", "source", "actor")),
        *(sa.column(name, sa.Text()) for name in ("wording", "wording_version")),
        *(sa.column(name, Handle()) for name in ("subscriber_handle", "notice_handle")),
        *(sa.column(name, Utc()) for name in ("requested_at", "at")),
        sa.column("id", sa.BigInteger()),
    )
    notices = sa.table("notices", sa.column("handle", Handle()), sa.column("answered_at", Utc()))
    for row in session.execute(sa.select(consents).order_by(consents.c.id)).mappings().all():
        said = {
            "list": row["list_key"],
            "wording": row["wording"],
            "wording_version": row["wording_version"],
            "source": row["source"],
            "requested_at": row["requested_at"].isoformat() if row["requested_at"] else "",
            "notice": f"{row['notice_handle']:016x}" if row["notice_handle"] is not None else "",
        }
        said = {name: value for name, value in said.items() if value}
        happening = Happening(row["act"], said, row["subscriber_handle"])
        append(session, Chain.CONSENT, [happening], actor=row["actor"], at=row["at"])
        if row["notice_handle"] is not None:
            session.execute(
                sa.update(notices)
                .where(notices.c.handle == row["notice_handle"])
                .values(answered_at=row["at"])
            )
    session.flush()
