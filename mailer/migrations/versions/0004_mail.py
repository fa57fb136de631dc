"""The mail itself: a part in Leichte Sprache."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("issues") as issues:
        issues.add_column(sa.Column("easy_language", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("issues") as issues:
        issues.alter_column("easy_language", existing_type=sa.Text(), server_default=None)
