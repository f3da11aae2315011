"""What follows what: `decide` as its table, and whatever order the news comes in."""

from collections.abc import Mapping
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from router.core import events
from router.core.actions import Action, ArmFallback, Claim, CloseCall, Move, Report, StartLookup, StartTimer
from router.core.call_ends import CallStage, CallSummary
from router.core.calls import ENDED, MAY_FOLLOW, Call, CallState
from router.core.decide import decide
from router.core.decisions import Ending
from router.core.errors import ImpossibleEvent
from router.core.events import AskedFor, DefaultedWhy, Event, TimerName
from router.core.identities import TenantId
from router.core.leases import Duty
from router.core.lookups import Asked, CacheState
from router.core.rules import Outcome
from tests.core.makers import ACME, LIMITS, after, at, begin, found, greeting_plan, only, parked, plan

# Factors: the state of the call; whether this router won its claim; which event; whether the event is of this
# parking (2), of an earlier or of the next one; what the next parking can be decided on.
ANSWERED = events.LookupAnswered(2, Asked(CacheState.MISSING, found()))
WON = events.ClaimAnswered(2, is_won=True)
LOST_CLAIM = events.ClaimAnswered(2, is_won=False)
REFUSED = events.MoveAnswered(2, is_accepted=False, problem="channel not up")
OVER = CallSummary(tenant=ACME, stage=CallStage.PARKED, seconds=3)
WITHHELD = parked(parking=3, caller_number="", presentation="prohib")

COLUMNS: Mapping[str, tuple[Event, ...]] = {
    "watching": (),
    "parked": (),
    "claiming": (ANSWERED,),
    "moving": (ANSWERED, WON),
    "asking": (ANSWERED, WON, events.CallAsking(2)),
    "yielded": (ANSWERED, LOST_CLAIM),
    "refused": (ANSWERED, WON, REFUSED),
}
"""The live states, and the news that leads there. `refused` is YIELDED too, after a claim won.

`watching` begins by the lease of another router, and no news leads there from elsewhere in the same parking.
"""

STAY = "stay"
NEVER = "never"
REPORTED = ("lost: Report",) * 7
ASKED = "parked: ArmFallback StartTimer StartLookup"
DECIDED = "claiming: Claim StartTimer"
ROWS: tuple[tuple[str, Event, tuple[str, ...]], ...] = (
    # name, event, and what follows in each column: the next state, and the actions asked in their order
    ("the same parking is told again", parked(parking=2), (STAY,) * 7),
    (
        "the next parking asks the CRM",
        parked(parking=3),
        (ASKED,) * 7,
    ),
    ("the next parking decides at once", WITHHELD, ("claiming: ArmFallback Claim StartTimer",) * 7),
    ("the next parking is another tenant's", parked(parking=3, tenant=TenantId("rival")), REPORTED),
    ("the greeting begins", events.CallAsking(2), ("asking: StartTimer",) * 7),
    (
        "the call lands",
        events.CallTaken(2, "route-queue/gold/1"),
        (
            *("landed:",) * 3,
            *("landed: Report",) * 2,
            "landed:",
            "landed: Report",
        ),
    ),
    (
        "the dialplan takes a default",
        events.CallDefaulted(2, DefaultedWhy.HOLD, "route-queue/desk/1"),
        ("defaulted: Report",) * 7,
    ),
    ("the caller hangs up", events.CallerHungUp(2, OVER), ("gone: Report CloseCall",) * 7),
    ("the caller hangs up, and an old dialplan says so", events.CallerHungUp(2), ("gone: Report",) * 7),
    ("the call vanishes", events.CallVanished(), REPORTED),
    ("the answer comes", ANSWERED, (STAY, DECIDED, *(STAY,) * 5)),
    ("the answer is on its way", events.LookupAnswered(2, Asked(CacheState.MISSING)), (STAY,) * 7),
    (
        "the question cannot be put",
        events.LookupUnavailable(2, "Redis is away"),
        (STAY, DECIDED, *(STAY,) * 5),
    ),
    (
        "the question cannot be put, and others may have an answer",
        events.LookupUnavailable(2, "Redis is away", is_left=True),
        (STAY, "parked: StartTimer StartTimer", *(STAY,) * 5),
    ),
    ("the question may be put again", events.TimerEnded(2, TimerName.ASK), (STAY,) * 7),
    ("the look-up's time is over", events.TimerEnded(2, TimerName.LOOKUP), (STAY, DECIDED, *(STAY,) * 5)),
    ("half of HOLD is over", events.TimerEnded(2, TimerName.WATCH), (ASKED, *(STAY,) * 6)),
    ("the lease is gained", events.LeaseGained(2), (ASKED, *(STAY,) * 6)),
    ("nothing more is heard", events.TimerEnded(2, TimerName.SETTLE), (STAY, STAY, *("lost: Report",) * 5)),
    ("the claim is won", WON, (NEVER, NEVER, "moving: Move", *(STAY,) * 4)),
    ("the claim is lost", LOST_CLAIM, (NEVER, NEVER, "yielded:", *(STAY,) * 4)),
    (
        "the claim is not answered",
        events.ClaimAnswered(2, is_won=False, problem="no answer in 0.3 s"),
        (NEVER, NEVER, "yielded:", *(STAY,) * 4),
    ),
    ("the move is accepted", events.MoveAnswered(2, is_accepted=True), (*(NEVER,) * 3, *(STAY,) * 4)),
    ("the move is refused", REFUSED, (*(NEVER,) * 3, "yielded:", *(STAY,) * 3)),
)
CELLS = [
    pytest.param(column, event, cell, id=f"{column}, {name}")
    for name, event, cells in ROWS
    for column, cell in zip(COLUMNS, cells, strict=True)
]


def call_in(column: str) -> Call:
    call, _ = begin(plan(), parked(parking=2), Duty.WATCH if column == "watching" else Duty.WORK)
    return after(call, *COLUMNS[column])[0]


def names(actions: list[Action]) -> str:
    return " ".join(type(action).__name__ for action in actions)


@pytest.mark.parametrize(("column", "event", "cell"), CELLS)
def test_every_event_in_every_live_state(column: str, event: Event, cell: str) -> None:
    call = call_in(column)
    if cell == NEVER:
        with pytest.raises(ImpossibleEvent, match=type(event).__name__):
            decide(call, event, at(1), LIMITS)
        return

    following, actions = decide(call, event, at(1), LIMITS)

    told = STAY if following.state is call.state and not actions else f"{following.state}: {names(actions)}"
    assert told.rstrip() == cell


def test_the_table_names_every_pair_that_may_follow() -> None:
    states = {column: call_in(column).state for column in COLUMNS}
    possible = {
        (states[column], type(event))
        for _, event, cells in ROWS
        for column, cell in zip(COLUMNS, cells, strict=True)
        if cell != NEVER
    }

    assert possible == {
        (state, kind) for state in MAY_FOLLOW if state not in ENDED for kind in MAY_FOLLOW[state]
    }
    assert {kind for _, kind in possible} == set(get_args(Event))


EARLIER = [replace(event, parking=1) for _, event, _ in ROWS if not isinstance(event, events.CallVanished)]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("event", EARLIER, ids=[type(event).__name__ for event in EARLIER])
def test_news_of_an_earlier_parking_changes_nothing(column: str, event: Event) -> None:
    call = call_in(column)

    assert decide(call, event, at(1), LIMITS) == (call, [])


@pytest.mark.parametrize("state", sorted(ENDED))
@pytest.mark.parametrize(("name", "event"), [row[:2] for row in ROWS], ids=[row[0] for row in ROWS])
def test_news_of_an_ended_call_changes_nothing(state: CallState, name: str, event: Event) -> None:
    call = replace(call_in("moving"), state=state)

    assert decide(call, event, at(1), LIMITS) == (call, [])


def test_a_call_ended_as_asterisk_told() -> None:
    endings: dict[Event, tuple[Ending, str, str]] = {
        events.CallTaken(2, "route-queue/gold/1"): (Ending.TAKEN, "route-queue/gold/1", ""),
        events.CallDefaulted(2, DefaultedWhy.GRACE, "x/y/1"): (Ending.DEFAULTED, "x/y/1", "grace"),
        events.CallerHungUp(2): (Ending.ABANDONED, "", ""),
        events.CallVanished(): (Ending.VANISHED, "", ""),
        events.TimerEnded(2, TimerName.SETTLE): (Ending.UNCONFIRMED, "", ""),
    }

    for event, told in endings.items():
        _, actions = decide(call_in("moving"), event, at(1), LIMITS)
        decision = only(Report, actions).decision
        assert (decision.ending, decision.reached_place, decision.defaulted_why) == told


def test_a_landing_that_came_although_the_redirect_went_unanswered_is_reported() -> None:
    """Asterisk's own word counts, not whether it answered us."""
    call, actions = after(call_in("refused"), events.CallTaken(2, "route-queue/gold/1"))

    assert call.state is CallState.LANDED
    assert only(Report, actions).decision.won_claim


def test_a_call_is_waited_for_longer_than_hold_and_grace() -> None:
    _, actions = after(begin(plan(), parked(parking=2))[0], ANSWERED)

    timer = only(StartTimer, actions)
    assert timer.timer is TimerName.SETTLE
    assert timer.seconds == 6.0 + LIMITS.settle_seconds


def test_a_greeting_is_waited_for_longer_than_its_tries_can_take() -> None:
    call, _ = begin(greeting_plan(), parked(entry="account"))

    call, actions = after(call, events.ClaimAnswered(1, is_won=True), events.CallAsking(1))

    assert call.state is CallState.ASKING
    assert only(StartTimer, actions).seconds > 3 * 7 * 4  # tries, pauses after each of six digits, seconds


# Watching a call that another router works on.


def watched() -> Call:
    return begin(plan(), parked(parking=2), Duty.WATCH)[0]


def test_a_watched_call_is_left_alone_for_half_of_its_hold() -> None:
    call, actions = begin(plan(), parked(), Duty.WATCH)

    assert call.state is CallState.WATCHING
    assert actions == [StartTimer(TimerName.WATCH, (6.0 - LIMITS.hold_margin_seconds) / 2)]


@pytest.mark.parametrize("duty", Duty)
@pytest.mark.parametrize("column", COLUMNS)
def test_the_next_parking_is_worked_on_by_whoever_has_the_lease_then(column: str, duty: Duty) -> None:
    call, _ = decide(call_in(column), parked(parking=3), at(1), LIMITS, duty)

    assert call.state is (CallState.PARKED if duty is Duty.WORK else CallState.WATCHING)


def test_a_router_that_steps_in_asks_in_what_is_left_of_hold() -> None:
    call, actions = decide(watched(), events.TimerEnded(2, TimerName.WATCH), at(4.5), LIMITS)

    assert only(StartLookup, actions).job.budget_seconds == pytest.approx(6.0 - 0.5 - 4.5)
    assert only(StartTimer, actions).seconds == pytest.approx(1.0)
    assert call.parked_at == at(0)


def test_a_router_that_steps_in_too_late_asks_for_a_moment_and_goes_on() -> None:
    _, actions = decide(watched(), events.TimerEnded(2, TimerName.WATCH), at(60), LIMITS)

    assert only(StartTimer, actions).seconds == 0.05


LEFT = events.LookupUnavailable(1, "Redis is away", is_left=True)
ASK_TIMER, LOOKUP_TIMER = events.TimerEnded(1, TimerName.ASK), events.TimerEnded(1, TimerName.LOOKUP)


def test_a_call_that_is_left_to_others_is_decided_at_its_last_moment() -> None:
    call, actions = decide(begin(plan(), parked())[0], LEFT, at(0.4), LIMITS)
    hold = 6.0 - LIMITS.hold_margin_seconds
    timers = {one.timer: one.seconds for one in actions if isinstance(one, StartTimer)}
    assert timers[TimerName.LOOKUP] == pytest.approx(hold - 0.4)

    call, actions = decide(call, LOOKUP_TIMER, at(hold), LIMITS)

    assert call.choice is not None
    assert (call.choice.outcome, call.answer and call.answer.problem) == (Outcome.OVERLOADED, "Redis is away")
    assert actions[0] == Claim()


def test_the_question_of_a_call_that_is_left_to_others_is_put_again_in_what_is_left() -> None:
    call, _ = decide(begin(plan(), parked())[0], LEFT, at(0.4), LIMITS)

    call, soon = decide(call, ASK_TIMER, at(0.9), LIMITS)
    # Others that took it meanwhile or not are no reason to end it before its time.
    call, _ = decide(call, events.LookupUnavailable(1, "still away"), at(1.0), LIMITS)
    call, late = decide(call, ASK_TIMER, at(5.0), LIMITS)

    assert call.state is CallState.PARKED
    first, second = only(StartLookup, soon), only(StartLookup, late)
    assert call.job is not None
    assert first.job == call.job
    assert second.job.budget_seconds == pytest.approx(6.0 - LIMITS.hold_margin_seconds - 5.0)


def test_an_answer_to_the_question_that_was_put_again_decides() -> None:
    call, _ = decide(begin(plan(), parked())[0], LEFT, at(0.4), LIMITS)
    call, _ = decide(call, events.LookupAnswered(1, Asked(CacheState.MISSING)), at(0.9), LIMITS)
    assert decide(call, ASK_TIMER, at(1.4), LIMITS) == (call, [])

    call, actions = decide(
        call, events.LookupAnswered(1, Asked(CacheState.MISSING, found())), at(1.5), LIMITS
    )

    assert call.state is CallState.CLAIMING
    assert actions[0] == Claim()


def test_an_unknown_tenant_that_was_watched_is_left_alone_for_most_of_what_is_left() -> None:
    call, _ = begin(None, parked(), Duty.WATCH)

    _, actions = decide(call, events.TimerEnded(1, TimerName.WATCH), at(2), LIMITS)

    assert actions == [StartTimer(TimerName.LOOKUP, 3.0)]


def test_the_end_of_a_watched_call_is_told_after_the_word_of_the_router_that_worked_on_it() -> None:
    _, actions = decide(watched(), events.CallerHungUp(2, OVER), at(1), LIMITS)
    assert 0 < only(Report, actions).delay_seconds < only(CloseCall, actions).delay_seconds

    _, actions = decide(call_in("parked"), events.CallerHungUp(2, OVER), at(1), LIMITS)
    assert only(Report, actions).delay_seconds == only(CloseCall, actions).delay_seconds == 0


# What may come at random: the news of Asterisk at any moment, results only of what was asked.
NEWS: list[Event] = [
    replace(event, parking=parking)
    for _, event, _ in ROWS
    for parking in (1, 2, 3)
    if not isinstance(event, events.CallVanished)
]


def is_possible(event: Event, asked: list[tuple[int, Action]], told: list[Event]) -> bool:
    """Whether a claim or a move was asked for this parking and not answered yet."""
    wanted: type[Claim] | type[Move]
    match event:
        case events.ClaimAnswered():
            wanted = Claim
        case events.MoveAnswered():
            wanted = Move
        case _:
            return True
    were_asked = sum(parking == event.parking and isinstance(action, wanted) for parking, action in asked)
    were_answered = sum(type(old) is type(event) and old.parking == event.parking for old in told)
    return were_asked > were_answered


@given(
    st.lists(
        st.tuples(st.sampled_from([*NEWS, events.CallVanished()]), st.sampled_from(Duty)),
        max_size=40,
    ),
    st.booleans(),
    st.sampled_from(Duty),
)
def test_whatever_the_order_of_the_news_one_claim_one_move_one_report(
    news: list[tuple[Event, Duty]], is_greeted: bool, first_duty: Duty
) -> None:
    first = parked(entry="account", asked=AskedFor.NOT_ASKED if is_greeted else AskedFor.KEYED)
    call, actions = begin(greeting_plan(), first, first_duty)
    asked = [(1, action) for action in actions]
    told: list[Event] = []
    for event, duty in news:
        if not is_possible(event, asked, told):
            continue
        told.append(event)

        following, actions = decide(call, event, at(1), LIMITS, duty)

        assert following.parking >= call.parking
        assert not (call.is_ended and actions)
        asked += [(following.parking, action) for action in actions]
        call = following
        assert_one_winner(asked, told)
    reports = sum(isinstance(action, Report) for _, action in asked)
    is_anothers = call.state is CallState.LANDED and not call.won_claim
    assert reports == (1 if call.is_ended and not is_anothers else 0)


def assert_one_winner(asked: list[tuple[int, Action]], told: list[Event]) -> None:
    for parking in {parking for parking, _ in asked}:
        mine = [action for of, action in asked if of == parking]
        won = [event for event in told if isinstance(event, events.ClaimAnswered) and event.is_won]
        assert sum(isinstance(action, Claim) for action in mine) <= 1
        assert sum(isinstance(action, Move) for action in mine) <= sum(
            event.parking == parking for event in won
        )
        kinds = [type(action) for action in mine if isinstance(action, ArmFallback | StartLookup | Claim)]
        assert kinds[:1] in ([], [ArmFallback])
