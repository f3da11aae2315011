"""A quota that a CRM calls used up is left alone until it is open again."""

import pytest

from router.core.rules import Outcome
from tests.workers.makers import job, lookups, subject, text
from tests.workers.senders import Script
from workers.connectors.steps import Response
from workers.quotas import LONGEST_SECONDS, Quota

GOLD = text("GOLD")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"ratelimit-remaining": "1", "ratelimit-reset": "9"}, 0),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "9"}, 9),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2"}, 2),
        ({"x-rate-limit-remaining": "0"}, 1),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795473674"}, 1),
        ({"x-hubspot-ratelimit-remaining": "0", "x-hubspot-ratelimit-interval-milliseconds": "10000"}, 10),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "99999"}, LONGEST_SECONDS),
        ({"ratelimit-remaining": "none", "ratelimit-reset": "-1"}, 0),
        ({"sforce-limit-info": "api-usage=18/15000"}, 0),
        ({"sforce-limit-info": "api-usage=15000/15000"}, 1),
        ({"sforce-limit-info": "api-usage=x/y"}, 0),
        ({"sforce-limit-info": f"api-usage={'9' * 5_000}/15000"}, 0),
        ({"x-ms-ratelimit-burst-remaining-xrm-requests": "0"}, 1),
    ],
)
def test_what_the_headers_say(headers: dict[str, str], seconds: float) -> None:
    clock = Clock()
    quota = Quota(clock)

    quota.note(Response(200, b"", headers))

    assert quota.seconds_closed == seconds
    clock.now += seconds
    quota.require_open()


async def test_the_next_look_up_does_not_ask_a_crm_that_wants_to_be_left_alone() -> None:
    script = Script(Response(429, b"", {"retry-after": "30"}), GOLD)
    made = lookups(script)

    first = await made.run(job(), subject(), 2.5)
    second = await made.run(job("owner"), subject(), 2.5)

    assert (first.outcome, second.outcome) == (Outcome.CRM_ERROR, Outcome.CRM_ERROR)
    assert len(script.requests) == 1
    assert "quota is used up, and was not asked" in second.problem
    assert "asks to wait 30 seconds" in second.problem


async def test_it_is_asked_when_the_wait_fits_into_the_callers_time() -> None:
    script = Script(Response(200, b"GOLD", {"ratelimit-remaining": "0", "ratelimit-reset": "1"}), GOLD)
    made = lookups(script)

    first = await made.run(job(), subject(), 2.5)
    second = await made.run(job("owner"), subject(), 2.5)

    assert (first.outcome, second.outcome) == (Outcome.FOUND, Outcome.FOUND)
    assert script.began_at[1] - script.began_at[0] >= 1
