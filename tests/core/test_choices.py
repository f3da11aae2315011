"""Where a call goes, and on what grounds: each outcome, with a destination of its own and without."""

import pytest
from msgspec.structs import replace

from router.core import events
from router.core.actions import ArmFallback, Claim, Move, StartLookup, StartTimer
from router.core.calls import Call, Choice
from router.core.destinations import Destination, DestinationKind, Target
from router.core.events import AskedFor, CallParked, Event, TimerName
from router.core.identities import IntegrationName, TenantId
from router.core.lookups import Answer, Asked, AskedBy, CacheState, Record
from router.core.plans import TenantPlan
from router.core.rules import CallFact, Greeting, Outcome, SeveralPolicy, Source
from tests.core.makers import (
    GREETING,
    after,
    begin,
    found,
    greeting_plan,
    line,
    only,
    parked,
    plan,
    plan_of,
    queue,
    record,
    rule,
    tenant,
)

WITHHELD = parked(caller_number="", presentation="prohib")
KEYED = parked(entry="account", parking=2, digits="4711", asked=AskedFor.KEYED)
NOTHING_KEYED = parked(entry="account", parking=2, asked=AskedFor.NONE)
UNREACHABLE = Target(DestinationKind.CONFERENCE, "board")
VOICEMAIL_OF_DESK = Target(DestinationKind.QUEUE, "desk", voicemail=True)


def answered(answer: Answer, parking: int = 1) -> Event:
    return events.LookupAnswered(parking, Asked(CacheState.MISSING, answer))


def chosen(plan: TenantPlan, event: CallParked, *news: Event) -> Choice:
    call, _ = begin(plan, event)
    call, _ = after(call, *news)
    assert call.choice is not None
    return call.choice


def place(choice: Choice) -> str:
    return str(choice.place)


# Factors: the outcome; whether the rule has a destination for it. In each row no line holds.
CAUSES: dict[Outcome, tuple[CallParked, tuple[Event, ...]]] = {
    Outcome.FOUND: (parked(), (answered(found(record("silver"))),)),
    Outcome.NOT_FOUND: (parked(), (answered(Answer(Outcome.NOT_FOUND)),)),
    Outcome.SEVERAL: (parked(), (answered(found(record("gold"), record("silver"))),)),
    Outcome.WITHHELD: (WITHHELD, ()),
    Outcome.NO_DIGITS: (NOTHING_KEYED, ()),
    Outcome.CRM_ERROR: (parked(), (answered(Answer(Outcome.CRM_ERROR, problem="it answered 500")),)),
    Outcome.TIMEOUT: (parked(), (events.TimerEnded(1, TimerName.LOOKUP),)),
    Outcome.OVERLOADED: (parked(), (events.LookupUnavailable(1, "Redis is away"),)),
}


@pytest.mark.parametrize("outcome", CAUSES)
def test_an_outcome_with_a_destination_of_its_own_goes_there(outcome: Outcome) -> None:
    event, news = CAUSES[outcome]

    choice = chosen(greeting_plan(outcomes={outcome: queue("own")}), event, *news)

    assert (choice.outcome, place(choice), choice.why) == (outcome, "route-queue,own,1", f"outcome {outcome}")


@pytest.mark.parametrize("outcome", CAUSES)
def test_an_outcome_without_one_goes_to_the_default(outcome: Outcome) -> None:
    event, news = CAUSES[outcome]
    others = {other: queue("other") for other in CAUSES if other is not outcome}

    choice = chosen(greeting_plan(outcomes=others), event, *news)

    assert (choice.outcome, place(choice), choice.why) == (outcome, "route-queue,desk,1", "default")


def test_every_outcome_but_no_lookup_has_a_row() -> None:
    assert set(CAUSES) == set(Outcome) - {Outcome.NO_LOOKUP}


@pytest.mark.parametrize(("own", "to"), [({}, "desk"), ({Outcome.NO_LOOKUP: queue("own")}, "own")])
def test_a_rule_that_asks_nothing_decides_at_once(own: dict[Outcome, Target], to: str) -> None:
    call, actions = begin(plan(source=None, lines=(), outcomes=own))

    assert call.choice is not None
    assert (call.choice.outcome, place(call.choice)) == (Outcome.NO_LOOKUP, f"route-queue,{to},1")
    assert [type(action) for action in actions] == [ArmFallback, Claim, StartTimer]


def test_the_first_line_that_holds_decides() -> None:
    lines = (line("=", "silver", to="a"), line("contains", "gol", to="b"), line("=", "gold", to="c"))

    choice = chosen(plan(lines=lines), parked(), answered(found(record(" Gold "))))

    assert (place(choice), choice.why, choice.outcome) == ("route-queue,b,1", "line 2", Outcome.FOUND)


def test_found_without_a_record_is_not_found() -> None:
    choice = chosen(plan(), parked(), answered(Answer(Outcome.FOUND)))

    assert (choice.outcome, place(choice)) == (Outcome.NOT_FOUND, "route-queue,desk,1")


# Factors: the policy; whether the records agree; whether the CRM says when each changed.
OLD = record("silver", modified_at="2024-03-01T10:00:00Z")
NEW = record("gold", modified_at="2024-03-01T10:30:00+00:00")
NEWEST_BY_CLOCK = record("gold", modified_at="2024-03-01T09:00:00-05:00")
WITHOUT_OFFSET = record("gold", modified_at="2024-03-01 10:00:01")
SEVERAL_ROWS = [
    pytest.param(
        SeveralPolicy.MOST_RECENT, (WITHOUT_OFFSET, OLD), 1, "record 1 changed last", id="one in UTC"
    ),
    pytest.param(SeveralPolicy.FIRST, (OLD, NEW), 1, "the first is taken", id="first"),
    pytest.param(SeveralPolicy.MOST_RECENT, (OLD, NEW), 2, "record 2 changed last", id="most recent"),
    pytest.param(
        SeveralPolicy.MOST_RECENT,
        (NEWEST_BY_CLOCK, NEW),
        1,
        "record 1 changed last",
        id="by moment, not by text",
    ),
    pytest.param(SeveralPolicy.MOST_RECENT, (OLD, OLD), None, "does not say", id="same moment"),
    pytest.param(SeveralPolicy.MOST_RECENT, (OLD, record()), None, "does not say", id="one says nothing"),
    pytest.param(
        SeveralPolicy.MOST_RECENT,
        (OLD, record(modified_at="soon")),
        None,
        "does not say",
        id="one is unreadable",
    ),
    pytest.param(SeveralPolicy.AGREEING, (record("Gold "), record("gold")), 1, "they agree", id="agree"),
    pytest.param(SeveralPolicy.AGREEING, (record(5), record(5.0)), 1, "they agree", id="same number"),
    pytest.param(SeveralPolicy.AGREEING, (record(1), record(True)), None, "do not agree", id="one and yes"),
    pytest.param(SeveralPolicy.AGREEING, (OLD, NEW), None, "do not agree", id="disagree"),
    pytest.param(SeveralPolicy.OUTCOME, (NEW, NEW), None, "a destination for several", id="outcome"),
]


@pytest.mark.parametrize(("policy", "records", "number", "why"), SEVERAL_ROWS)
def test_several_records(
    policy: SeveralPolicy, records: tuple[Record, ...], number: int | None, why: str
) -> None:
    choice = chosen(plan(several=policy), parked(), answered(found(*records)))

    assert choice.outcome is (Outcome.SEVERAL if number is None else Outcome.FOUND)
    assert choice.record_number == number
    assert why in choice.chosen_why


@pytest.mark.parametrize("policy", SeveralPolicy)
def test_one_record_speaks_for_itself_under_any_policy(policy: SeveralPolicy) -> None:
    choice = chosen(plan(several=policy), parked(), answered(found(record("gold"))))

    assert (choice.outcome, choice.record_number, choice.chosen_why) == (Outcome.FOUND, 1, "")


def test_a_line_that_tests_the_call_alone_decides_before_anything_is_asked() -> None:
    lines = (line("=", "CH", call=CallFact.COUNTRY, to="swiss"), line("=", "gold"))

    call, actions = begin(plan(lines=lines))

    assert call.choice is not None
    assert (call.choice.outcome, call.choice.why) == (Outcome.NO_LOOKUP, "line 1")
    assert place(call.choice) == "route-queue,swiss,1"
    assert StartLookup not in {type(action) for action in actions}


def test_a_line_that_tests_the_call_alone_holds_although_the_crm_is_down() -> None:
    lines = (line("=", "gold"), line("=", "CH", call=CallFact.COUNTRY, to="swiss"))

    choice = chosen(plan(lines=lines), parked(), answered(Answer(Outcome.CRM_ERROR, problem="down")))

    assert (choice.outcome, place(choice), choice.why) == (Outcome.CRM_ERROR, "route-queue,swiss,1", "line 2")


def test_the_fallback_is_armed_before_anything_else() -> None:
    _, actions = begin(plan(default=VOICEMAIL_OF_DESK))

    assert actions[0] == ArmFallback(Destination("route-voicemail", "desk"), "desk")
    assert [type(action) for action in actions] == [ArmFallback, StartTimer, StartLookup]


def test_the_default_may_be_a_voicemail() -> None:
    choice = chosen(plan(default=VOICEMAIL_OF_DESK), parked(), answered(Answer(Outcome.NOT_FOUND)))

    assert place(choice) == "route-voicemail,desk,1"


def test_a_destination_that_no_template_reaches_gives_way_to_the_default() -> None:
    lines = (line("=", "gold", destination=DestinationKind.CONFERENCE, option="board"),)

    choice = chosen(plan(lines=lines), parked(), answered(found()))

    assert (place(choice), choice.why) == ("route-queue,desk,1", "line 1")
    assert choice.served == queue("desk")
    assert (
        choice.problem == "conference board is not a destination this system reaches, so the default serves"
    )


def test_a_default_that_no_template_reaches_gives_way_to_the_tenants() -> None:
    _, actions = begin(plan(default=UNREACHABLE))

    assert only(ArmFallback, actions) == ArmFallback(Destination("route-queue", "reception"), "reception")
    choice = chosen(plan(default=UNREACHABLE), parked(), answered(Answer(Outcome.NOT_FOUND)))
    assert place(choice) == "route-queue,reception,1"


def test_without_any_default_the_dialplan_has_its_own() -> None:
    unreachable = plan_of(tenant(rule(default=UNREACHABLE), default=UNREACHABLE))

    call, actions = begin(unreachable)
    _, moving = after(call, answered(Answer(Outcome.NOT_FOUND)), events.ClaimAnswered(1, is_won=True))

    assert ArmFallback not in {type(action) for action in actions}
    assert only(Move, moving).variables == (("ROUTE_TO", ""),)


def test_a_rule_whose_integration_is_missing_is_a_crm_error() -> None:
    nameless = Source(integration=IntegrationName("elsewhere"))

    choice = chosen(plan(source=nameless, outcomes={Outcome.CRM_ERROR: queue("own")}), parked())

    assert (choice.outcome, place(choice)) == (Outcome.CRM_ERROR, "route-queue,own,1")
    assert choice.problem == "the integration that the rule asks is not configured"


# The way of a call through a greeting.


def greeted(greeting: Greeting = GREETING) -> tuple[TenantPlan, Call]:
    """A call that hears the greeting of its rule."""
    plan = greeting_plan(greeting)
    call, _ = begin(plan, parked(entry="account"))
    call, _ = after(call, events.ClaimAnswered(1, is_won=True), events.CallAsking(1))
    return plan, call


def test_a_rule_with_a_greeting_first_asks_the_caller() -> None:
    call, actions = begin(greeting_plan(), parked(entry="account"))
    _, moving = after(call, events.ClaimAnswered(1, is_won=True))

    assert StartLookup not in {type(action) for action in actions}
    assert only(Move, moving).place == Destination("route-ask", "s")


def test_a_greeting_is_not_played_to_a_number_that_was_dialled() -> None:
    _, actions = begin(greeting_plan(), parked())

    assert only(StartLookup, actions).job.key.by is AskedBy.NUMBER


def test_the_digits_keyed_are_looked_up() -> None:
    _, call = greeted(replace(GREETING, digits_field="account_no"))

    call, actions = after(call, KEYED)

    job = only(StartLookup, actions).job
    assert (job.key.by, job.key.subject, job.key.digits_field) == (AskedBy.DIGITS, "4711", "account_no")
    assert (job.digits, job.sends_digits) == ("4711", True)


def test_the_digits_of_a_caller_without_a_number_are_looked_up() -> None:
    _, call = greeted()

    _, actions = after(call, replace(KEYED, caller_number="", presentation="prohib"))

    assert only(StartLookup, actions).job.key.subject == "4711"


@pytest.mark.parametrize("asked", [AskedFor.NONE, AskedFor.LONG])
def test_no_usable_digits_may_fall_back_on_the_callers_number(asked: AskedFor) -> None:
    _, call = greeted(replace(GREETING, without_digits="caller"))

    _, actions = after(call, replace(NOTHING_KEYED, asked=asked))

    assert only(StartLookup, actions).job.key.subject == "+41791234567"


@pytest.mark.parametrize("asked", [AskedFor.NONE, AskedFor.LONG])
def test_no_usable_digits_are_an_outcome(asked: AskedFor) -> None:
    plan, _ = greeted()

    choice = chosen(plan, replace(NOTHING_KEYED, asked=asked))

    assert choice.outcome is Outcome.NO_DIGITS


# Calls that no rule decides.


def test_an_unknown_tenant_is_left_to_others_for_most_of_hold_and_then_sent_on() -> None:
    call, actions = begin(None, parked(tenant=TenantId("nobody")))
    assert actions == [StartTimer(TimerName.LOOKUP, 4.5)]

    call, actions = after(call, events.TimerEnded(1, TimerName.LOOKUP), events.ClaimAnswered(1, is_won=True))

    assert only(Move, actions) == Move((("ROUTE_TO", ""),), Destination("route-land", "s"))


@pytest.mark.parametrize(
    ("event", "to"),
    [
        pytest.param(parked(did="0445550001"), "desk", id="a number with a rule"),
        pytest.param(parked(did="+41445550001"), "desk", id="the same number, written otherwise"),
        pytest.param(parked(did="0445550002"), "reception", id="a number without a rule"),
        pytest.param(parked(did="0449999999"), "reception", id="a number that is not configured"),
        pytest.param(parked(did="0445550002", entry="account"), "desk", id="an IVR entry"),
        pytest.param(
            parked(did="0445550001", entry="gone"), "reception", id="an entry that is not configured"
        ),
    ],
)
def test_which_default_is_armed(event: CallParked, to: str) -> None:
    _, actions = begin(plan(), event)

    assert only(ArmFallback, actions).option == to


def test_a_number_without_a_rule_asks_nothing() -> None:
    call, actions = begin(plan(), parked(did="0445550002"))

    assert call.choice is not None
    assert (place(call.choice), call.choice.why) == ("route-queue,reception,1", "default")
    assert StartLookup not in {type(action) for action in actions}
