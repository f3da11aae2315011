"""What all tests share: hypothesis judges what comes out, never how long it took; each has its own logs."""

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

settings.register_profile("crmroute", deadline=None)
settings.load_profile("crmroute")


@pytest.fixture(autouse=True)
def logs_of_this_test() -> Iterator[None]:
    """A command that sets the logs up writes to its own test's standard error, which is closed after it."""
    yield
    structlog.reset_defaults()
