"""`crmroute check`: everything that is wrong with the settings and the tenants' files, and how to mend it."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct
from rich.padding import Padding
from rich.text import Text

from router.cli.configuration import read_manifests, read_tenants, require_folder
from router.cli.errors import ExitCode, WrongUsage
from router.cli.output import Screen, counted, plain
from router.core.problems import path_text, pick_one
from router.core.tenants import Tenant
from router.settings.errors import FileProblem, SettingsError
from router.settings.load import load_settings
from router.settings.model import Settings
from router.settings.tenant_files import TenantFiles


class Row(Struct, frozen=True):
    """One problem as `--json` gives it."""

    file: str
    line: int | None
    level: str
    path: str
    what: str
    mend: str


class Report(Struct, frozen=True):
    errors: int
    warnings: int
    tenants: int
    rules: int
    numbers: int
    problems: list[Row]
    are_for_apply: bool = False
    """The routers take tenants from the records, and not from these files."""


FOR_APPLY = "Routers take tenants from the records; these files are in force once `crmroute apply` took them."


def check_configuration(screen: Screen, folder: Path, names: Sequence[str], *, strict: bool) -> ExitCode:
    report = examine(folder, names)
    screen.answer(report)
    if report.are_for_apply:
        screen.note(FOR_APPLY, "yellow")
    for row in report.problems:
        head, *body = _shown(row)
        screen.show(head, soft_wrap=True)
        screen.show(*body)
    screen.show(_summary(report))
    failed = report.errors or (strict and report.warnings)
    return ExitCode.PROBLEMS if failed else ExitCode.OK


def examine(folder: Path, names: Sequence[str]) -> Report:
    """Check everything; with names, the settings and those tenants only."""
    settings, problems = _settings(folder)
    problems += read_manifests(folder)[1]
    files = read_tenants(folder, settings)
    _require_known(files, names)
    chosen = [tenant for name, tenant in sorted(files.tenants().items()) if not names or name in names]
    problems += [problem for problem in files.problems() if _is_meant(problem, names)]
    are_for_apply = settings is not None and settings.tenants.source == "records"
    return _report(problems, chosen, are_for_apply=are_for_apply)


def _settings(folder: Path) -> tuple[Settings | None, list[FileProblem]]:
    try:
        return load_settings(require_folder(folder), os.environ), []
    except SettingsError as error:
        return None, list(error.problems)


def _require_known(files: TenantFiles, names: Sequence[str]) -> None:
    known = set(files.tenants()) | {Path(problem.file).stem for problem in files.problems()}
    for name in names:
        if name not in known:
            raise WrongUsage(f"there is no file {files.folder / name}.toml", pick_one(name, sorted(known)))


def _is_meant(problem: FileProblem, names: Sequence[str]) -> bool:
    return not names or Path(problem.file).stem in names


def _report(problems: Iterable[FileProblem], tenants: Sequence[Tenant], *, are_for_apply: bool) -> Report:
    rows = [_row(problem) for problem in problems]
    return Report(
        errors=sum(row.level == "error" for row in rows),
        warnings=sum(row.level == "warning" for row in rows),
        tenants=len(tenants),
        rules=sum(len(tenant.rules) for tenant in tenants),
        numbers=sum(len(tenant.numbers) for tenant in tenants),
        problems=rows,
        are_for_apply=are_for_apply,
    )


def _row(located: FileProblem) -> Row:
    problem = located.problem
    where = path_text(problem.path)
    return Row(located.file, located.line, problem.level, where, problem.what, problem.mend)


def _shown(row: Row) -> list[Text | Padding]:
    is_error = row.level == "error"
    sign, style = ("✗", "bold red") if is_error else ("!", "bold yellow")
    place = row.file if row.line is None else f"{row.file}:{row.line}"
    head = Text.assemble((f"{sign} ", style), (plain(place), "bold"), ("  " + plain(row.path), "dim"))
    body = [Text(plain(row.what), style="" if is_error else "yellow"), Text(f"→ {plain(row.mend)}", "cyan")]
    return [head, *(Padding(text, (0, 0, 0, 2), expand=False) for text in body if text.plain != "→ ")]


def _summary(report: Report) -> Text:
    read = ", ".join(
        (
            counted(report.tenants, "tenant"),
            counted(report.rules, "rule"),
            counted(report.numbers, "number"),
        )
    )
    found = f"{counted(report.errors, 'error')}, {counted(report.warnings, 'warning')}"
    style = "bold red" if report.errors else "bold yellow" if report.warnings else "bold green"
    return Text.assemble((f"{found}", style), f" in the settings and {read}.")
