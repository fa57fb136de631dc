"""Sending: only ends are counted, what is open is found by indexes, and what holds sending back is kept."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_KINDS = (
    "confirm", "welcome", "goodbye", "preferences", "invite", "still-right", "contribute",
    "contribution-used", "contribution-refused", "draft-ready", "reminder", "overdue",
    "emergency", "halted", "missed", "given-up", "issue-sent", "foreword",
)  # fmt: skip


def upgrade() -> None:
    _count_ends_only()
    _index_what_is_open()
    _keep_what_holds_sending_back()
    with op.batch_alter_table("issues") as issues:
        issues.add_column(sa.Column("halted", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("issues") as issues:
        issues.alter_column("halted", existing_type=sa.Text(), server_default=None)
    with op.batch_alter_table("lists") as lists:
        lists.add_column(sa.Column("in_doubt", sa.String(20), nullable=False, server_default="resend"))
    with op.batch_alter_table("lists") as lists:
        lists.alter_column("in_doubt", existing_type=sa.String(20), server_default=None)
        lists.create_check_constraint(op.f("ck_lists_indoubt"), "in_doubt IN ('resend', 'hold')")
    with op.batch_alter_table("requests", recreate="auto") as requests:
        requests.drop_constraint(op.f("ck_requests_requestkind"), type_="check")
        kinds = ", ".join(f"'{kind}'" for kind in _KINDS)
        requests.create_check_constraint(op.f("ck_requests_requestkind"), f"kind IN ({kinds})")


def _count_ends_only() -> None:
    # what was frozen is all that ever moved in, less what moved on
    op.execute(
        "INSERT INTO figures (issue_id, list_key, municipality, domain, relay, worker, state, reason, n)"
        " SELECT issue_id, list_key, municipality, domain, '', 'freeze', 'frozen', '', SUM(n) FROM figures"
        " WHERE state NOT LIKE 'returned:%' GROUP BY issue_id, list_key, municipality, domain"
        " HAVING SUM(n) <> 0"
    )
    op.execute("DELETE FROM figures WHERE state IN ('pending', 'sending', 'deferred', 'held')")


def _index_what_is_open() -> None:
    op.drop_index("ix_deliveries_claim", "deliveries")
    op.create_index(
        "ix_deliveries_claim",
        "deliveries",
        ["state", "priority", "issue_id", "id"],
        sqlite_where=sa.text("settled_at IS NULL"),
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["priority", "due_at", "issue_id"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )


def _keep_what_holds_sending_back() -> None:
    op.create_table(
        "tallies",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("span", sa.Integer(), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "span", "slot", name=op.f("pk_tallies")),
    )
    op.create_table(
        "relay_rates",
        sa.Column("relay", sa.Text(), nullable=False),
        sa.Column("rate", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("relay", name=op.f("pk_relay_rates")),
    )
    op.create_table(
        "domain_troubles",
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("deferred", sa.Integer(), nullable=False),
        sa.Column("rests", sa.Integer(), nullable=False),
        sa.Column("rest_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("probing", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("domain", name=op.f("pk_domain_troubles")),
    )
