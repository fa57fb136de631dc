"""Sending: only ends are counted, and what is open is found by an index that SQLite uses."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_deliveries_claim", "deliveries")
    op.create_index(
        "ix_deliveries_claim",
        "deliveries",
        ["state", "priority", "id"],
        sqlite_where=sa.text("settled_at IS NULL"),
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    # what was frozen is all that ever moved in, less what moved on
    op.execute(
        "INSERT INTO figures (issue_id, list_key, municipality, domain, relay, worker, state, reason, n)"
        " SELECT issue_id, list_key, municipality, domain, '', 'freeze', 'frozen', '', SUM(n) FROM figures"
        " WHERE state NOT LIKE 'returned:%' GROUP BY issue_id, list_key, municipality, domain"
        " HAVING SUM(n) <> 0"
    )
    op.execute("DELETE FROM figures WHERE state IN ('pending', 'sending', 'deferred', 'held')")
