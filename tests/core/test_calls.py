"""The state table itself: what a reader of it relies on."""

from typing import get_args

import pytest

from router.core import events
from router.core.calls import ENDED, MAY_FOLLOW, CallState, check_transition
from router.core.errors import ImpossibleEvent
from router.core.events import Event

ENDS_A_CALL = (events.CallTaken, events.CallDefaulted, events.CallerHungUp, events.CallVanished)


def test_every_state_has_a_row() -> None:
    assert set(MAY_FOLLOW) == set(CallState)


@pytest.mark.parametrize("state", sorted(ENDED))
def test_an_ended_call_takes_any_news_and_stays_ended(state: CallState) -> None:
    assert MAY_FOLLOW[state] == {kind: frozenset({state}) for kind in get_args(Event)}


@pytest.mark.parametrize("state", [state for state in CallState if state not in ENDED])
@pytest.mark.parametrize("kind", ENDS_A_CALL)
def test_asterisk_may_end_a_call_in_any_state(state: CallState, kind: type[Event]) -> None:
    assert MAY_FOLLOW[state][kind] & ENDED


def test_only_a_claim_leads_to_a_move() -> None:
    ways = {
        (state, kind)
        for state, row in MAY_FOLLOW.items()
        for kind, following in row.items()
        if CallState.MOVING in following - {state}
    }

    assert ways == {(CallState.CLAIMING, events.ClaimAnswered)}


def test_a_way_that_the_table_does_not_list_is_refused() -> None:
    with pytest.raises(ImpossibleEvent, match="CallTaken cannot take a call from parked to asking"):
        check_transition(CallState.PARKED, events.CallTaken(2, ""), CallState.ASKING)
