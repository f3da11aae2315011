"""`crmroute route`: what would happen to a call, without a call.

The evaluation is the router's own (`router.core.rehearsals`). The CRM is asked through the queue, as a router
asks it, so a running worker answers; or an answer is pretended.
"""

import time
from collections.abc import Sequence
from datetime import datetime
from secrets import token_hex

from msgspec import Struct
from rich.text import Text

from router.cli.errors import ExitCode, WrongUsage
from router.cli.output import Screen, plain
from router.cli.why import trace_table
from router.core.decide import Limits
from router.core.decisions import Decision
from router.core.explain import Explainer, Step
from router.core.plans import TenantPlan
from router.core.rehearsals import Pretended, pretended_call
from router.core.rules import Outcome
from router.store.rehearsing import clock_from, rehearsed
from router.store.seams import Store

WITHHELD = frozenset({"withheld", "anonymous"})
PRETENDED = "pretended on the command line"
NOBODY = {
    "nobody": "No worker answered, so the CRM was not asked. Is one running?",
    "store": "The CRM was not asked, for the store is out of reach.",
}
"""Where the look-up's answer did not come from."""


class Question(Struct, frozen=True):
    """The call to rehearse."""

    to: str
    caller: str
    entry: str = ""
    digits: str | None = None
    at: str = ""
    values: tuple[str, ...] = ()
    """Pretended values of the rule's field, one for each record."""
    outcome: Outcome | None = None
    """A pretended outcome."""

    @property
    def is_pretending(self) -> bool:
        return bool(self.values) or self.outcome is not None


class Rehearsal(Struct, frozen=True):
    """As `--json` gives it."""

    destination: str
    place: str
    lookup_from: str
    """`worker`, `cache`, `pretended`, `not asked`, `nobody` (no worker) or `store` (out of reach)."""
    steps: list[Step]
    decision: Decision


async def rehearse(
    screen: Screen, plan: TenantPlan, question: Question, limits: Limits, store: Store | None
) -> ExitCode:
    """`store` None: nothing may be asked, an answer is pretended."""
    now = clock_from(moment_of(question.at, plan))
    caller = "" if question.caller.lower() in WITHHELD else question.caller
    name = f"dry-run-{token_hex(3)}"
    parked = pretended_call(plan, question.to, caller, question.entry, question.digits, name)
    pretended = Pretended(question.values, question.outcome, PRETENDED) if question.is_pretending else None
    decision, source = await rehearsed(parked, plan, limits, now, pretended or store)
    if pretended and source != "pretended":
        screen.note("The CRM is not asked for this call, so the pretended answer was not used.", "yellow")
    _show(screen, plan, decision, source)
    return ExitCode.UNREACHABLE if source in NOBODY else ExitCode.OK


def moment_of(at: str, plan: TenantPlan) -> float:
    """An ISO moment in epoch seconds; without an offset it is the tenant's own time; empty: this moment."""
    if not at:
        return time.time()
    try:
        moment = datetime.fromisoformat(at)
    except ValueError as error:
        raise WrongUsage(
            f"--at {at}: this is no moment", "Write it as 2026-11-23T18:30 or with an offset."
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=plan.zone)).timestamp()


def _show(screen: Screen, plan: TenantPlan, decision: Decision, source: str) -> None:
    steps = Explainer(plan.zone).explain(decision)
    screen.answer(Rehearsal(decision.asked_target, decision.asked_place, source, steps, decision))
    screen.show(trace_table(steps, decision), Text(), _destination(decision))
    if source == "pretended":
        screen.note("The CRM's answer was pretended; nothing was asked.", "dim")
    if source in NOBODY:
        screen.note(NOBODY[source], "bold red")
        screen.note("  `crmroute worker` starts one, `crmroute doctor` looks at the store.", "cyan")
        screen.note("  Or pretend an answer: --value Gold, --outcome not_found.", "cyan")


def _destination(decision: Decision) -> Text:
    if decision.asked_why == "greeting":
        return Text.assemble("→ ", ("the greeting", "bold"), ", then what --digits decides")
    if not decision.asked_target:
        return Text("→ nowhere: nothing was decided", "bold red")
    place = f"  {plain(decision.asked_place)}" if decision.asked_place else ""
    return Text.assemble("→ ", (plain(decision.asked_target), "bold green"), (place, "dim"))


def pretendable(outcome: str) -> Outcome:
    """Raises WrongUsage for what is no outcome of a look-up."""
    allowed = (Outcome.NOT_FOUND, Outcome.SEVERAL, Outcome.CRM_ERROR, Outcome.TIMEOUT, Outcome.OVERLOADED)
    names: Sequence[str] = [known.value for known in allowed]
    if outcome not in names:
        mend = (
            f"One of {', '.join(names)}. `found` is --value, withheld --from withheld, no_digits --digits ''."
        )
        raise WrongUsage(f"--outcome {outcome}: a look-up cannot end so", mend)
    return Outcome(outcome)
