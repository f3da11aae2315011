"""The short form of each fault. `make faults` runs the full ones and prints the table.

They take minutes, and a busy machine misses some of their shares, so they stand with the long tests.
"""

from collections.abc import Iterator

import pytest

from tests.faults.rows import SHORT
from tests.faults.suite import FAULTS, Fault, Sites, sites

pytestmark = [pytest.mark.live, pytest.mark.long, pytest.mark.timeout(180)]


def _cases() -> list[object]:
    return [
        pytest.param(fault, id=fault.name, marks=pytest.mark.xdist_group(f"faults-{fault.group}"))
        for fault in FAULTS
        if fault.is_in_short
    ]


@pytest.fixture(scope="module")
def opened(rig: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    with sites(tmp_path_factory.mktemp("faults")) as made:
        yield made


@pytest.mark.parametrize("fault", _cases())
def test_fault(opened: Sites, fault: Fault) -> None:
    row = fault.run(opened.of(fault), SHORT)

    assert row.is_passed, f"{row.verdict} ({row.figure})"
