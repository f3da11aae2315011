"""A copy of the world for each attack."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from router.records.database import Database
from tests.admin.attacks.world import Made, Stage, World, make, opened


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def stage() -> Stage:
    nowhere: Any = None
    return Stage(Database(nowhere))


@pytest.fixture
async def world(made: Made, stage: Stage, tmp_path: Path) -> AsyncIterator[World]:
    async with opened(made, stage, tmp_path) as one:
        yield one
