"""crmroute's dialplan on one Asterisk server, and the destinations that the rules lead to."""

import asyncio
import re
from collections.abc import Iterable, Iterator

from router.ami.inspection import Inspection, Step
from router.cli.doctor.findings import Area, listed
from router.core.destinations import Destination, Target, parse_place
from router.core.plans import TenantPlan
from router.settings.model import Settings

CONTEXTS = (
    "route-hold",
    "route-ask",
    "route-land",
    "route-default",
    "route-then",
    "route-gone",
    "route-settings",
)
REDIRECTED_TO = ("route-ask", "route-land")
INCLUDE_MEND = (
    "Include deploy/asterisk/crmroute.conf and crmroute-settings.conf in extensions.conf; `dialplan reload`."
)
STATE_MEND = "Replace crmroute.conf by the one that came with this router; `dialplan reload`."
PLACES_MOST = 2_000
LEAST_GRACE = 2
RETURNED = re.compile(r"\s*(\d+)\s*")

Contexts = dict[str, tuple[Step, ...] | None]


async def examine_dialplan(area: Area, inspection: Inspection, settings: Settings) -> None:
    steps = await asyncio.gather(*(inspection.context(name) for name in CONTEXTS))
    contexts: Contexts = dict(zip(CONTEXTS, steps, strict=True))
    judge_contexts(area, contexts)
    judge_limits(area, contexts["route-settings"] or (), settings)


def judge_contexts(area: Area, contexts: Contexts) -> None:
    missing = [name for name, steps in contexts.items() if steps is None]
    if missing:
        found = "not included" if len(missing) == len(contexts) else f"missing: {listed(missing, 7)}"
        area.wrong("dialplan", found, INCLUDE_MEND)
        return
    risky = [name for name in REDIRECTED_TO if not begins_empty(contexts[name] or ())]
    if risky:
        found = f"{listed(risky)}: priorities 1 and 2 of s are not NoOp()"
        area.wrong("dialplan", found, "Restore them: a Redirect may start at priority 2.")
    elif not sets_state(contexts["route-hold"] or ()):
        found = "route-hold sets no ROUTE_STATE: a router that starts finds no parked call"
        area.wrong("dialplan", found, STATE_MEND)
    else:
        area.ok("dialplan", f"{len(contexts)} contexts")


def begins_empty(steps: Iterable[Step]) -> bool:
    first = {step.priority: step.application for step in steps if step.exten == "s"}
    return first.get(1) == "NoOp" and first.get(2) == "NoOp"


def sets_state(steps: Iterable[Step]) -> bool:
    return any(step.application == "Set" and step.data.startswith("ROUTE_STATE=") for step in steps)


def judge_limits(area: Area, steps: Iterable[Step], settings: Settings) -> None:
    """HOLD and GRACE as the dialplan has them, against the settings."""
    texts = {step.exten: step.data for step in steps if step.application == "Return"}
    if not texts:
        return
    hold, grace = _whole(texts.get("hold", "")), _whole(texts.get("grace", ""))
    found = f"HOLD {texts.get('hold', '?')} s, GRACE {texts.get('grace', '?')} s"
    wanted = settings.router.hold_seconds
    if hold is not None and hold < wanted:
        mend = f"Set hold to {wanted:g} in crmroute-settings.conf, or router.hold_seconds to {hold}."
        area.warn(
            "limits", f"{found}, but router.hold_seconds is {wanted:g}: the dialplan leaves first", mend
        )
    elif grace is not None and grace < LEAST_GRACE:
        mend = "Set grace to 2 in crmroute-settings.conf: below it a busy server may move a call late."
        area.warn("limits", found, mend)
    elif grace is not None and settings.router.settle_seconds < grace:
        mend = (
            f"Set router.settle_seconds above {grace}: calls that end in GRACE are recorded as unconfirmed."
        )
        area.warn("limits", found, mend)
    else:
        area.ok("limits", found)


def _whole(text: str) -> int | None:
    """None for an expression, which only a call can evaluate."""
    match = RETURNED.fullmatch(text)
    return int(match[1]) if match else None


async def examine_destinations(
    area: Area, inspection: Inspection, settings: Settings, plans: list[TenantPlan]
) -> None:
    await _examine_templates(area, inspection, settings, plans)
    await _examine_targets(area, inspection, plans)


async def _examine_templates(
    area: Area, inspection: Inspection, settings: Settings, plans: list[TenantPlan]
) -> None:
    kinds: dict[str, list[str]] = {}
    for kind, template in settings.destinations.items():
        for context in template_contexts(template, plans):
            kinds.setdefault(context, []).append(kind.value)
    names = list(kinds)[:PLACES_MOST]
    found = await asyncio.gather(*(inspection.context(name) for name in names))
    missing = [
        f"{name} ({', '.join(kinds[name])})"
        for name, steps in zip(names, found, strict=True)
        if steps is None
    ]
    if missing:
        mend = 'Write the context, or change its template in [destinations]; "" where it is not offered.'
        area.warn("templates", f"no such context: {listed(missing)}", mend)
    else:
        area.ok("templates", f"{len(names)} contexts exist")


def template_contexts(template: str, plans: Iterable[TenantPlan]) -> Iterator[str]:
    """The contexts that a template leads to; none where the option is part of the name."""
    context = template.partition(",")[0]
    if "{option}" in context:
        return
    if "{tenant}" not in context:
        yield context
        return
    for plan in plans:
        yield context.replace("{tenant}", plan.id)


async def _examine_targets(area: Area, inspection: Inspection, plans: list[TenantPlan]) -> None:
    users = used_places(plans)
    places = [place for text in users if (place := parse_place(text)) is not None][:PLACES_MOST]
    missing = await inspection.missing_places(places)
    if missing:
        told = [f"{place} ({users[str(place)]})" for place in missing]
        mend = "Write the extension, or correct the rule: such calls take their default."
        area.wrong("destinations", f"not in the dialplan: {listed(told)}", mend)
    else:
        area.ok("destinations", f"{len(places)} places of {len(plans)} tenants exist")


def used_places(plans: Iterable[TenantPlan]) -> dict[str, str]:
    """Every place that some tenant's rules lead to, and whose it is first."""
    users: dict[str, str] = {}
    for plan in plans:
        for owner, target, place in _targets(plan):
            users.setdefault(str(place), f"{plan.id}, {owner}: {target}")
    return users


def _targets(plan: TenantPlan) -> Iterator[tuple[str, Target, Destination]]:
    named = [("default", plan.tenant.default)]
    for rule in plan.tenant.rules:
        named.append((f"“{rule.name}”", rule.default))
        named += [(f"“{rule.name}”", line.target) for line in rule.lines]
        named += [(f"“{rule.name}”", target) for target in rule.outcomes.values()]
    anywhere = plan.rule_named(None)
    for owner, target in named:
        for one in (target, target.then):
            place = anywhere.place(one) if one else None
            if one is not None and place is not None:
                yield owner, one, place
