"""Mails that welcome people, and that tell staff what became of an issue."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_KINDS = (
    "confirm", "welcome", "goodbye", "preferences", "invite", "still-right", "contribute",
    "contribution-used", "contribution-refused", "draft-ready", "reminder", "overdue",
    "emergency", "missed", "given-up", "issue-sent", "foreword",
)  # fmt: skip


def upgrade() -> None:
    with op.batch_alter_table("requests") as requests:
        requests.drop_constraint(op.f("ck_requests_requestkind"), type_="check")
        kinds = ", ".join(f"'{kind}'" for kind in _KINDS)
        requests.create_check_constraint(op.f("ck_requests_requestkind"), f"kind IN ({kinds})")
