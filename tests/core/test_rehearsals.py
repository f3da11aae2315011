"""A dry run decides as a real call would."""

import pytest

from router.core import events
from router.core.decisions import Decision, Ending
from router.core.lookups import Answer, Asked, AskedBy, CacheState, Value
from router.core.plans import TenantPlan
from router.core.rehearsals import begin, finish, hear, pretended_call, read_value
from router.core.rules import Outcome
from tests.core.makers import LIMITS, at, found, greeting_plan, plan


def rehearsed(
    plan: TenantPlan,
    answer: Answer | None,
    caller: str = "0791234567",
    entry: str = "",
    digits: str | None = None,
) -> Decision:
    call, job = begin(pretended_call(plan, "0445550001", caller, entry, digits, "try-1"), plan, at(0), LIMITS)
    assert (job is not None) is (answer is not None)
    if answer is not None:
        call = hear(call, events.LookupAnswered(1, Asked(CacheState.MISSING, answer)), at(0.1), LIMITS)
    return finish(call)


def test_a_rehearsal_gives_the_decision_of_a_real_call() -> None:
    decision = rehearsed(plan(), found())

    assert (decision.asked_place, decision.asked_why, decision.value) == (
        "route-queue,gold,1",
        "line 1",
        "gold",
    )
    assert (decision.ending, decision.won_claim, decision.reached_place) == (Ending.REHEARSED, False, "")


def test_a_rehearsal_without_a_number_is_a_withheld_one() -> None:
    assert rehearsed(plan(), None, caller="").outcome is Outcome.WITHHELD


@pytest.mark.parametrize(
    ("digits", "answer", "why", "outcome"),
    [
        pytest.param(None, None, "greeting", None, id="the greeting was not heard yet"),
        pytest.param("", None, "default", Outcome.NO_DIGITS, id="nothing was keyed"),
        pytest.param("4711", found(), "line 1", Outcome.FOUND, id="digits were keyed"),
    ],
)
def test_a_greeting_is_rehearsed_in_parts(
    digits: str | None, answer: Answer | None, why: str, outcome: Outcome | None
) -> None:
    decision = rehearsed(greeting_plan(), answer, entry="account", digits=digits)

    assert (decision.asked_why, decision.outcome) == (why, outcome)


def test_the_question_of_a_rehearsal_is_that_of_a_real_call() -> None:
    event = pretended_call(greeting_plan(), "0445550001", "", "account", "4711", "try-1")

    _, job = begin(event, greeting_plan(), at(0), LIMITS)

    assert job is not None
    assert (job.key.by, job.key.subject, job.budget_seconds) == (AskedBy.DIGITS, "4711", 2.5)


def test_a_silent_crm_can_be_rehearsed() -> None:
    call, _ = begin(
        pretended_call(plan(), "0445550001", "0791234567", "", None, "try-1"), plan(), at(0), LIMITS
    )

    call = hear(call, events.TimerEnded(1, events.TimerName.LOOKUP), at(2.5), LIMITS)

    assert finish(call).outcome is Outcome.TIMEOUT


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        ('"42"', "42"),
        ('["a", 1]', ["a", 1]),
        ("gold", "gold"),
        ("caf\udce9", "caf\udce9"),  # as a terminal of another encoding hands it over
    ],
)
def test_a_pretended_value_is_read_as_a_crm_s_json_or_stays_a_text(text: str, value: Value) -> None:
    assert read_value(text) == value
