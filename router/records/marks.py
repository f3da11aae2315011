"""How far somebody has come who copies from elsewhere, written in the transaction of what was copied."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from router.records.dialects import insert
from router.records.tables import marks


async def read(connection: AsyncConnection, name: str) -> str:
    """Empty at the very beginning."""
    return await connection.scalar(sa.select(marks.c.value).where(marks.c.name == name)) or ""


async def lock(connection: AsyncConnection, name: str) -> str:
    """The same, for a change: until the transaction's end nobody else gets beyond this."""
    await connection.execute(insert(connection, marks).values(name=name, value="").on_conflict_do_nothing())
    return (
        await connection.scalar(sa.select(marks.c.value).where(marks.c.name == name).with_for_update()) or ""
    )


async def write(connection: AsyncConnection, name: str, value: str) -> None:
    await connection.execute(marks.update().where(marks.c.name == name).values(value=value))
