"""Sign-ins: failures in a row, recovery codes, the link of the first set-up."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "attempts",
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_attempts"),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("user", SERIAL, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_recovery_codes_user", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user", "digest", name="pk_recovery_codes"),
    )
    op.create_table(
        "setup_links",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("ends_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_setup_links"),
    )
