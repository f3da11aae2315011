"""The decision history: where its recorder is, searching by a call and by a number's end, retention."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
ENDS = ("called_end", "caller_end")


def upgrade() -> None:
    op.create_table(
        "marks",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_marks"),
    )
    op.add_column("tenants", sa.Column("retention_days", sa.Integer(), server_default="90", nullable=False))
    op.drop_index("ix_decisions_parked_at_id", "decisions")
    op.create_index("ix_decisions_call", "decisions", ["call"])
    for end in ENDS:
        op.add_column("decisions", sa.Column(end, sa.String(length=4), server_default="", nullable=False))
        op.create_index(
            f"ix_decisions_tenant_{end}_parked_at_id", "decisions", ["tenant", end, "parked_at", "id"]
        )
