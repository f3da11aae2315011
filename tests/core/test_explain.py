"""A decision in sentences: calls of every kind, told as an admin reads them."""

from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from router.core import events
from router.core.actions import Report
from router.core.decisions import Decision, Ending
from router.core.destinations import DestinationKind
from router.core.events import AskedFor, CallParked, DefaultedWhy, Event, TimerName
from router.core.explain import Explainer, span
from router.core.identities import TenantId
from router.core.lookups import Answer, Asked, CacheState
from router.core.plans import TenantPlan
from router.core.refusals import Refusal, Refused
from router.core.rehearsals import begin as rehearse
from router.core.rehearsals import finish
from router.core.rules import CallFact, Condition, Operator, Outcome, SeveralPolicy
from router.core.sentences import ENGLISH
from router.core.target_words import ENGLISH as TARGETS
from tests.core.makers import (
    LIMITS,
    ZURICH,
    after,
    at,
    begin,
    found,
    greeting_plan,
    line,
    only,
    parked,
    plan,
    queue,
    record,
)

WON = events.ClaimAnswered(1, is_won=True)
LOST = events.ClaimAnswered(1, is_won=False)
TAKEN = events.CallTaken(1, "route-queue/gold/1")
ON_ITS_WAY = events.LookupAnswered(1, Asked(CacheState.MISSING))
TIME_OVER = events.TimerEnded(1, TimerName.LOOKUP)
SILENCE = events.TimerEnded(1, TimerName.SETTLE)
HUNG_UP = events.CallerHungUp(1)
KEYED = parked(entry="account", digits="4711", asked=AskedFor.KEYED)


def answered(answer: Answer, state: CacheState = CacheState.MISSING, age: float = 0.0) -> Event:
    return events.LookupAnswered(1, Asked(state, answer, age))


def defaulted(why: DefaultedWhy) -> Event:
    return events.CallDefaulted(1, why, "route-queue/desk/1")


def failed(outcome: Outcome, problem: str) -> Event:
    return answered(Answer(outcome, problem=problem, request="GET https://crm.example/lookup", attempts=3))


def refused(why: Refusal, failures: int = 0, wait_seconds: float = 0.0) -> Event:
    because = Refused(why, failures, wait_seconds)
    return answered(Answer(Outcome.CRM_ERROR, problem="x", refused=because), CacheState.REFUSED)


def told(plan: TenantPlan | None, event: CallParked, *news: Event) -> Decision:
    call, _ = begin(plan, event)
    return only(Report, after(call, *news)[1]).decision


def texts(decision: Decision) -> list[str]:
    return [step.text for step in Explainer(ZURICH).explain(decision)]


UNLIKE = (record("a"), record("b"))
CALL_ONLY = line("=", "gold", all=(Condition(Operator.LESS, 3, call=CallFact.HOUR),))
EITHER = replace(
    line("=", None),
    operator=None,
    any=(Condition(Operator.EQUALS, "silver"), Condition(Operator.EQUALS, "gold")),
)
STALE = (CacheState.STALE, 5_000.0)
STORIES: Mapping[str, tuple[Decision, tuple[str, ...]]] = {
    # name, decision, and sentences that tell what is particular of it
    "found": (
        told(plan(), parked(), ON_ITS_WAY, answered(found(worker="w1")), WON, TAKEN),
        (
            "The number dialled is understood as +41445550001.",
            "The caller's number came as “0791234567” and is understood as +41791234567 (CH).",
            "The CRM “crm” was asked for +41791234567.",
            (
                "Request: GET https://crm.example/lookup?field_name=status "
                "(1 attempt, 100 ms in the CRM, by worker w1)."
            ),
            "The CRM knows the caller: 1 record “Anna Muster”.",
            "Field status = gold.",
            "Line 1 holds: status “gold” = “gold” is true.",
            "So the call is to go to queue gold, because line 1 holds (route-queue,gold,1).",
            "This router (router-a) won the call.",
            "Asterisk took the call to route-queue/gold/1.",
        ),
    ),
    "found, and one of two tests is enough": (
        told(
            plan(lines=(EITHER,)),
            parked(),
            ON_ITS_WAY,
            answered(found()),
            WON,
            TAKEN,
        ),
        ("Line 1 holds: status “gold” = “silver” is false or status “gold” = “gold” is true.",),
    ),
    "not found, by an old answer for digits": (
        told(
            greeting_plan(),
            KEYED,
            answered(Answer(Outcome.NOT_FOUND, request="GET /x", attempts=2), *STALE),
            WON,
            TAKEN,
        ),
        (
            "It came through the IVR entry “account”.",
            "The caller keyed 4711.",
            (
                "The cache had an old answer of “crm” for digits 4711, 83 min old; it served, "
                "and a new one was asked for behind it."
            ),
            "It came of GET /x (2 attempts, 0 ms in the CRM).",
            "The CRM does not know the caller.",
            "No line holds, so the default serves: queue desk (route-queue,desk,1).",
        ),
    ),
    "found, by an old answer while its CRM is left alone": (
        told(
            plan(),
            parked(),
            events.LookupAnswered(
                1, Asked(CacheState.STALE, found(), 5_000.0, Refused(Refusal.OPEN, 7, 12.0))
            ),
            WON,
            TAKEN,
        ),
        (
            (
                "The cache had an old answer of “crm” for +41791234567, 83 min old; it served, "
                "and no new one was asked for: the CRM has failed 7 times and is left alone; "
                "the next try is in 12 s."
            ),
            "The CRM knows the caller: 1 record “Anna Muster”.",
        ),
    ),
    "not asked, for the CRM is left alone": (
        told(plan(), parked(), refused(Refusal.PROBING, 1), WON, TAKEN),
        (
            "The CRM “crm” was to be asked for +41791234567, and was not.",
            "The CRM could not answer: the CRM has failed 1 time, and another look-up is trying it.",
        ),
    ),
    "not asked, for the CRM wants to be left alone": (
        told(plan(), parked(), refused(Refusal.PAUSED, wait_seconds=3.0), WON, TAKEN),
        ("The CRM could not answer: the CRM has asked to be left alone for another 3.0 s.",),
    ),
    "not asked, for newer calls went first": (
        told(
            plan(),
            parked(),
            ON_ITS_WAY,
            answered(Answer(Outcome.OVERLOADED, problem="x", refused=Refused(Refusal.CROWDED))),
            WON,
            TAKEN,
        ),
        (
            "The CRM “crm” was to be asked for +41791234567, and was not.",
            (
                "The look-up could not be served: more look-ups waited than the CRM may be asked, "
                "and newer calls went first."
            ),
        ),
    ),
    "found, by a fresh answer, and no line holds": (
        told(
            plan(
                lines=(
                    line(">", 5, field="orders"),
                    line("is empty", all=CALL_ONLY.all),
                    line("=", "x", any=CALL_ONLY.all),
                )
            ),
            parked(did="+41445550001"),
            answered(found(), CacheState.FRESH, 12.3),
            WON,
            TAKEN,
        ),
        (
            "The cache had the answer of “crm” for +41791234567, 12 s old.",
            "Field orders is empty.",
            "Line 1 does not hold: orders “” > “5” cannot be compared (the field is empty).",
            "Line 2 does not hold: status “gold” is empty is false and hour “12” < “3” is false.",
            "Line 3 does not hold: status “gold” = “x” is false and hour “12” < “3” is false.",
        ),
    ),
    "one of several, shared": (
        told(
            plan(several=SeveralPolicy.FIRST),
            parked(),
            events.LookupAnswered(1, Asked(CacheState.JOINED)),
            answered(found(*UNLIKE)),
            WON,
            TAKEN,
        ),
        (
            "The same question for +41791234567 was already on its way to “crm”, so this call shared it.",
            "2 records match: the first is taken, as the rule says, namely “Anna Muster”.",
        ),
    ),
    "several that do not agree": (
        told(
            plan(outcomes={Outcome.SEVERAL: queue("which")}), parked(), answered(found(*UNLIKE)), WON, TAKEN
        ),
        (
            "2 records match and none is taken: they do not agree on the fields tested.",
            "No line holds; the rule sends the outcome several to queue which (route-queue,which,1).",
        ),
    ),
    "the CRM failed, and the redirect too": (
        told(
            plan(),
            parked(),
            failed(Outcome.CRM_ERROR, "it answered 500"),
            WON,
            events.MoveAnswered(1, is_accepted=False, problem="channel not up"),
            defaulted(DefaultedWhy.GRACE),
        ),
        (
            "Request: GET https://crm.example/lookup (3 attempts, 0 ms in the CRM).",
            "The CRM could not answer: it answered 500.",
            "Noticed: the redirect failed: channel not up.",
            "A router claimed the call and did not move it, so the dialplan took it to route-queue/desk/1.",
        ),
    ),
    "the CRM was silent": (
        told(plan(), parked(), ON_ITS_WAY, TIME_OVER, WON, SILENCE),
        (
            "The caller could wait no longer: no answer came within 2.5 s.",
            "Asterisk never said where the call went.",
        ),
    ),
    "nobody could be asked, and another was first": (
        told(
            plan(), parked(), events.LookupUnavailable(1, "Redis is away"), LOST, defaulted(DefaultedWhy.HOLD)
        ),
        (
            "The look-up could not be served: Redis is away.",
            "This router (router-a) did not win the call: another router or the dialplan had it first.",
            "Nobody moved the call in time, so the dialplan took it to route-queue/desk/1.",
        ),
    ),
    "withheld": (
        told(plan(), parked(caller_number="", presentation="prohib"), WON, defaulted(DefaultedWhy.MISSING)),
        (
            "The caller withheld the number.",
            "Without a number nothing is asked of the CRM.",
            (
                "The destination does not exist in Asterisk, "
                "so the dialplan took the call to route-queue/desk/1."
            ),
        ),
    ),
    "no digits": (
        told(
            greeting_plan(),
            replace(KEYED, digits="", asked=AskedFor.NONE),
            WON,
            defaulted(DefaultedWhy.ERROR),
        ),
        (
            "The caller keyed no usable digits.",
            "The dialplan met an error and took the call to route-queue/desk/1.",
        ),
    ),
    "hung up during the greeting": (
        told(greeting_plan(), parked(entry="account"), WON, events.CallAsking(1), HUNG_UP),
        (
            "The rule first sends the caller to its greeting, to key digits.",
            "The caller was sent to the greeting, to key digits.",
            "The caller hung up first.",
        ),
    ),
    "a short number and nothing to ask": (
        told(plan(source=None, lines=()), parked(caller_number="117"), WON, defaulted(DefaultedWhy.ENDED)),
        (
            "The caller's number “117” is a short number, used as it came.",
            "Nothing was asked of the CRM: the call alone decides.",
            "The default serves: queue desk (route-queue,desk,1).",
            "The destination was over, and the call went on to route-queue/desk/1.",
        ),
    ),
    "a name for a number, in an unknown country": (
        told(plan(), parked(caller_number="MyBank"), HUNG_UP),
        (
            "The caller is “MyBank”, a name and not a number, used as it came.",
            "Nothing was decided before the call left.",
        ),
    ),
    "a satellite": (
        told(plan(), parked(caller_number="+881612345678"), HUNG_UP),
        ("The caller's number came as “+881612345678” and is understood as +881612345678.",),
    ),
    "a number that cannot be read": (
        told(plan(), parked(caller_number="9" * 30), HUNG_UP),
        (f"The caller's number “{'9' * 30}” cannot be read.",),
    ),
    "an unknown tenant": (
        told(
            None, parked(tenant=TenantId("nobody"), did=""), TIME_OVER, WON, defaulted(DefaultedWhy.MISSING)
        ),
        ("No tenant of this name is configured: nobody.",),
    ),
    "no rule, and the claim was not answered": (
        told(
            plan(),
            parked(did="0445550002"),
            events.ClaimAnswered(1, is_won=False, problem="no answer in 0.3 s"),
            events.CallVanished(),
        ),
        (
            "The default serves: queue reception (route-queue,reception,1).",
            "Noticed: the claim failed: no answer in 0.3 s.",
            "Asterisk restarted, or the call left while the connection was down.",
        ),
    ),
    "out of reach": (
        told(
            plan(lines=(line("=", "gold", destination=DestinationKind.CONFERENCE, option="board"),)),
            parked(),
            answered(found()),
            WON,
            TAKEN,
        ),
        (
            "So the call is to go to conference board, because line 1 holds (route-queue,desk,1).",
            "Noticed: conference board is not a destination this system reaches, so the default serves.",
        ),
    ),
    "a long rule": (
        told(plan(lines=(line("=", "silver"),) * 60), parked(), answered(found()), WON, TAKEN),
        ("20 further lines were walked and did not hold.",),
    ),
    "a dry run": (
        finish(after(rehearse(parked(), plan(), at(0), LIMITS)[0], answered(found()))[0]),
        ("This was a dry run: no call was moved.",),
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_story_is_told_whole(name: str) -> None:
    decision, sentences = STORIES[name]

    told = texts(decision)

    assert [text for text in told if text in sentences] == list(sentences)


@pytest.mark.parametrize("name", ["the CRM failed, and the redirect too", "the CRM was silent"])
def test_a_problem_is_told_once(name: str) -> None:
    decision, _ = STORIES[name]
    assert decision.lookup is not None

    assert sum(decision.lookup.problem in text for text in texts(decision)) == 1


def test_every_outcome_and_every_ending_has_a_story() -> None:
    decisions = [decision for decision, _ in STORIES.values()]

    assert {decision.outcome for decision in decisions} == {*Outcome, None}
    assert {decision.ending for decision in decisions} == set(Ending)
    assert {decision.defaulted_why for decision in decisions} == {*DefaultedWhy, ""}


class _Read(dict[str, str]):
    """The sentences, and which of them were told."""

    def __init__(self) -> None:
        super().__init__(ENGLISH)
        self.told: set[str] = set()

    def __getitem__(self, key: str) -> str:
        self.told.add(key)
        return super().__getitem__(key)


def test_every_sentence_of_the_table_is_told_in_some_story() -> None:
    sentences = _Read()

    for decision, _ in STORIES.values():
        Explainer(ZURICH, sentences).explain(decision)

    assert sentences.told - set(TARGETS) == set(ENGLISH) - set(TARGETS)


@pytest.mark.parametrize("name", STORIES)
def test_sentences_come_in_the_order_in_which_things_happened(name: str) -> None:
    moments = [
        step.after_ms for step in Explainer(ZURICH).explain(STORIES[name][0]) if step.after_ms is not None
    ]

    assert moments == sorted(moments)
    assert moments[0] == 0.0


@pytest.mark.parametrize("name", STORIES)
def test_a_decision_of_the_stream_is_told_like_the_one_that_was_written(name: str) -> None:
    decision, _ = STORIES[name]

    read = msgspec.msgpack.decode(msgspec.msgpack.encode(decision), type=Decision)

    assert texts(read) == texts(decision)


def test_a_claim_that_was_won_is_told_once_with_its_moment() -> None:
    decision, _ = STORIES["found"]

    steps = {step.key: step.after_ms for step in Explainer(ZURICH).explain(decision)}

    assert [steps[key] for key in ("asked", "outcome_found", "claim_won", "taken")] == [
        0.0,
        200.0,
        300.0,
        400.0,
    ]


SIGNS = st.sampled_from(["{0}", "{", "}", "{name.__class__}", "%s", "\r\n{}\x1b[2J"])
OF_A_CRM = st.text(st.characters()) | SIGNS
OF_A_FILE = st.text(st.characters(codec="utf-8")) | SIGNS
"""A tenant's file and the dialplan's news are UTF-8: they cannot hold half a surrogate, which JSON can."""


@given(OF_A_CRM, OF_A_FILE, OF_A_FILE, OF_A_CRM)
def test_hostile_text_cannot_break_a_sentence(value: str, name: str, number: str, problem: str) -> None:
    event = parked(caller_number=number, did=number, digits=number, entry=name, uniqueid=number, tenant=name)
    answer = found(record(value, name=name), problem=problem, request=value, worker=name)
    rule = plan(lines=(line("=", number), line("contains", name, field=name)), name=name)
    news = (answered(answer), WON, events.CallTaken(1, number))

    sentences = texts(told(rule, event, *news))

    assert all(sentence.isprintable() for sentence in sentences)
    assert all(len(sentence) <= 2_000 for sentence in sentences)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.104, "104 ms"),
        (1, "1.0 s"),
        (9.96, "10.0 s"),
        (12.3, "12 s"),
        (720, "12 min"),
        (18_000, "5 h"),
    ],
)
def test_a_span_is_told_as_people_say_it(seconds: float, text: str) -> None:
    assert span(seconds) == text
