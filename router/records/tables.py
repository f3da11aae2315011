"""The tables, on SQLite and PostgreSQL alike.

Documents are JSON texts that msgspec writes and reads: a rule, an integration's settings, a whole tenant as
it was published. What is searched, joined or constrained has columns of its own. Moments are seconds since
the epoch.

What a caller reaches is in `publications`: the newest row of a tenant is the configuration in force, whole.
The other tables of configuration are what admins edit, and drafts of rules live there alone.

Rows of `rule_versions`, `publications` and `audit` are never changed: triggers of the migrations refuse it.
"""

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""Of a key that counts up by itself: SQLite does that for `INTEGER` alone."""


def _tenant(*, is_key: bool = False) -> sa.Column[str]:
    return sa.Column(
        "tenant",
        sa.String(40),
        sa.ForeignKey("tenants.id", ondelete="CASCADE"),
        primary_key=is_key,
        nullable=False,
    )


tenants = sa.Table(
    "tenants",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("profile", sa.Text, nullable=False),
    sa.Column("managed_by", sa.String(10), nullable=False, server_default="page"),
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("changed_at", sa.Double, nullable=False),
    sa.Column("changed_by", sa.String(200), nullable=False),
    sa.Column("retention_days", sa.Integer, nullable=False, server_default="90"),
    sa.CheckConstraint("managed_by IN ('page', 'files')", name="managed_by"),
)
"""`profile` is the tenant without its lists; `managed_by` says where changes are to be made. Decisions
are forgotten after `retention_days`."""

rules = sa.Table(
    "rules",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    _tenant(),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("draft", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
    sa.Column("live_version", sa.Integer),
    sa.Column("changed_at", sa.Double, nullable=False),
    sa.Column("changed_by", sa.String(200), nullable=False),
    sa.UniqueConstraint("tenant", "name"),
)
"""`draft` is what is edited; `live_version`, when there is one, is what calls are decided by."""

rule_versions = sa.Table(
    "rule_versions",
    metadata,
    sa.Column("rule", Serial, sa.ForeignKey("rules.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("author", sa.String(200), nullable=False),
    sa.Column("comment", sa.Text, nullable=False, server_default=""),
    sa.Column("made_at", sa.Double, nullable=False),
)

numbers = sa.Table(
    "numbers",
    metadata,
    _tenant(is_key=True),
    sa.Column("did", sa.String(40), primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("rule", Serial, sa.ForeignKey("rules.id", ondelete="RESTRICT")),
    sa.Column("note", sa.Text, nullable=False, server_default=""),
)
sa.Index(None, numbers.c.rule)

ivr_entries = sa.Table(
    "ivr_entries",
    metadata,
    _tenant(is_key=True),
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("rule", Serial, sa.ForeignKey("rules.id", ondelete="RESTRICT"), nullable=False),
    sa.Column("note", sa.Text, nullable=False, server_default=""),
)
sa.Index(None, ivr_entries.c.rule)

integrations = sa.Table(
    "integrations",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    _tenant(),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
    sa.Column("changed_at", sa.Double, nullable=False),
    sa.Column("changed_by", sa.String(200), nullable=False),
    sa.UniqueConstraint("tenant", "name"),
)

publications = sa.Table(
    "publications",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("tenant", sa.String(40), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("document", sa.Text),
    sa.Column("digest", sa.String(16), nullable=False, server_default=""),
    sa.Column("versions", sa.Text, nullable=False, server_default="{}"),
    sa.Column("author", sa.String(200), nullable=False),
    sa.Column("comment", sa.Text, nullable=False, server_default=""),
    sa.Column("made_at", sa.Double, nullable=False),
    sa.UniqueConstraint("tenant", "number"),
)
sa.Index(None, publications.c.tenant, publications.c.digest)
"""A tenant whole, as it was put in force; without a document the tenant was removed. It outlives the tenant.

`digest` is the one that decisions carry, and `versions` tells which version of each rule is in the document.
"""

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(200), nullable=False, unique=True),
    sa.Column("folded", sa.String(620), nullable=False, server_default=""),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("tenant", sa.String(40), sa.ForeignKey("tenants.id", ondelete="CASCADE")),
    sa.Column("password", sa.Text, nullable=False, server_default=""),
    sa.Column("totp", sa.LargeBinary),
    sa.Column("totp_step", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("oidc_subject", sa.String(300), unique=True),
    sa.Column("language", sa.String(5), nullable=False, server_default="en"),
    sa.Column("is_disabled", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("made_at", sa.Double, nullable=False),
    sa.Column("signed_in_at", sa.Double),
    sa.CheckConstraint("role IN ('provider', 'admin', 'editor', 'viewer')", name="role"),
    sa.CheckConstraint("(role = 'provider') = (tenant IS NULL)", name="place"),
)
"""`password` is argon2's text; `totp` the second factor's sealed secret, `totp_step` the last step used.

`folded` is the name by which a user is found, whatever its case (`router.records.users.folded`): databases
fold letters beyond ASCII each in their own way, or not at all.
"""
sa.Index(None, users.c.folded, unique=True)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("user", Serial, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("made_at", sa.Double, nullable=False),
    sa.Column("seen_at", sa.Double, nullable=False),
    sa.Column("ends_at", sa.Double, nullable=False),
    sa.Column("origin", sa.String(100), nullable=False, server_default=""),
)
sa.Index(None, sessions.c.user)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("tenant", sa.String(40), sa.ForeignKey("tenants.id", ondelete="CASCADE")),
    sa.Column("made_by", sa.String(200), nullable=False),
    sa.Column("made_at", sa.Double, nullable=False),
    sa.Column("ends_at", sa.Double, nullable=False),
    sa.Column("used_at", sa.Double),
    sa.Column("maker", Serial, sa.ForeignKey("users.id", ondelete="CASCADE")),
    sa.CheckConstraint("role IN ('provider', 'admin', 'editor', 'viewer')", name="role"),
)
"""`maker` is the user whose rights bound it, and with whom it goes; none for the command line's."""
sa.Index(None, tokens.c.maker)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("tenant", sa.String(40)),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("origin", sa.String(100), nullable=False),
    sa.Column("action", sa.String(40), nullable=False),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("before", sa.Text),
    sa.Column("after", sa.Text),
)
sa.Index(None, audit.c.tenant, audit.c.id)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("server", sa.String(80), nullable=False),
    sa.Column("call", sa.String(100), nullable=False),
    sa.Column("parking", sa.Integer, nullable=False),
    sa.Column("tenant", sa.String(40), nullable=False),
    sa.Column("parked_at", sa.Double, nullable=False),
    sa.Column("caller", sa.String(40), nullable=False),
    sa.Column("called", sa.String(40), nullable=False),
    sa.Column("caller_end", sa.String(4), nullable=False, server_default=""),
    sa.Column("called_end", sa.String(4), nullable=False, server_default=""),
    sa.Column("rule", sa.String(80), nullable=False),
    sa.Column("outcome", sa.String(20), nullable=False),
    sa.Column("destination", sa.String(120), nullable=False),
    sa.Column("plan", sa.String(16), nullable=False),
    sa.Column("document", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("server", "call", "parking"),
)
"""The columns are what is searched; the document is the decision whole, as the decision stream has it.

`caller_end` and `called_end` are the numbers' last four digits. No index begins with the time: the planner
would take it for a tenant's latest, and read through everybody's where that tenant has called long ago.
"""
sa.Index(None, decisions.c.call)
sa.Index(None, decisions.c.tenant, decisions.c.parked_at, decisions.c.id)
for _searched in ("caller", "called", "caller_end", "called_end", "rule", "outcome", "destination"):
    sa.Index(None, decisions.c.tenant, decisions.c[_searched], decisions.c.parked_at, decisions.c.id)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("subject", sa.String(300), primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("last_at", sa.Double, nullable=False),
)
"""Sign-ins that failed in a row, by user name (`user:` and its digest) and by address (`from:…`)."""

recovery_codes = sa.Table(
    "recovery_codes",
    metadata,
    sa.Column("user", Serial, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("digest", sa.String(64), primary_key=True),
)
"""Each signs in once in place of the second factor, and goes."""

setup_links = sa.Table(
    "setup_links",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("ends_at", sa.Double, nullable=False),
)
"""The one-time link with which the first user is made."""

one_time_keys = sa.Table(
    "one_time_keys",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("purpose", sa.String(20), nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("ends_at", sa.Double, nullable=False),
)
"""What one step of a sign-in hands to the next; each serves once."""

marks = sa.Table(
    "marks",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.String(200), nullable=False),
)
"""How far those have come who copy from elsewhere."""
