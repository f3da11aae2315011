"""A decision in one sentence, for each of the ways in which a call is decided."""

from collections import UserDict
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from router.core import events
from router.core.actions import Report
from router.core.briefs import MOST_CHARACTERS, brief
from router.core.decisions import Decision, Ending
from router.core.events import AskedFor, CallParked, DefaultedWhy, Event, TimerName
from router.core.lookups import Answer, Asked, CacheState
from router.core.plans import TenantPlan
from router.core.rules import CallFact, Condition, Operator, Outcome, SeveralPolicy
from router.core.sentences import ENGLISH_BRIEFS
from router.core.target_words import ENGLISH as TARGETS
from tests.core.makers import after, begin, found, greeting_plan, line, only, parked, plan, queue, record

WON = events.ClaimAnswered(1, is_won=True)
TAKEN = events.CallTaken(1, "route-queue/gold/1")
HUNG_UP = events.CallerHungUp(1)
TIME_OVER = events.TimerEnded(1, TimerName.LOOKUP)
SILENCE = events.TimerEnded(1, TimerName.SETTLE)
CALL_ONLY = line("=", "gold", all=(Condition(Operator.LESS, 24, call=CallFact.HOUR),))
ANY = (Condition(Operator.LESS, 24, call=CallFact.HOUR), Condition(Operator.EQUALS, "lead"))
EITHER = replace(line("=", "x", any=ANY), operator=None, value=None)


def answered(answer: Answer) -> Event:
    return events.LookupAnswered(1, Asked(CacheState.MISSING, answer))


def defaulted(why: DefaultedWhy) -> Event:
    return events.CallDefaulted(1, why, "route-queue/desk/1")


def told(plan: TenantPlan | None, event: CallParked, *news: Event) -> Decision:
    call, _ = begin(plan, event)
    return only(Report, after(call, *news)[1]).decision


GOLD = "Queue gold, because line 1 holds: status = gold"
STORIES: Mapping[str, tuple[Decision, str]] = {
    "a line holds": (
        told(plan(), parked(), answered(found()), WON, TAKEN),
        f"{GOLD}.",
    ),
    "a line with several tests": (
        told(plan(lines=(CALL_ONLY,)), parked(), answered(found()), WON, TAKEN),
        "Queue gold, because line 1 holds: status = gold and hour < 24.",
    ),
    "a line of which one test is enough": (
        told(plan(lines=(line("=", "x"), EITHER)), parked(), answered(found()), WON, TAKEN),
        "Queue gold, because line 2 holds: hour < 24.",
    ),
    "a line that tests for nothing": (
        told(plan(lines=(line("is empty"),)), parked(), answered(found(record(None))), WON, TAKEN),
        "Queue gold, because line 1 holds: status is empty.",
    ),
    "no line holds": (
        told(plan(), parked(), answered(found(record("lead"))), WON, TAKEN),
        "Queue desk, the default, because no line holds for the record.",
    ),
    "an outcome of its own": (
        told(
            plan(outcomes={Outcome.NOT_FOUND: queue("strangers")}),
            parked(),
            answered(Answer(Outcome.NOT_FOUND)),
            WON,
            TAKEN,
        ),
        "Queue strangers, because the CRM does not know the caller.",
    ),
    "several": (
        told(
            plan(several=SeveralPolicy.OUTCOME),
            parked(),
            answered(found(record("a"), record("b"))),
            WON,
            TAKEN,
        ),
        "Queue desk, the default, because the CRM has several records of the caller.",
    ),
    "withheld": (
        told(plan(), parked(presentation="prohib"), WON, TAKEN),
        "Queue desk, the default, because the caller withheld the number.",
    ),
    "no digits": (
        told(
            greeting_plan(),
            parked(entry="account", asked=AskedFor.NONE, presentation="prohib"),
            WON,
            TAKEN,
        ),
        "Queue desk, the default, because the caller keyed no usable digits.",
    ),
    "the CRM is down": (
        told(plan(), parked(), answered(Answer(Outcome.CRM_ERROR, problem="500")), WON, TAKEN),
        "Queue desk, the default, because the CRM could not answer.",
    ),
    "too late": (
        told(plan(), parked(), TIME_OVER, WON, TAKEN),
        "Queue desk, the default, because the CRM did not answer in time.",
    ),
    "overloaded": (
        told(plan(), parked(), events.LookupUnavailable(1, "full"), WON, TAKEN),
        "Queue desk, the default, because the look-up could not be served.",
    ),
    "nothing to ask": (
        told(plan(lines=()), parked(), WON, TAKEN),
        "Queue desk, the default, because nothing had to be asked of the CRM.",
    ),
    "a greeting": (
        told(greeting_plan(), parked(entry="account"), WON, events.CallAsking(1), HUNG_UP),
        "The greeting, to key digits; the caller hung up first.",
    ),
    "hung up before anything": (
        told(plan(), parked(), HUNG_UP),
        "Nothing was decided; the caller hung up first.",
    ),
    "taken over when the hold was over": (
        told(plan(), parked(), answered(found()), defaulted(DefaultedWhy.HOLD)),
        f"{GOLD}; Asterisk took the call to route-queue/desk/1, for nobody moved it in time.",
    ),
    "claimed and not moved": (
        told(plan(), parked(), answered(found()), WON, defaulted(DefaultedWhy.GRACE)),
        f"{GOLD}; Asterisk took the call to route-queue/desk/1, for it was claimed and not moved.",
    ),
    "missing": (
        told(plan(), parked(), answered(found()), WON, defaulted(DefaultedWhy.MISSING)),
        f"{GOLD}; Asterisk took the call to route-queue/desk/1, for the destination does not exist there.",
    ),
    "an error of the dialplan": (
        told(plan(), parked(), defaulted(DefaultedWhy.ERROR)),
        "Nothing was decided; Asterisk took the call to route-queue/desk/1.",
    ),
    "never heard of again": (
        told(plan(), parked(), answered(found()), WON, SILENCE),
        f"{GOLD}; Asterisk did not say where the call went.",
    ),
    "no rule": (
        told(plan(), parked(did="0445550002"), WON, TAKEN),
        "Queue reception, the default, because nothing had to be asked of the CRM.",
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_decision_in_one_sentence(name: str) -> None:
    decision, sentence = STORIES[name]

    assert brief(decision) == sentence


class _Watched(UserDict[str, str]):
    def __init__(self) -> None:
        self.told: set[str] = set()
        super().__init__(ENGLISH_BRIEFS)

    def __getitem__(self, key: str) -> str:
        self.told.add(key)
        return super().__getitem__(key)


def test_every_sentence_is_told_by_some_story() -> None:
    sentences = _Watched()
    rehearsed = replace(STORIES["nothing to ask"][0], ending=Ending.REHEARSED, outcome=None)

    for decision in (*(decision for decision, _ in STORIES.values()), rehearsed):
        brief(decision, sentences)

    assert sentences.told >= set(ENGLISH_BRIEFS) - set(TARGETS)


@given(st.text(), st.text(), st.text())
def test_a_brief_is_one_line_whatever_a_tenant_or_a_crm_wrote(target: str, place: str, name: str) -> None:
    decision = STORIES["missing"][0]
    test = replace(decision.lines[0].tests[0], left_name=name)
    lines = (replace(decision.lines[0], tests=(test,)),)

    told = brief(replace(decision, asked_target=target or "x", reached_place=place, lines=lines))

    assert told.isprintable()
    assert len(told) <= MOST_CHARACTERS
