"""Composing: contributions, suggestions and edits, own issues of municipal lists, stationery."""

from contextlib import AbstractContextManager

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_REQUESTS = (
    "confirm", "goodbye", "preferences", "invite", "still-right", "contribute", "contribution-used",
    "contribution-refused", "draft-ready", "reminder", "overdue", "emergency", "foreword",
)  # fmt: skip
_KINDS = ("news", "practice", "event", "help-wanted", "help-offered")


def upgrade() -> None:
    op.create_table(
        "pictures",
        sa.Column("id", _ID, nullable=False),
        sa.Column("handle", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("alt", sa.Text(), nullable=False),
        sa.Column("credit", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pictures")),
        sa.UniqueConstraint("handle", name=op.f("uq_pictures_handle")),
    )
    op.create_table(
        "stationery",
        sa.Column("id", _ID, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("templates", sa.JSON(), nullable=False),
        sa.Column("letterhead", sa.JSON(), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stationery")),
        sa.UniqueConstraint("digest", name=op.f("uq_stationery_digest")),
    )
    _feeds_and_items()
    _contributions()
    _issues()
    with _altering("editions") as editions:
        editions.add_column(sa.Column("stationery_id", _ID, nullable=True))
        editions.create_foreign_key(
            op.f("fk_editions_stationery_id_stationery"), "stationery", ["stationery_id"], ["id"]
        )
    _add_filled("editions", sa.Column("setting", sa.JSON(), nullable=False, server_default="{}"))
    _add_filled("lists", sa.Column("sender_name", sa.Text(), nullable=False, server_default=""))
    _add_filled("lists", _one_of("following", "following", ("as-is", "foreword"), "as-is"))
    _add_filled("lists", sa.Column("coordinator", sa.Text(), nullable=False, server_default=""))
    _add_filled("lists", sa.Column("foreword_hours", sa.Integer(), nullable=False, server_default="48"))
    _add_filled("lists", _one_of("without_foreword", "withoutforeword", ("send", "skip"), "send"))
    with _altering("requests") as requests:
        requests.drop_constraint(op.f("ck_requests_requestkind"), type_="check")
        kinds = ", ".join(f"'{kind}'" for kind in _REQUESTS)
        requests.create_check_constraint(op.f("ck_requests_requestkind"), f"kind IN ({kinds})")
    _notices()


def _feeds_and_items() -> None:
    _add_filled("feeds", _one_of("origin", "feedorigin", ("plan", "staff", "form"), "plan"))
    _add_filled("feeds", sa.Column("places", sa.JSON(), nullable=False, server_default="[]"))
    with _altering("feeds") as feeds:
        feeds.add_column(sa.Column("broken_since", sa.DateTime(timezone=True), nullable=True))
    _add_filled("items", _one_of("kind", "kind", _KINDS, "news"))
    _add_filled("items", _one_of("state", "itemstate", ("free", "held", "dismissed"), "free"))
    _add_filled("items", sa.Column("all_day", sa.Boolean(), nullable=False, server_default=sa.false()))
    _add_filled("items", sa.Column("contact", sa.Text(), nullable=False, server_default=""))
    _add_filled("items", sa.Column("internal", sa.Boolean(), nullable=False, server_default=sa.false()))
    with _altering("items") as items:
        items.add_column(sa.Column("deadline", sa.Date(), nullable=True))
        items.add_column(sa.Column("municipality", sa.Text(), nullable=True))
        items.add_column(sa.Column("picture_id", _ID, nullable=True))
        items.create_foreign_key(op.f("fk_items_picture_id_pictures"), "pictures", ["picture_id"], ["id"])


def _contributions() -> None:
    op.create_table(
        "contributions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("handle", sa.BigInteger(), nullable=False),
        _enum("state", "contributionstate", ("unconfirmed", "received", "used", "refused")),
        _enum("kind", "kind", _KINDS),
        sa.Column("municipality", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("starts", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends", sa.DateTime(timezone=True), nullable=True),
        sa.Column("all_day", sa.Boolean(), nullable=False),
        sa.Column("deadline", sa.Date(), nullable=True),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("pass_on", sa.Boolean(), nullable=False),
        sa.Column("picture_id", _ID, nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("item_id", _ID, nullable=True),
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["municipality"],
            ["municipalities.ags"],
            name=op.f("fk_contributions_municipality_municipalities"),
        ),
        sa.ForeignKeyConstraint(
            ["picture_id"], ["pictures.id"], name=op.f("fk_contributions_picture_id_pictures")
        ),
        sa.ForeignKeyConstraint(
            ["item_id"], ["items.id"], name=op.f("fk_contributions_item_id_items"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contributions")),
        sa.UniqueConstraint("handle", name=op.f("uq_contributions_handle")),
        sa.UniqueConstraint("item_id", name=op.f("uq_contributions_item_id")),
    )
    op.create_index("ix_contributions_state", "contributions", ["state"])
    op.create_index("ix_contributions_address", "contributions", ["address"])


def _issues() -> None:
    _add_filled("issues", sa.Column("for_list", sa.Text(), nullable=False, server_default=""))
    _add_filled("issues", sa.Column("postponed", sa.Boolean(), nullable=False, server_default=sa.false()))
    _add_filled("issues", sa.Column("told", sa.JSON(), nullable=False, server_default="[]"))
    _add_filled("issues", sa.Column("emergency", sa.Text(), nullable=False, server_default=""))
    _add_filled("issues", sa.Column("correction", sa.Text(), nullable=False, server_default=""))
    with _altering("issues") as issues:
        issues.add_column(sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=True))
        issues.add_column(sa.Column("derived_from", _ID, nullable=True))
        issues.add_column(sa.Column("corrects", _ID, nullable=True))
        issues.create_foreign_key(op.f("fk_issues_derived_from_issues"), "issues", ["derived_from"], ["id"])
        issues.create_foreign_key(op.f("fk_issues_corrects_issues"), "issues", ["corrects"], ["id"])
        issues.drop_constraint(op.f("uq_issues_newsletter_slot"), type_="unique")
        issues.create_unique_constraint(
            op.f("uq_issues_newsletter_slot_for_list"), ["newsletter", "slot", "for_list"]
        )
    op.create_table(
        "edits",
        sa.Column("id", _ID, nullable=False),
        sa.Column("issue_id", _ID, nullable=False),
        sa.Column("entry_id", _ID, nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issues.id"], name=op.f("fk_edits_issue_id_issues"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["entries.id"], name=op.f("fk_edits_entry_id_entries"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edits")),
    )
    op.create_index("ix_edits_issue_id", "edits", ["issue_id"])
    with _altering("entries") as entries:
        entries.drop_constraint(op.f("ck_entries_entrystate"), type_="check")
        entries.create_check_constraint(
            op.f("ck_entries_entrystate"), "state IN ('placed', 'suggested', 'held', 'rejected')"
        )
        entries.add_column(sa.Column("deadline", sa.Date(), nullable=True))
        entries.add_column(sa.Column("municipality", sa.Text(), nullable=True))
        entries.add_column(sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True))
        entries.add_column(sa.Column("picture_id", _ID, nullable=True))
        entries.create_foreign_key(op.f("fk_entries_picture_id_pictures"), "pictures", ["picture_id"], ["id"])
    for name in ("all_day", "internal", "pinned", "frozen"):
        _add_filled("entries", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    for name in ("roles", "also"):
        _add_filled("entries", sa.Column(name, sa.JSON(), nullable=False, server_default="[]"))
    _add_filled("entries", sa.Column("contact", sa.Text(), nullable=False, server_default=""))
    _add_filled("entries", _one_of("kind", "kind", _KINDS, "news"))


def _notices() -> None:
    _add_filled("notices", sa.Column("address", sa.Text(), nullable=False, server_default=""))
    with _altering("notices") as notices:
        notices.add_column(sa.Column("address_handle", sa.BigInteger(), nullable=True))
    op.create_index("ix_notices_address", "notices", ["address"])


def _altering(table: str) -> AbstractContextManager[BatchOperations]:
    """SQLite knows no ALTER for this: there the table is made anew and filled from the old one."""
    return op.batch_alter_table(table, recreate="auto")


def _add_filled(table: str, column: sa.Column[object]) -> None:
    """A column that rows there have a value in already, and new ones get no default for."""
    with _altering(table) as altering:
        altering.add_column(column)
    with _altering(table) as altering:
        altering.alter_column(column.name, existing_type=column.type, server_default=None)


def _enum(name: str, type_name: str, values: tuple[str, ...]) -> sa.Column[object]:
    return sa.Column(
        name,
        sa.Enum(*values, name=type_name, native_enum=False, create_constraint=True, length=20),
        nullable=False,
    )


def _one_of(name: str, type_name: str, values: tuple[str, ...], default: str) -> sa.Column[object]:
    column = _enum(name, type_name, values)
    column.server_default = sa.DefaultClause(default)
    return column
