"""`crmroute crm test`, `modules`, `fields` and `find`: the workers' replies as tables."""

from rich.table import Table
from rich.text import Text

from router.cli.crm.asking import ask
from router.cli.errors import ExitCode
from router.cli.output import Screen, counted, milliseconds, plain
from router.core.crm_catalog import CrmField
from router.core.display import shown
from router.core.errands import (
    CheckConnection,
    Checked,
    Fields,
    ListFields,
    ListModules,
    Modules,
    StepState,
    Tried,
    TryLookup,
)
from router.core.faults import Step
from router.core.rules import Outcome
from router.store.seams import Errands

STEPS = {
    Step.SETTINGS: "settings",
    Step.DNS: "name (DNS)",
    Step.TLS: "encryption (TLS)",
    Step.ADDRESS: "address",
    Step.CREDENTIALS: "credentials",
    Step.RIGHTS: "rights",
    Step.MODULE: "module",
    Step.FIELD: "field",
    Step.SEARCH: "search",
}
MARKS = {
    StepState.PASSED: ("✓", "green"),
    StepState.FAILED: ("✗", "bold red"),
    StepState.SKIPPED: ("·", "dim"),
}
CHOICES_SHOWN = 6


async def show_test(screen: Screen, errands: Errands, errand: CheckConnection) -> ExitCode:
    checked = await ask(errands, errand, Checked)
    screen.answer(checked)
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column()
    for step in checked.steps:
        mark, style = MARKS[step.state]
        table.add_row(Text(mark, style=style), Text(STEPS[step.step], style=style), plain(step.told))
        if step.mend:
            table.add_row("", "", Text(plain(step.mend), style="cyan"))
    spent = f"{counted(checked.requests, 'request')}, {milliseconds(checked.seconds * 1000)} ms"
    screen.show(table, Text(spent, style="dim"))
    return ExitCode.OK if checked.is_well else ExitCode.PROBLEMS


async def show_modules(screen: Screen, errands: Errands, errand: ListModules) -> ExitCode:
    listed = await ask(errands, errand, Modules)
    screen.answer(listed)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("module", style="bold")
    table.add_column("label")
    for module in sorted(listed.modules, key=lambda module: module.name.casefold()):
        table.add_row(plain(module.name), plain(module.label))
    screen.show(table)
    return ExitCode.OK


async def show_fields(screen: Screen, errands: Errands, errand: ListFields) -> ExitCode:
    listed = await ask(errands, errand, Fields)
    screen.answer(listed)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("field", style="bold")
    table.add_column("label")
    table.add_column("type")
    table.add_column("values")
    for field in sorted(listed.fields, key=lambda field: (not field.is_custom, field.name.casefold())):
        table.add_row(plain(field.name), plain(field.label), field.type.value, _choices(field))
    screen.show(table)
    return ExitCode.OK


def _choices(field: CrmField) -> str:
    texts = [
        plain(choice.value if choice.label in ("", choice.value) else f"{choice.value} ({choice.label})")
        for choice in field.choices[:CHOICES_SHOWN]
    ]
    more = len(field.choices) - CHOICES_SHOWN
    return ", ".join(texts) + (f" and {more} more" if more > 0 else "")


async def show_find(screen: Screen, errands: Errands, errand: TryLookup) -> ExitCode:
    tried = await ask(errands, errand, Tried, errand.seconds + 5)
    screen.answer(tried)
    answer = tried.answer
    if tried.spellings:
        screen.show(Text.assemble(("spellings  ", "bold"), plain("  ".join(tried.spellings))))
    elif errand.digits:
        screen.show(Text.assemble(("digits     ", "bold"), plain(f"{errand.digits_field} = {errand.digits}")))
    if answer.records:
        screen.show(_records(tried, errand.fields))
    else:
        style = "yellow" if answer.outcome is Outcome.NOT_FOUND else "bold red"
        screen.show(Text(f"{answer.outcome.value}: {plain(answer.problem) or 'nobody'}", style=style))
    if answer.records and answer.problem:
        screen.note(answer.problem, "yellow")
    spent = (
        f"{counted(len(answer.records), 'hit')}, {counted(tried.requests, 'request')}, "
        f"{milliseconds(answer.crm_seconds * 1000)} ms in the CRM, "
        f"{milliseconds(tried.seconds * 1000)} ms in all"
    )
    screen.show(Text(spent, style="dim"))
    if answer.request:
        screen.show(Text(plain(answer.request), style="dim"), soft_wrap=True)
    return ExitCode.OK if answer.outcome is Outcome.FOUND else ExitCode.PROBLEMS


def _records(tried: Tried, fields: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("module", "id", "name", *fields):
        table.add_column(plain(heading))
    for record in tried.answer.records:
        values = [plain(shown(record.values.get(field))) for field in fields]
        table.add_row(plain(record.module), plain(record.id), plain(record.name), *values)
        if record.link:
            table.add_row("", "", Text(plain(record.link), style="blue"))
    return table
