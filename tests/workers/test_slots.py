"""Slots and shares: the counts, the order, and that nothing is lost when waiters give up."""

import asyncio
import random

import pytest

from workers.slots import WAITING_PER_SLOT, Entry, Place, Slots


def waiting(entry: Entry | Place) -> Place:
    assert isinstance(entry, asyncio.Future)
    return entry


@pytest.mark.parametrize(
    ("slots", "in_flight", "share"),
    [(200, 50, 50), (200, 1000, 100), (20, 50, 10), (6, 50, 4), (1, 50, 4), (200, 2, 2)],
)
def test_the_share_of_one_integration(slots: int, in_flight: int, share: int) -> None:
    assert Slots(slots).share(in_flight) == share


async def test_over_its_share_a_job_waits_while_others_start() -> None:
    slots = Slots(10)

    slow = [slots.enter("slow", 2) for _ in range(3)]

    assert slow[:2] == [Entry.MAY_START] * 2
    assert not waiting(slow[2]).done()
    assert slots.enter("quick", 2) is Entry.MAY_START
    assert (slots.running, slots.waiting, slots.free) == (3, 1, 7)


async def test_a_slot_given_back_goes_to_the_next_of_the_same() -> None:
    slots = Slots(10)
    places = [slots.enter("slow", 1) for _ in range(3)]

    slots.leave("slow")

    assert waiting(places[1]).done()
    assert not waiting(places[2]).done()
    assert slots.running == 1


async def test_the_waiting_place_has_an_end() -> None:
    slots = Slots(10)
    entries = [slots.enter("slow", 2) for _ in range(2 + 2 * WAITING_PER_SLOT + 1)]

    assert entries[-1] is Entry.FULL
    assert entries.count(Entry.FULL) == 1


async def test_with_no_slot_free_integrations_are_served_in_turn() -> None:
    slots = Slots(2)
    for _ in range(2):
        slots.enter("first", 2)
    places = {
        name: [waiting(slots.enter(name, 2)) for _ in range(2)] for name in ("first", "second", "third")
    }

    for key in ("first", "first"):
        slots.leave(key)
    served = {name: sum(place.done() for place in own) for name, own in places.items()}
    for key in ("first", "second", "third", "first"):
        slots.leave(key)

    assert served == {"first": 1, "second": 1, "third": 0}
    assert all(place.done() for own in places.values() for place in own)
    assert slots.waiting == 0


async def test_giving_up_frees_the_place() -> None:
    slots = Slots(10)
    slots.enter("slow", 1)
    place, last = waiting(slots.enter("slow", 1)), waiting(slots.enter("slow", 1))

    slots.give_up("slow", place)
    slots.leave("slow")

    assert last.done()
    assert (slots.running, slots.waiting) == (1, 0)


async def test_giving_up_what_was_just_given_hands_it_on() -> None:
    slots = Slots(10)
    slots.enter("slow", 1)
    place, last = waiting(slots.enter("slow", 1)), waiting(slots.enter("slow", 1))
    slots.leave("slow")

    slots.give_up("slow", place)

    assert last.done()
    assert not last.cancelled()
    assert slots.running == 1


async def test_a_waiter_cancelled_a_moment_ago_is_passed_over() -> None:
    slots = Slots(10)
    slots.enter("slow", 1)
    place, last = waiting(slots.enter("slow", 1)), waiting(slots.enter("slow", 1))

    place.cancel()
    slots.leave("slow")
    slots.give_up("slow", place)

    assert last.done()
    assert (slots.running, slots.waiting) == (1, 0)


async def test_a_free_slot_is_announced() -> None:
    slots = Slots(1)
    slots.enter("a", 4)
    assert not slots.freed.is_set()

    slots.leave("a")

    assert slots.freed.is_set()


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_happens_the_counts_are_right(seed: int) -> None:
    """At every moment: never more than the slots, never more than a share; in the end everything is free."""
    chance, slots, share = random.Random(seed), Slots(5), 3
    running: list[str] = []
    places: list[tuple[str, Place]] = []
    for _ in range(400):
        key = chance.choice("abc")
        match chance.choice(("enter", "enter", "leave", "give up")):
            case "enter":
                entry = slots.enter(key, share)
                if entry is Entry.MAY_START:
                    running.append(key)
                elif isinstance(entry, asyncio.Future):
                    places.append((key, entry))
            case "leave" if running:
                slots.leave(running.pop(chance.randrange(len(running))))
            case "give up" if places:
                slots.give_up(*places.pop(chance.randrange(len(places))))
        running += [key for key, place in places if place.done()]
        places = [(key, place) for key, place in places if not place.done()]
        assert slots.running == len(running) <= 5
        assert slots.waiting == len(places)
        assert all(running.count(key) <= share for key in "abc")
    while running or places:
        if running:
            slots.leave(running.pop())
        running += [key for key, place in places if place.done()]
        places = [(key, place) for key, place in places if not place.done()]

    assert (slots.running, slots.waiting, slots._running_of, slots._shares) == (0, 0, {}, {})
