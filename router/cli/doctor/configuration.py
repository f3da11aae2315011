"""The settings, and the tenants in force: their files as `crmroute check` sees them, or what is published."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from router.cli.doctor.findings import Area, Finding
from router.cli.output import counted
from router.core.identities import TenantId
from router.core.problems import Problem, path_text
from router.core.tenants import Tenant
from router.settings.errors import FileProblem

MOST_SHOWN = 5
Check = Callable[[Tenant], Sequence[Problem]]


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


def published_findings(tenants: Mapping[TenantId, Tenant], check: Check) -> list[Finding]:
    """Of tenants from the records. What was published was checked; the settings may have changed since."""
    area = Area("configuration")
    wrong = [
        (tenant, problem)
        for tenant, document in sorted(tenants.items())
        for problem in check(document)
        if problem.level == "error"
    ]
    for tenant, problem in wrong[:MOST_SHOWN]:
        area.wrong("tenants", f"{tenant}: {path_text(problem.path)}: {problem.what}", problem.mend)
    if len(wrong) > MOST_SHOWN:
        area.wrong("tenants", f"{len(wrong) - MOST_SHOWN} more errors", "Mend these first.")
    if not tenants:
        area.warn("tenants", "none is published", "Make one on the page, or by `crmroute apply`.")
    elif not wrong:
        area.ok("tenants", f"{counted(len(tenants), 'tenant')} published, no errors")
    return area.findings


def unread_findings(problem: str) -> list[Finding]:
    area = Area("configuration")
    area.unknown("tenants", f"what is published cannot be read: {problem}", "Redis is looked at below.")
    return area.findings
