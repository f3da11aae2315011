"""Which rates are tried: a peer that holds up to some rate is found to hold near it, and no higher."""

import pytest

from tests.bench.search import CLOSE, RateSearch


def searched(limit: float, first: int = 50, most: int = 500) -> RateSearch:
    """A peer that holds every rate up to its limit."""
    search = RateSearch(first, most)
    for _ in range(60):
        if (rate := search.next()) is None:
            return search
        search.tell(rate, rate <= limit)
    raise AssertionError(f"no end: {search}")


@pytest.mark.parametrize("limit", [7, 30, 50, 74, 120, 200, 333, 499])
def test_the_highest_rate_is_found_from_below(limit: int) -> None:
    search = searched(limit)

    assert limit / CLOSE - 5 <= search.highest <= limit
    assert not search.is_open


def test_a_peer_that_holds_all_that_is_allowed_leaves_the_question_open() -> None:
    search = searched(10_000)

    assert (search.highest, search.is_open) == (500, True)


def test_a_peer_that_holds_nothing_ends_the_search() -> None:
    assert searched(0).highest == 0


def test_a_rate_that_fails_once_is_tried_again() -> None:
    search = RateSearch(50, 500)
    search.tell(50, holds=True)
    search.tell(75, holds=False)

    assert search.next() == 75

    search.tell(75, holds=True)

    assert search.next() == 110
    assert search.highest == 75


def test_a_rate_that_fails_twice_is_believed() -> None:
    search = RateSearch(50, 500)
    search.tell(50, holds=True)
    search.tell(75, holds=False)
    search.tell(75, holds=False)

    assert search.next() == 60
