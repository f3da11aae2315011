"""The first schema: configuration with its versions, accounts, audit, decisions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEPT = ("rule_versions", "publications", "audit")
"""Their rows are written once, and never changed."""
ALSO_NEVER_DELETED = ("publications", "audit")


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=True),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("origin", sa.String(length=100), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_tenant_id", "audit", ["tenant", "id"])
    op.create_table(
        "decisions",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("server", sa.String(length=80), nullable=False),
        sa.Column("call", sa.String(length=100), nullable=False),
        sa.Column("parking", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("parked_at", sa.Double(), nullable=False),
        sa.Column("caller", sa.String(length=40), nullable=False),
        sa.Column("called", sa.String(length=40), nullable=False),
        sa.Column("rule", sa.String(length=80), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("destination", sa.String(length=120), nullable=False),
        sa.Column("plan", sa.String(length=16), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
        sa.UniqueConstraint("server", "call", "parking", name="uq_decisions_server_call_parking"),
    )
    op.create_index("ix_decisions_parked_at_id", "decisions", ["parked_at", "id"])
    op.create_index(
        "ix_decisions_tenant_called_parked_at_id", "decisions", ["tenant", "called", "parked_at", "id"]
    )
    op.create_index(
        "ix_decisions_tenant_caller_parked_at_id", "decisions", ["tenant", "caller", "parked_at", "id"]
    )
    op.create_index(
        "ix_decisions_tenant_destination_parked_at_id",
        "decisions",
        ["tenant", "destination", "parked_at", "id"],
    )
    op.create_index(
        "ix_decisions_tenant_outcome_parked_at_id", "decisions", ["tenant", "outcome", "parked_at", "id"]
    )
    op.create_index("ix_decisions_tenant_parked_at_id", "decisions", ["tenant", "parked_at", "id"])
    op.create_index(
        "ix_decisions_tenant_rule_parked_at_id", "decisions", ["tenant", "rule", "parked_at", "id"]
    )
    op.create_table(
        "publications",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("digest", sa.String(length=16), server_default="", nullable=False),
        sa.Column("versions", sa.Text(), server_default="{}", nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_publications"),
        sa.UniqueConstraint("tenant", "number", name="uq_publications_tenant_number"),
    )
    op.create_index("ix_publications_tenant_digest", "publications", ["tenant", "digest"])
    op.create_table(
        "tenants",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("managed_by", sa.String(length=10), server_default="page", nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.Column("changed_by", sa.String(length=200), nullable=False),
        sa.CheckConstraint("managed_by IN ('page', 'files')", name="ck_tenants_managed_by"),
        sa.PrimaryKeyConstraint("id", name="pk_tenants"),
    )
    op.create_table(
        "integrations",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.Column("changed_by", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant"], ["tenants.id"], name="fk_integrations_tenant", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_integrations"),
        sa.UniqueConstraint("tenant", "name", name="uq_integrations_tenant_name"),
    )
    op.create_table(
        "rules",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("draft", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("live_version", sa.Integer(), nullable=True),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.Column("changed_by", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_rules_tenant", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_rules"),
        sa.UniqueConstraint("tenant", "name", name="uq_rules_tenant_name"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=True),
        sa.Column("made_by", sa.String(length=200), nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.Column("ends_at", sa.Double(), nullable=False),
        sa.Column("used_at", sa.Double(), nullable=True),
        sa.CheckConstraint("role IN ('provider', 'admin', 'editor', 'viewer')", name="ck_tokens_role"),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_tokens_tenant", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("digest", name="uq_tokens_digest"),
    )
    op.create_table(
        "users",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=True),
        sa.Column("password", sa.Text(), server_default="", nullable=False),
        sa.Column("totp", sa.LargeBinary(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("oidc_subject", sa.String(length=300), nullable=True),
        sa.Column("language", sa.String(length=5), server_default="en", nullable=False),
        sa.Column("is_disabled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.Column("signed_in_at", sa.Double(), nullable=True),
        sa.CheckConstraint("(role = 'provider') = (tenant IS NULL)", name="ck_users_place"),
        sa.CheckConstraint("role IN ('provider', 'admin', 'editor', 'viewer')", name="ck_users_role"),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_users_tenant", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
        sa.UniqueConstraint("oidc_subject", name="uq_users_oidc_subject"),
    )
    op.create_table(
        "ivr_entries",
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("rule", SERIAL, nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["rule"], ["rules.id"], name="fk_ivr_entries_rule", ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_ivr_entries_tenant", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant", "name", name="pk_ivr_entries"),
    )
    op.create_index("ix_ivr_entries_rule", "ivr_entries", ["rule"])
    op.create_table(
        "numbers",
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("did", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("rule", SERIAL, nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["rule"], ["rules.id"], name="fk_numbers_rule", ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_numbers_tenant", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant", "did", name="pk_numbers"),
    )
    op.create_index("ix_numbers_rule", "numbers", ["rule"])
    op.create_table(
        "rule_versions",
        sa.Column("rule", SERIAL, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["rule"], ["rules.id"], name="fk_rule_versions_rule", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("rule", "number", name="pk_rule_versions"),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("user", SERIAL, nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.Column("ends_at", sa.Double(), nullable=False),
        sa.Column("origin", sa.String(length=100), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_sessions_user", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest", name="pk_sessions"),
    )
    op.create_index("ix_sessions_user", "sessions", ["user"])
    for table in KEPT:
        _forbid(table, "UPDATE")
    for table in ALSO_NEVER_DELETED:
        _forbid(table, "DELETE")


def _forbid(table: str, what: str) -> None:
    name = f"{table}_never_{what.lower()}"
    told = f"{table} is append-only"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"CREATE TRIGGER {name} BEFORE {what} ON {table} BEGIN SELECT RAISE(ABORT, '{told}'); END")
        return
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{told}'; END $$"
    )
    op.execute(f"CREATE TRIGGER {name} BEFORE {what} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {name}()")
