"""From a decision to the entry in the CRM: what is opened, what a further parking adds, what is written."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from router.core import events
from router.core.actions import Report
from router.core.call_ends import CallStage, CallSummary
from router.core.call_logs import CallEnd, FinishedCall, LogOptions, NewContact
from router.core.destinations import DestinationKind, Target
from router.core.events import AskedFor, CallParked, DefaultedWhy, Event, TimerName
from router.core.identities import RuleName
from router.core.lookups import Answer, Asked, CacheState
from router.core.open_calls import KeptCall, OpenCall, finished_call, log_options, open_call, writes_calls
from router.core.plans import TenantPlan
from router.core.rules import Credentials, Location, Outcome, Source
from tests.core.makers import (
    ACME,
    CRM,
    GREETING,
    NOON,
    after,
    begin,
    found,
    line,
    only,
    parked,
    plan_of,
    queue,
    record,
    rule,
    tenant,
)

ALL = LogOptions(calls=tuple(CallEnd))
WON = events.ClaimAnswered(1, is_won=True)
LOST = events.ClaimAnswered(1, is_won=False)
TAKEN = events.CallTaken(1, "route-queue/gold/1")
HUNG_UP = events.CallerHungUp(1)
OVER = CallSummary(tenant=ACME, stage=CallStage.LANDED, seconds=60, talk_seconds=45.0)
SALESFORCE_ID = record("gold", id="003A", module="Contact", name="Anna Muster")


def logging_plan(options: LogOptions = ALL, **rule_changes: Any) -> TenantPlan:
    return plan_of(tenant(rule(**rule_changes), integrations=(replace(CRM, log=options),)))


def opened(*news: Event, event: CallParked | None = None, plan: TenantPlan | None = None) -> OpenCall | None:
    call, _ = begin(plan or logging_plan(), event or parked())
    call, actions = after(call, *news)
    return open_call(call, only(Report, actions).decision)


def certainly(opened: OpenCall | None) -> OpenCall:
    assert opened is not None
    return opened


def answered(answer: Answer) -> Event:
    return events.LookupAnswered(1, Asked(CacheState.MISSING, answer))


LANDED = (answered(found(SALESFORCE_ID)), WON, TAKEN)


# What is opened


def test_a_call_that_landed_is_opened_with_its_record_and_its_decision() -> None:
    assert opened(*LANDED) == OpenCall(
        tenant=ACME,
        call_id=parked().uniqueid,
        parking=1,
        integration=CRM.name,
        started_at=NOON,
        reached_at=NOON + 0.3,
        caller="+41791234567",
        caller_name="Anna",
        called="+41445550001",
        module="Contact",
        record_id="003A",
        record_name="Anna Muster",
        destination="queue gold",
        rule="Sales",
        decision="Queue gold, because line 1 holds: status = gold.",
        is_certain=True,
    )


@pytest.mark.parametrize(
    "plan",
    [
        logging_plan(LogOptions()),
        logging_plan(LogOptions(create_unknown="Contact")),
        logging_plan(source=None, lines=()),
        logging_plan(source=Source(custom={"url": "https://crm.example"})),
    ],
    ids=["no options", "no kind of call", "a rule that asks nobody", "a rule's own address"],
)
def test_nothing_is_opened_where_nothing_is_to_be_written(plan: TenantPlan) -> None:
    assert opened(HUNG_UP, plan=plan) is None


def test_nothing_is_opened_for_a_number_without_a_rule_or_an_unknown_tenant() -> None:
    assert opened(HUNG_UP, event=parked(did="0445550002")) is None
    call, actions = after(begin(None)[0], HUNG_UP)
    assert open_call(call, only(Report, actions).decision) is None


def test_a_record_without_an_id_cannot_be_linked() -> None:
    call = certainly(opened(answered(found(record(id="", module="Contact"))), WON, TAKEN))

    assert (call.module, call.record_id, call.record_name, call.knowledge) == ("", "", "", 0)


# Factors: what the look-up came to, what it asked by, and whether the caller has a number.
UNKNOWN = {
    "nobody of this number": (parked(), Answer(Outcome.NOT_FOUND), True),
    "an extension": (parked(caller_number="123"), Answer(Outcome.NOT_FOUND), False),
    "a CRM that is down": (parked(), Answer(Outcome.CRM_ERROR, problem="500"), False),
    "several records": (parked(), found(record("a", id="1"), record("b", id="2")), False),
    "a record": (parked(), found(), False),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_caller_is_unknown_only_when_the_crm_said_so(name: str) -> None:
    event, answer, is_unknown = UNKNOWN[name]

    assert certainly(opened(answered(answer), WON, TAKEN, event=event)).is_unknown is is_unknown


def test_nobody_with_these_digits_leaves_open_who_calls() -> None:
    plan = logging_plan(greeting=GREETING, location=Location.IVR)
    keyed = parked(entry="account", digits="4711", asked=AskedFor.KEYED)

    assert not certainly(
        opened(answered(Answer(Outcome.NOT_FOUND)), WON, TAKEN, event=keyed, plan=plan)
    ).is_unknown


def test_a_look_up_that_was_too_late_leaves_open_who_calls() -> None:
    assert not certainly(opened(events.TimerEnded(1, TimerName.LOOKUP), WON, TAKEN)).is_unknown


def test_a_withheld_number_stays_withheld_and_so_does_its_name() -> None:
    call = certainly(opened(WON, TAKEN, event=parked(presentation="prohib", caller_name="Anna")))

    assert (call.caller, call.caller_name, call.is_unknown) == ("", "", False)


def test_a_rule_with_a_user_of_its_own_is_named() -> None:
    plan = logging_plan(source=Source(CRM.name, credentials=Credentials("sales", "hunter2")))

    call = certainly(opened(*LANDED, plan=plan))

    assert call.credentials_of == "Sales"
    assert b"hunter2" not in msgspec.msgpack.encode(call)


VOICEMAIL = line("=", "gold", destination=DestinationKind.VOICEMAIL, option="100")
BOX_OF_EXTENSION = line("=", "gold", destination=DestinationKind.EXTENSION, option="100", voicemail=True)


@pytest.mark.parametrize("voicemail", [VOICEMAIL, BOX_OF_EXTENSION])
def test_a_voicemail_box_is_known_as_one(voicemail: Any) -> None:
    assert certainly(opened(*LANDED, plan=logging_plan(lines=(voicemail,)))).is_for_voicemail


def test_a_default_in_place_of_a_target_that_cannot_be_reached_is_where_the_call_went() -> None:
    conference = line("=", "gold", destination=DestinationKind.CONFERENCE, option="800")

    call = certainly(opened(*LANDED, plan=logging_plan(lines=(conference,))))

    assert call.destination == "queue desk"


@pytest.mark.parametrize(
    ("place", "destination"),
    [("route-queue/desk/1", "queue desk"), ("last-resort", "last-resort"), ("other/s/1", "other/s/1")],
)
def test_a_call_that_the_dialplan_took_names_the_default_it_went_to(place: str, destination: str) -> None:
    defaulted = events.CallDefaulted(1, DefaultedWhy.HOLD, place)

    call = certainly(opened(answered(found(SALESFORCE_ID)), defaulted))

    assert (call.destination, call.record_id, call.is_certain) == (destination, "003A", False)


def test_a_call_that_was_given_up_has_no_destination() -> None:
    assert certainly(opened(answered(found(SALESFORCE_ID)), HUNG_UP)).destination == ""


def test_the_winners_account_ranks_above_another_routers_and_a_later_parking_above_both() -> None:
    first = certainly(opened(answered(found()), LOST, events.CallDefaulted(1, DefaultedWhy.HOLD, "x")))
    winner = certainly(opened(*LANDED))
    second = replace(first, parking=2)

    assert first.rank < winner.rank < second.rank


def test_a_record_says_more_than_that_there_is_none() -> None:
    nobody = certainly(opened(answered(Answer(Outcome.NOT_FOUND)), WON, TAKEN))
    broken = certainly(opened(answered(Answer(Outcome.CRM_ERROR)), WON, TAKEN))

    assert broken.knowledge < nobody.knowledge < certainly(opened(*LANDED)).knowledge


# What is written


def finished(
    kept: KeptCall | OpenCall,
    summary: CallSummary = OVER,
    options: LogOptions = ALL,
    ended_at: float = NOON + 60.4,
) -> FinishedCall | None:
    if isinstance(kept, OpenCall):
        kept = KeptCall(kept, None, kept.started_at)
    return finished_call(kept, summary, options, ended_at)


def written(*given: Any, **more: Any) -> FinishedCall:
    call = finished(*given, **more)
    assert call is not None
    return call


def test_an_answered_call_is_written_whole() -> None:
    assert written(certainly(opened(*LANDED))) == FinishedCall(
        tenant=ACME,
        integration=CRM.name,
        call_id=parked().uniqueid,
        ending=CallEnd.ANSWERED,
        started_at=NOON,
        seconds=60,
        talk_seconds=45,
        caller="+41791234567",
        caller_name="Anna",
        called="+41445550001",
        module="Contact",
        record_id="003A",
        record_name="Anna Muster",
        subject="Inbound call from +41791234567 (answered)",
        decision="Queue gold, because line 1 holds: status = gold.",
    )


@pytest.mark.parametrize("ending", list(CallEnd))
def test_only_the_kinds_that_the_tenant_wants_are_written(ending: CallEnd) -> None:
    call = certainly(opened(*LANDED))
    summaries = {
        CallEnd.ANSWERED: OVER,
        CallEnd.MISSED: replace(OVER, talk_seconds=0.0),
        CallEnd.ABANDONED: replace(OVER, talk_seconds=0.0, is_hung_up=True),
        CallEnd.VOICEMAIL: replace(OVER, talk_seconds=0.0, voicemail_status="SUCCESS"),
    }

    kinds = {
        kind for kind, summary in summaries.items() if finished(call, summary, LogOptions(calls=(ending,)))
    }

    assert kinds == {ending}


def test_a_call_that_was_parked_again_began_with_its_first_parking() -> None:
    second = replace(certainly(opened(*LANDED)), parking=2, started_at=NOON + 20, reached_at=NOON + 21)

    call = written(KeptCall(second, None, NOON))

    assert (call.started_at, call.seconds) == (NOON, 60)


def test_a_first_parking_that_another_router_saw_is_known_by_the_calls_length() -> None:
    second = replace(certainly(opened(*LANDED)), parking=2, started_at=NOON + 20)

    assert written(second).started_at == pytest.approx(NOON, abs=1)


def test_the_record_of_an_earlier_parking_stays_and_the_way_is_of_the_last_one() -> None:
    first = certainly(opened(*LANDED))
    nobody = certainly(opened(answered(Answer(Outcome.NOT_FOUND)), WON, TAKEN))
    second = replace(nobody, parking=2, rule=RuleName("Account"), integration="erp")

    call = written(
        KeptCall(second, first, NOON), options=LogOptions(tuple(CallEnd), subject="{rule}: {name}")
    )

    assert (call.integration, call.record_id, call.module) == (CRM.name, "003A", "Contact")
    assert call.decision == "Queue desk, the default, because the CRM does not know the caller."
    assert call.subject == "Account: Anna Muster"
    assert call.new_contact is None


def test_a_conference_is_talked_in_from_its_destination_on() -> None:
    call = certainly(opened(*LANDED))
    summary = replace(OVER, talk_seconds=0.0, conference_result="HANGUP")

    assert written(replace(call, reached_at=NOON + 20), summary).talk_seconds == 40


CREATING = LogOptions(tuple(CallEnd), create_unknown="Lead")


def test_a_record_is_made_for_an_unknown_caller_where_the_tenant_wants_it() -> None:
    unknown = certainly(opened(answered(Answer(Outcome.NOT_FOUND)), WON, TAKEN))

    assert written(unknown, options=CREATING).new_contact == NewContact("Lead", "+41791234567", "Anna")
    assert written(replace(unknown, caller_name=""), options=CREATING).new_contact == NewContact(
        "Lead", "+41791234567", "+41791234567"
    )
    assert written(unknown).new_contact is None


@pytest.mark.parametrize("answer", [found(SALESFORCE_ID), Answer(Outcome.CRM_ERROR)])
def test_no_record_is_made_for_a_caller_who_is_known_or_may_be(answer: Answer) -> None:
    call = certainly(opened(answered(answer), WON, TAKEN))

    assert written(call, options=CREATING).new_contact is None


def test_a_subject_calls_a_withheld_number_so() -> None:
    call = certainly(opened(WON, TAKEN, event=parked(presentation="prohib")))

    written_call = written(call, options=LogOptions(tuple(CallEnd), subject="{caller} / {name}"))

    assert written_call.subject == "a withheld number / a withheld number"
    assert written_call.caller == ""


# What the tenant wants


def test_the_options_of_an_integration_are_those_of_the_plan() -> None:
    plan = logging_plan()

    assert (log_options(plan, CRM.name), writes_calls(plan)) == (ALL, True)


def test_an_integration_that_is_gone_has_no_options() -> None:
    plan = plan_of(tenant(rule(), default=Target(DestinationKind.QUEUE, "x"), integrations=()))

    assert (log_options(plan, CRM.name), writes_calls(plan)) == (None, False)
    assert not writes_calls(plan_of(tenant(rule(default=queue("x")))))
