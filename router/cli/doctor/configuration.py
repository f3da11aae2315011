"""The settings and the tenants' files, as `crmroute check` sees them, in short."""

from collections.abc import Sequence
from pathlib import Path

from router.cli.doctor.findings import Area, Finding
from router.cli.output import counted
from router.settings.errors import FileProblem

MOST_SHOWN = 5


def settings_findings(folder: Path, problems: Sequence[FileProblem]) -> list[Finding]:
    area = Area("configuration")
    if not problems:
        area.ok("settings", f"{folder} can be used")
    for problem in problems:
        area.wrong("settings", str(problem), problem.problem.mend)
    return area.findings


def tenant_findings(tenants: int, problems: Sequence[FileProblem]) -> list[Finding]:
    area = Area("configuration")
    errors = [problem for problem in problems if problem.problem.level == "error"]
    known = counted(tenants, "tenant")
    if errors:
        for problem in errors[:MOST_SHOWN]:
            place = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
            area.wrong("tenants", f"{place}: {problem.problem.what}", problem.problem.mend)
        if len(errors) > MOST_SHOWN:
            area.wrong("tenants", f"{len(errors) - MOST_SHOWN} more errors", "See `crmroute check`.")
    elif problems:
        area.warn("tenants", f"{known}, {counted(len(problems), 'warning')}", "See `crmroute check`.")
    elif tenants:
        area.ok("tenants", f"{known}, no errors")
    else:
        area.warn("tenants", "there is none", "Write config/tenants/<tenant>.toml.")
    return area.findings
