"""The decision history: where its recorder is, searching by a call and by a number's end, retention."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
ENDS = {"called_end": "called", "caller_end": "caller"}


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
    for end, number in ENDS.items():
        op.add_column("decisions", sa.Column(end, sa.String(length=4), server_default="", nullable=False))
        column, whole = sa.column(end, sa.String()), sa.column(number, sa.String())
        last = sa.case(
            (sa.func.length(whole) > 4, sa.func.substr(whole, sa.func.length(whole) - 3)), else_=whole
        )
        op.execute(sa.table("decisions", column).update().values({end: last}))
        op.create_index(
            f"ix_decisions_tenant_{end}_parked_at_id", "decisions", ["tenant", end, "parked_at", "id"]
        )
