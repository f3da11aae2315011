"""`python -m tests.recorded.table`: how many recorded exchanges are replayed, by CRM and what is compared."""

import sys
from collections import Counter

import pytest
from rich.console import Console
from rich.table import Table

from tests.recorded.replaying import CRMS, recordings

KINDS = {"test_readings": "our reading", "test_requests": "our request", "did_harm": "never asked"}


class _Counts:
    """A plugin of pytest's: what passed, by CRM and kind."""

    def __init__(self) -> None:
        self.passed: Counter[tuple[str, str]] = Counter()
        self.failed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed += report.failed
        if report.when != "call" or not report.passed or "made_up" in report.nodeid:
            return
        kind = next(kind for word, kind in reversed(KINDS.items()) if word in report.nodeid)
        crm = next((crm for crm in CRMS if crm in report.nodeid), "")
        if not crm:
            crm = "vtiger" if "vt" in report.nodeid else "suitecrm" if "v8" in report.nodeid else "sugarcrm"
        self.passed[crm, kind] += 1


def main() -> int:
    counts = _Counts()
    code = pytest.main(["-q", "tests/recorded"], plugins=[counts])
    table = Table(title="Recorded exchanges", header_style="bold")
    table.add_column("CRM")
    for heading in ("recorded", *KINDS.values()):
        table.add_column(heading, justify="right")
    for crm in CRMS:
        told = [str(counts.passed[crm, kind]) for kind in KINDS.values()]
        table.add_row(crm, str(len(recordings(crm))), *told)
    Console().print(table)
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
