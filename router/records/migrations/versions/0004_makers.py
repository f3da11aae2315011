"""Users are found by a folded name, whatever its case and its letters; tokens know the user who made them."""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("users", sa.Column("folded", sa.String(length=620), server_default="", nullable=False))
    _fold_names()
    op.create_index("ix_users_folded", "users", ["folded"], unique=True)
    # SQLite gets a new table in the former's place, which it may: nothing refers to a token.
    with op.batch_alter_table("tokens") as tokens:
        tokens.add_column(sa.Column("maker", SERIAL, nullable=True))
        tokens.create_foreign_key("fk_tokens_maker", "users", ["maker"], ["id"], ondelete="CASCADE")
    op.create_index("ix_tokens_maker", "tokens", ["maker"])
    op.execute("UPDATE tokens SET maker = (SELECT users.id FROM users WHERE users.name = tokens.made_by)")


def _fold_names() -> None:
    """Of two names that fold alike the older user keeps it; the other signs in with `#` and its number."""
    taken: set[str] = set()
    rows = op.get_bind().execute(sa.text("SELECT id, name FROM users ORDER BY id")).all()
    for id_, name in rows:
        folded = unicodedata.normalize("NFKC", name).casefold()
        if folded in taken:
            folded = f"{folded}#{id_}"
        taken.add(folded)
        values = {"folded": folded, "id": id_}
        op.get_bind().execute(sa.text("UPDATE users SET folded = :folded WHERE id = :id"), values)
