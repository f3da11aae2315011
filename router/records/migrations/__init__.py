"""The schema's history, as Alembic keeps it: one module for each step, in `versions`.

A database that a newer program has changed is left alone: an older program would read it wrongly.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from router.records.errors import RecordsEmpty, RecordsMisconfigured

FOLDER = Path(__file__).resolve().parent
LOCK = 7_326_450_018
"""Of PostgreSQL's advisory locks, the one that we change the schema under."""

FIRST = "`crmroute apply` or `crmroute admin` makes them"


def configuration(connection: sa.Connection) -> Config:
    """What Alembic's commands take; they run on this connection, in its transaction."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config


def steps() -> list[str]:
    """The schema's steps, the newest first."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    return [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()]


def revision_of(connection: sa.Connection) -> str | None:
    """The schema's step; None for an empty database."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(connection: sa.Connection, to: str = "head") -> None:
    """Take every step that is missing, in the transaction that is under way. Raises RecordsMisconfigured."""
    if connection.dialect.name == "postgresql":
        # Of several processes that start together one changes the schema; the others wait, and find it done.
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    _refuse_newer(revision_of(connection))
    command.upgrade(configuration(connection), to)


def require_current(connection: sa.Connection) -> None:
    """Change nothing. Raises RecordsMisconfigured for an older or newer schema, RecordsEmpty for none."""
    current, own = revision_of(connection), steps()[0]
    if current is None:
        raise RecordsEmpty(f"the records are empty: {FIRST}")
    _refuse_newer(current)
    if current != own:
        raise RecordsMisconfigured(
            f"the records have schema {current}, and this crmroute needs {own}: make a backup, then run "
            "`crmroute apply` or `crmroute admin`, which bring it up to date"
        )


def _refuse_newer(current: str | None) -> None:
    known = steps()
    if current is not None and current not in known:
        raise RecordsMisconfigured(
            f"the records were made by a newer crmroute (schema {current}, and this one has {known[0]}): "
            "run that one, or restore a backup"
        )
