"""The breaker and the allowance as tables; what the scripts of the store do with them:
tests/store/test_protection.py.
"""

from itertools import pairwise

import pytest

from router.core.allowances import Allowance, Spent, allowance_of, seconds_to_wait, spend
from router.core.breakers import (
    CLOSED,
    FAILURES_MOST,
    OPEN_MOST_SECONDS,
    UNWELL_FAULTS,
    WINDOW_SECONDS,
    Breaker,
    Health,
    Verdict,
    health_of,
    noted,
    refusal_of,
    with_probe,
)
from router.core.faults import Fault
from router.core.identities import IntegrationName
from router.core.manifests import Manifest
from router.core.refusals import Refusal, Refused, refusal_text
from router.core.tenants import Integration

UNWELL = Verdict(Health.UNWELL, "down")
WELL = Verdict(Health.WELL)
MIDDLE = 0.5
"""A jitter that changes nothing."""


def opened(now: float = 100.0) -> Breaker:
    breaker = CLOSED
    for number in range(FAILURES_MOST):
        breaker = noted(breaker, f"{number}", UNWELL, now, MIDDLE)
    return breaker


def test_it_stays_open_for_longer_with_each_probe_that_fails() -> None:
    breaker = opened()
    spans = [breaker.retry_at - 100]
    for _ in range(6):
        now = breaker.retry_at
        breaker = noted(with_probe(breaker, "probe", now + 2), "probe", UNWELL, now, MIDDLE)
        spans.append(breaker.retry_at - now)

    assert spans == [5, 10, 20, 40, 60, 60, 60]
    assert breaker.opened_at == 100


@pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 4.0), (0.5, 5.0), (1.0, 6.0)])
def test_the_time_it_stays_open_is_spread(jitter: float, seconds: float) -> None:
    breaker = CLOSED
    for number in range(FAILURES_MOST):
        breaker = noted(breaker, f"{number}", UNWELL, 0.0, jitter)

    assert breaker.retry_at == pytest.approx(seconds)
    assert seconds < OPEN_MOST_SECONDS


def test_who_may_ask_while_it_is_open() -> None:
    breaker = opened()
    half_open = with_probe(breaker, "probe", 110.0)

    assert refusal_of(breaker, 102.0) == Refused(Refusal.OPEN, 5, 3.0)
    assert refusal_of(breaker, 105.0) is None
    assert refusal_of(half_open, 106.0, "other") == Refused(Refusal.PROBING, 5)
    assert refusal_of(half_open, 106.0, "probe") is None
    assert refusal_of(half_open, 112.1, "other") is None, "nobody has heard of the probe"


def test_failures_that_are_far_apart_do_not_add_up_to_a_share() -> None:
    breaker, now = CLOSED, 0.0
    for number in range(200):
        breaker = noted(breaker, "x", UNWELL if number % 4 < 2 else WELL, now, MIDDLE)
        now += WINDOW_SECONDS / 15

    assert not breaker.is_open


def test_a_healthy_crm_leaves_no_trace() -> None:
    failed = noted(CLOSED, "x", UNWELL, 0.0, MIDDLE)

    assert noted(CLOSED, "x", WELL, 0.0, MIDDLE) is CLOSED
    assert noted(failed, "x", WELL, WINDOW_SECONDS + 1, MIDDLE) == CLOSED


@pytest.mark.parametrize("fault", list(Fault))
def test_what_a_fault_says_of_the_crm(fault: Fault) -> None:
    expected = Health.UNWELL if fault in UNWELL_FAULTS else Health.WELL

    assert health_of(fault, 1, is_fair=True) is expected
    assert health_of(fault, 0, is_fair=False) is Health.UNTOLD


def test_requests_come_evenly_after_a_burst() -> None:
    """Eight a second with two for a look-up: one at once, then one each quarter of a second."""
    allowance = Allowance(requests_per_second=8.0, requests_per_lookup=2)
    spent, now, begun = Spent(), 10.0, []
    for _ in range(5):
        now += seconds_to_wait(spent, allowance, now)
        begun.append(now)
        spent = spend(spent, allowance, 2, now)

    assert [late - early for early, late in pairwise(begun)] == [0.25] * 4


def test_a_rest_saves_up_no_more_than_the_burst() -> None:
    allowance = Allowance(requests_per_second=20.0)
    spent, at_once = Spent(), 0
    while seconds_to_wait(spent, allowance, 1000.0) == 0:
        spent = spend(spent, allowance, 1, 1000.0)
        at_once += 1

    assert at_once == allowance.burst == 5


def test_what_was_not_needed_is_given_back() -> None:
    allowance = Allowance(requests_per_second=1.0, requests_per_lookup=2)
    spent = spend(spend(Spent(), allowance, 2, 5.0), allowance, -2, 5.1)

    assert seconds_to_wait(spent, allowance, 5.1) == 0


@pytest.mark.parametrize(
    ("own", "manifest", "expected"),
    [
        (None, Manifest("x", (), requests_per_second=4, requests_per_lookup=2), Allowance(50, 4, 2)),
        (9.0, Manifest("x", (), requests_per_second=4, requests_per_lookup=2), Allowance(50, 9, 2)),
        (None, None, Allowance()),
    ],
    ids=["the manifest's", "its own", "a connector that is not known"],
)
def test_the_allowance_of_an_integration(
    own: float | None, manifest: Manifest | None, expected: Allowance
) -> None:
    integration = Integration(name=IntegrationName("crm"), requests_per_second=own)

    assert allowance_of(integration, manifest) == expected


@pytest.mark.parametrize("why", list(Refusal))
def test_every_refusal_says_why(why: Refusal) -> None:
    text = refusal_text(Refused(why, 7, 12.0))

    assert "not asked" in text or "newer calls" in text
    assert "{" not in text
