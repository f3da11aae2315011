"""The record of a call: whole enough to explain it, and safe to keep."""

import msgspec

from router.core import events
from router.core.actions import Report
from router.core.decisions import Decision, Ending, Verdict
from router.core.events import AskedFor, CallParked, Event, TimerName
from router.core.lookups import Answer, Asked, CacheState
from router.core.plans import TenantPlan
from router.core.rules import Credentials, Outcome, Source
from tests.core.makers import (
    CRM,
    NOON,
    after,
    begin,
    found,
    greeting_plan,
    line,
    only,
    parked,
    plan,
    record,
)

WON = events.ClaimAnswered(1, is_won=True)
TAKEN = events.CallTaken(1, "route-queue/gold/1")
HUNG_UP = events.CallerHungUp(1)


def told(plan: TenantPlan | None, event: CallParked, *news: Event) -> Decision:
    call, _ = begin(plan, event)
    return only(Report, after(call, *news)[1]).decision


def answered(answer: Answer | None, state: CacheState = CacheState.MISSING, age: float = 0.0) -> Event:
    return events.LookupAnswered(1, Asked(state, answer, age))


def test_a_call_that_was_decided_is_recorded_whole() -> None:
    lines = (line("=", "silver"), line("=", "gold"), line("=", "never walked"))

    decision = told(plan(lines=lines), parked(), answered(None), answered(found(worker="w1")), WON, TAKEN)

    assert (decision.tenant, decision.rule, decision.plan) == ("acme", "Sales", plan(lines=lines).digest)
    assert (decision.parked_at, decision.parking, decision.won_claim) == (NOON, 1, True)
    assert (decision.called_received, decision.called) == ("0445550001", "+41445550001")
    assert (decision.caller.received, decision.caller.e164) == ("0791234567", "+41791234567")
    assert (decision.outcome, decision.value, decision.asked_why) == (Outcome.FOUND, "gold", "line 2")
    assert (decision.asked_target, decision.asked_place) == ("queue gold", "route-queue,gold,1")
    assert (decision.ending, decision.reached_place) == (Ending.TAKEN, "route-queue/gold/1")
    assert (decision.lines_walked, decision.line_held) == (2, 2)
    assert [(trace.number, trace.held) for trace in decision.lines] == [(1, False), (2, True)]
    assert decision.lines[0].tests[0].verdict is Verdict.FAILED
    assert decision.steps_ms == {"asked": 0, "answered": 200, "decided": 200, "claimed": 300, "ended": 400}


def test_a_look_up_is_recorded_with_its_request_and_its_record() -> None:
    decision = told(
        plan(), parked(), answered(None), answered(found(record("gold", name="An\nna"), worker="w1")), HUNG_UP
    )

    lookup = decision.lookup
    assert lookup is not None
    assert (lookup.integration, lookup.by, lookup.subject) == ("crm", "number", "+41791234567")
    assert (lookup.cache, lookup.attempts, lookup.crm_seconds, lookup.worker) == (
        CacheState.MISSING,
        1,
        0.1,
        "w1",
    )
    assert lookup.request == "GET https://crm.example/lookup?field_name=status"
    assert (lookup.records, lookup.record_chosen, lookup.record_name) == (1, 1, "An na")
    assert lookup.fields == (("status", "gold"),)


def test_an_answer_that_was_joined_is_recorded_so() -> None:
    decision = told(plan(), parked(), answered(None, CacheState.JOINED), answered(found()), HUNG_UP)

    assert decision.lookup is not None
    assert decision.lookup.cache is CacheState.JOINED


def test_a_cached_answer_is_recorded_with_its_age() -> None:
    decision = told(plan(), parked(), answered(found(), CacheState.STALE, 4_000.12345), HUNG_UP)

    assert decision.lookup is not None
    assert (decision.lookup.cache, decision.lookup.age_seconds) == (CacheState.STALE, 4_000.123)


def test_what_the_crm_said_is_kept_apart_from_what_went_wrong_with_the_call() -> None:
    answer = Answer(Outcome.CRM_ERROR, problem="it answered 500")
    refused = events.MoveAnswered(1, is_accepted=False, problem="channel not up")

    decision = told(plan(), parked(), answered(answer), WON, refused, HUNG_UP)

    assert decision.lookup is not None
    assert decision.lookup.problem == "it answered 500"
    assert decision.problem == "the redirect failed: channel not up"


def test_a_look_up_whose_time_was_over_is_recorded_without_an_answer() -> None:
    decision = told(plan(), parked(), answered(None), events.TimerEnded(1, TimerName.LOOKUP), WON, TAKEN)

    assert decision.lookup is not None
    assert (decision.lookup.records, decision.lookup.problem) == (0, "no answer came within 2.5 s")
    assert "answered" not in decision.steps_ms


def test_a_question_that_could_not_be_put_is_recorded_without_a_cache_state() -> None:
    decision = told(plan(), parked(), events.LookupUnavailable(1, "Redis is away"), WON, TAKEN)

    assert decision.lookup is not None
    assert (decision.lookup.cache, decision.lookup.problem) == (None, "Redis is away")


def test_a_caller_who_hung_up_before_anything_was_decided_is_recorded() -> None:
    decision = told(plan(), parked(), HUNG_UP)

    assert (decision.ending, decision.outcome, decision.asked_why) == (Ending.ABANDONED, None, "")
    assert (decision.lines, decision.asked_target, decision.won_claim) == ((), "", False)


def test_a_call_at_its_greeting_has_no_destination_yet() -> None:
    decision = told(greeting_plan(), parked(entry="account"), WON, events.CallAsking(1), HUNG_UP)

    assert (decision.asked_why, decision.asked_target, decision.entry) == ("greeting", "", "account")
    assert decision.steps_ms["greeted"] == 200


def test_digits_are_recorded() -> None:
    keyed = parked(entry="account", digits="4711", asked=AskedFor.KEYED)

    assert told(greeting_plan(), keyed, HUNG_UP).digits == "4711"


def test_an_unknown_tenant_is_recorded_by_the_name_it_came_with() -> None:
    decision = told(None, parked(), HUNG_UP)

    assert (decision.tenant, decision.rule, decision.plan) == ("acme", None, "")


def test_no_secret_is_recorded() -> None:
    source = Source(CRM.name, credentials=Credentials("sales", "hunter2"))

    decision = told(plan(source=source), parked(), answered(found()), WON, TAKEN)

    assert b"hunter2" not in msgspec.json.encode(decision)
