"""What SQLite and PostgreSQL say alike and SQLAlchemy has twice."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection


def is_postgresql(connection: AsyncConnection) -> bool:
    return connection.dialect.name == "postgresql"


def insert(connection: AsyncConnection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """An insert that may leave alone what is there."""
    return postgresql.insert(table) if is_postgresql(connection) else sqlite.insert(table)
