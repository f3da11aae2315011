"""Administration on both databases, with a store in memory."""

import pytest

from router.store.memory import MemoryStore
from tests.records.conftest import clock, configuration, database, database_kind, postgres, url, with_schema

__all__ = ["clock", "configuration", "database", "database_kind", "postgres", "url", "with_schema"]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()
