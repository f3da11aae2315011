"""Slots and shares: what a worker has room for."""

import pytest

from router.core.identities import IntegrationName, TenantId
from router.store.seams import LaneName
from workers.slots import Slots

SLOW: LaneName = (TenantId("acme"), IntegrationName("slow"))
QUICK: LaneName = (TenantId("acme"), IntegrationName("quick"))
OTHER: LaneName = (TenantId("other"), IntegrationName("crm"))


@pytest.mark.parametrize(
    ("slots", "lane_share", "tenant_share"), [(200, 100, 150), (20, 10, 15), (6, 4, 4), (1, 4, 4)]
)
def test_the_shares(slots: int, lane_share: int, tenant_share: int) -> None:
    made = Slots(slots)

    assert (made.lane_share, made.tenant_share) == (lane_share, tenant_share)


async def test_a_crm_gets_no_more_than_half_of_the_slots() -> None:
    slots = Slots(20)
    for _ in range(10):
        slots.enter(SLOW)

    room = slots.room()

    assert room.of_lane(SLOW) == 0
    assert room.of_lane(QUICK) == room.of_lane(OTHER) == 5
    assert room.of(SLOW[0]) == 5


async def test_a_tenant_gets_no_more_than_three_quarters() -> None:
    slots = Slots(20)
    for _ in range(8):
        slots.enter(SLOW)
        slots.enter(QUICK)

    room = slots.room()

    assert room.of(SLOW[0]) == 0
    assert room.of(OTHER[0]) == 8


@pytest.mark.parametrize("running", range(11))
async def test_what_is_taken_at_once_never_exceeds_a_share(running: int) -> None:
    slots = Slots(20)
    for _ in range(running):
        slots.enter(SLOW)

    assert running + slots.room().of_lane(SLOW) <= slots.lane_share
    assert slots.room().of_lane(SLOW) > 0 or running == slots.lane_share


async def test_what_is_given_back_is_room_again() -> None:
    slots = Slots(4)
    for lane in (SLOW, SLOW, QUICK, OTHER):
        slots.enter(lane)
    was_full = (slots.free, slots.freed.is_set())

    for lane in (SLOW, SLOW, QUICK, OTHER):
        slots.leave(lane)

    assert was_full == (0, False)
    assert (slots.free, slots.freed.is_set()) == (4, True)
    assert slots.room() == Slots(4).room()
