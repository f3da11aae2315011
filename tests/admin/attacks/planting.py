"""A site in which every field that somebody else fills is filled with given texts: what a caller sends, what
a CRM tells, what a tenant's people write.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from router.core import decisions as traces
from router.core.crm_catalog import Choice, CrmField, CrmFieldType, CrmModule
from router.core.crm_states import AskedFor, CrmCondition, CrmState, LastAsked
from router.core.decisions import Decision
from router.core.errands import (
    AnyErrand,
    BeginSignIn,
    CheckConnection,
    Checked,
    CheckedStep,
    ErrandFailed,
    Fields,
    FinishSignIn,
    ListFields,
    ListModules,
    Modules,
    Reply,
    SignInBegun,
    SignInState,
    StepState,
    TellSignIn,
    Tried,
)
from router.core.faults import Fault, Step
from router.core.identities import RuleName, ServerName
from router.core.lookups import Answer, Record
from router.core.numbers import Caller, CallerKind
from router.core.roles import Role
from router.core.rules import Outcome
from router.core.statuses import ParkedCall, RouterStatus, ServerStatus
from router.core.tenants import Number
from router.records import decisions
from router.records.accounts import Accounts
from router.records.audit import Actor
from router.records.configuration import Configuration
from router.records.database import Database
from tests.admin.pages.telling import parked_call, status
from tests.records.makers import ACME, JANE, decision, profile, rule, tenant

NAME_MOST = 80
"""Characters of a rule's name."""
CONNECTED = [
    {
        "name": "crm",
        "connector": "salesforce",
        "settings": {"url": "https://acme.my.salesforce.com", "client_id": "x", "sign_in": "person"},
    }
]


class Planted(Struct, frozen=True):
    """Where the texts are shown."""

    pages: tuple[str, ...]
    rules: tuple[str, ...]
    """The rule's page, for each text."""


def named(text: str, at: int, most: int = NAME_MOST) -> str:
    """The text as a name, different from all others: what does not show is in no name."""
    return "".join(sign for sign in f"{at}{text}" if sign.isprintable())[:most].strip()


async def plant(
    configuration: Configuration, accounts: Accounts, texts: Sequence[str], now: float
) -> Planted:
    whole = tenant(name=texts[0], integrations=[*CONNECTED, _custom(texts)])
    await configuration.apply(whole, texts[1], JANE, managed_by="page")
    ids = [await _plant_rule(configuration, text, at) for at, text in enumerate(texts)]
    for at, text in enumerate(texts):
        listed = [Number(did=f"+33142346{at:03d}", note=text)]
        await configuration.put_numbers(ACME, listed, text, Actor(text[:100], text[:40]))
        await configuration.create_tenant(profile(id=f"t{at}", name=text), Actor(text[:100], text[:40]))
        await _plant_people(accounts, text, at)
    await _plant_calls(configuration.database, texts, now)
    rules = tuple(f"/t/acme/routing/{id_}" for id_ in ids)
    calls = tuple(f"/t/acme/calls/pbx1-{at}.1" for at in range(len(texts)))
    publications = ("/t/acme/settings/publications/1", "/t/acme/settings/publications/2")
    return Planted(
        (*PAGES, *publications, *calls, *(f"/t/t{at}/settings" for at in range(len(texts)))), rules
    )


PAGES = (
    "/overview",
    "/live",
    "/servers",
    "/tenants",
    "/t/acme",
    "/t/acme/live",
    "/t/acme/routing",
    "/t/acme/routing/new",
    "/t/acme/integration",
    "/t/acme/integration/crm",
    "/t/acme/integration/crm/state",
    "/t/acme/integration/crm/connection",
    "/t/acme/integration/own",
    "/t/acme/integration/new/salesforce",
    "/t/acme/numbers",
    "/t/acme/calls",
    "/t/acme/settings",
    "/users",
    "/audit",
    "/account",
    "/account/tokens",
)


def _custom(texts: Sequence[str]) -> dict[str, Any]:
    written = {named(text, at, 200): text for at, text in enumerate(texts)}
    settings = {"url": "https://crm.example/?x=<script>", "parameters": written, "headers": {"X": texts[2]}}
    more = {"record_path": texts[3], "name_field": texts[4], "body": texts[5], "username": texts[6]}
    log = {"calls": ["answered"], "subject": texts[7][:200]}
    return {"name": "own", "connector": "custom", "settings": settings | more, "log": log}


async def _plant_rule(configuration: Configuration, text: str, at: int) -> int:
    """A draft, as everything may stand in it, after a version in force."""
    source = {"integration": "crm", "modules": [text], "credentials": {"username": text}}
    custom = {
        "custom": {"url": f"https://crm.example/{text}", "parameters": {text: text}, "name_field": text}
    }
    lines = [
        {"operator": "=", "value": text, "destination": "queue", "option": text},
        {"operator": "in list", "value": [text, "x"], "field": text, "destination": "queue", "option": "x"},
        {"operator": "=", "value": text, "call": "caller", "destination": "queue", "option": "x"},
    ]
    first = rule(name=named(text, at), note=text)
    id_ = await configuration.create_rule(ACME, first, JANE)
    await configuration.publish_rule(ACME, id_, text, None, Actor(text[:100], ""))
    draft = {"name": first.name, "note": text, "field": text, "source": source, "lines": lines}
    if at % 2:
        draft["source"] = custom
    await configuration.change_rule(ACME, id_, rule(**draft), None, Actor(text[:100], text[:40]))
    return id_


async def _plant_people(accounts: Accounts, text: str, at: int) -> None:
    name = named(text, at)
    user = await accounts.create_user(name, Role.VIEWER, ACME, None, JANE)
    await accounts.change_user(user.id, Actor(text[:100], text[:40]), is_disabled=True)
    await accounts.create_token(name, Role.VIEWER, ACME, 3600, (Role.PROVIDER, Actor(text[:100], "")))


async def _plant_calls(database: Database, texts: Sequence[str], now: float) -> None:
    async with database.writing() as connection:
        await decisions.write(connection, [call(text, at, now - at) for at, text in enumerate(texts)])


def call(text: str, at: int, now: float) -> Decision:
    """Of a caller who writes the text wherever a caller can, from a CRM that does the same."""
    test = traces.TestTrace(text, text, "=", text, traces.Verdict.NOT_COMPARABLE, text)
    lookup = traces.LookupTrace(
        text, "caller", text, request=text, records=2, record_chosen=1, chosen_why=text, record_name=text,
        fields=((text, text),), problem=text, worker=text,
    )  # fmt: skip
    return decision(
        f"pbx1-{at}.1",
        parked_at=now,
        called_received=text,
        called=text,
        entry=text,
        caller=Caller(text, CallerKind.ALPHANUMERIC, name=text),
        digits=text,
        rule=RuleName(named(text, at)),
        plan="x",
        outcome=Outcome.FOUND,
        lookup=lookup,
        lines=(traces.LineTrace(1, True, (test, test), "all"),),
        line_held=1,
        value=text,
        asked_target=text,
        asked_place=text,
        asked_why="line 1",
        problem=text,
        reached_place=text,
    )


def told_status(texts: Sequence[str]) -> RouterStatus:
    """Of a router whose callers and servers tell the texts."""
    calls: list[ParkedCall] = [
        parked_call(f"pbx1-{at}.2", caller=text, called=text, rule=RuleName(text))
        for at, text in enumerate(texts)
    ]
    servers = tuple(
        ServerStatus(
            server=ServerName(f"pbx{at + 2}"),
            is_connected=bool(at % 2),
            since_seconds=9.0,
            problem=text,
            version=text,
            warning=text,
        )
        for at, text in enumerate(texts)
    )
    return status(*calls, servers=servers)


class Crm:
    """What a worker replies for a CRM that tells the text wherever it can."""

    def __init__(self, text: str, address: str = "https://crm.example/authorise") -> None:
        self.text = text
        self.address = address
        self.is_failing = False

    def __call__(self, errand: AnyErrand) -> Reply:
        text = self.text
        if self.is_failing:
            return ErrandFailed(Fault.DOWN, text, text)
        match errand:
            case TellSignIn():
                asked = LastAsked(purpose=AskedFor.TEST, age_seconds=1, since_seconds=2, problem=text)
                state = CrmState(condition=CrmCondition.FAILING, problem=text, since_seconds=3.0, asked=asked)
                return SignInState(True, True, 60.0, text, 3.0, state)
            case CheckConnection():
                steps = (
                    CheckedStep(Step.DNS, StepState.PASSED, text),
                    CheckedStep(Step.TLS, StepState.FAILED, text, text),
                )
                return Checked(steps, 1, 0.1)
            case ListModules():
                return Modules((CrmModule("Contact", text), CrmModule(text, text)))
            case ListFields():
                choices = (Choice(text, text), Choice("x", text))
                field = CrmField("tier", text, CrmFieldType.CHOICE, choices)
                return Fields(errand.module, (field, CrmField(text, text)))
            case BeginSignIn():
                return SignInBegun(self.address, "s" * 32, user_code=text)
            case FinishSignIn():
                return ErrandFailed(Fault.SIGN_IN, text, text)
            case _:
                return Tried(Answer(Outcome.FOUND, (_record(text),), text, text), (text,), 1, 0.1)


def _record(text: str) -> Record:
    values = {"tier": text, text: text, "many": [text, text]}
    return msgspec.convert(
        {"values": values, "id": text, "module": text, "name": text, "link": text}, type=Record
    )
