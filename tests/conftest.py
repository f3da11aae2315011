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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A group's servers are started once only where its tests meet in one worker; pytest 9.2 hides the groups
    from pytest-xdist 3.8.
    """
    if not getattr(config.option, "loadgroup", False):
        return
    if any(item.get_closest_marker("xdist_group") and "@" not in item.nodeid for item in items):
        raise pytest.UsageError("pytest-xdist sees no groups: take the versions of deploy/constraints.txt")
