"""Administration on both databases, with a store in memory."""

import pytest

from router.store.memory import MemoryStore
from tests.records.conftest import clock, configuration, database, postgres, url

__all__ = ["clock", "configuration", "database", "postgres", "url"]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()
