"""One look-up on virtual time: its deadline, its attempts, and what an admin is told."""

import asyncio
from typing import Any

import pytest
import structlog

from router.core.lookups import Answer, LookupJob
from router.core.rules import Outcome
from tests.workers.makers import job, json, lookups, settings, subject, text
from tests.workers.senders import FOR_EVER, Script
from workers.accounts import Subject
from workers.connectors.steps import Connector, Findings, Question, Request, Response, Steps
from workers.errors import LookupRefused, LookupUnavailable
from workers.lookup import ANSWERING_SECONDS

DOWN = LookupUnavailable("the CRM could not be reached: no connection")
GOLD = text("GOLD")


def busy(seconds: str, **headers: str) -> Response:
    return Response(429, b"", {"retry-after": seconds, **headers})


async def run(script: Script, seconds: float = 2.5, made: LookupJob | None = None, **given: Any) -> Answer:
    asked = subject(made=settings(**given))
    return await lookups(script, jitter=lambda: 1.0).run(made or job(), asked, seconds)


async def test_found() -> None:
    answer = await run(Script((0.25, GOLD)))

    assert answer.outcome is Outcome.FOUND
    assert answer.records[0].values == {"status": "GOLD"}
    assert answer.request == "GET https://crm.example/lookup?field_name=status"
    assert (answer.attempts, answer.crm_seconds, answer.worker) == (1, 0.25, "worker-1")


async def test_not_found() -> None:
    answer = await run(Script(text("", status=404)))

    assert (answer.outcome, answer.problem) == (Outcome.NOT_FOUND, "")


async def test_found_with_something_to_tell() -> None:
    answer = await run(Script(json('{"Status": 1}')))

    assert answer.outcome is Outcome.FOUND
    assert "did you mean `Status`" in answer.problem


# What is tried again: each of these, and then it works
@pytest.mark.parametrize(
    "first",
    [
        DOWN,
        text("x", status=500),
        text("x", status=502),
        text("x", status=503),
        text("x", status=504),
        busy("0"),
    ],
)
async def test_tried_again(first: Any) -> None:
    answer = await run(Script(first, GOLD))

    assert (answer.outcome, answer.attempts) == (Outcome.FOUND, 2)


@pytest.mark.parametrize("status", [400, 401, 403, 405, 408, 409, 410, 422, 501, 505])
async def test_never_tried_again(status: int) -> None:
    answer = await run(Script(text("no", status=status), GOLD))

    assert (answer.outcome, answer.attempts) == (Outcome.CRM_ERROR, 1)
    assert str(status) in answer.problem


async def test_what_cannot_get_better_is_not_tried_again() -> None:
    answer = await run(Script(LookupRefused("the CRM's certificate is not valid"), GOLD))

    assert (answer.outcome, answer.attempts) == (Outcome.CRM_ERROR, 1)
    assert answer.problem == "the CRM's certificate is not valid"


async def test_a_status_that_means_not_found_is_not_tried_again() -> None:
    answer = await run(Script(text("", status=500), GOLD), not_found_statuses=[500])

    assert (answer.outcome, answer.attempts) == (Outcome.NOT_FOUND, 1)


async def test_pauses_double_and_end_with_the_deadline() -> None:
    script = Script(DOWN)

    answer = await run(script)

    pauses = [
        round(later - sooner, 3) for sooner, later in zip(script.began_at, script.began_at[1:], strict=False)
    ]
    assert pauses == [0.1, 0.2, 0.4, 0.8]
    assert answer.outcome is Outcome.CRM_ERROR
    assert answer.problem == "the CRM could not be reached: no connection (asked 5 times)"


async def test_pauses_have_jitter() -> None:
    script = Script(DOWN, GOLD)

    await lookups(script, jitter=lambda: 0.0).run(job(), subject(), 2.5)

    assert script.began_at[1] - script.began_at[0] == pytest.approx(0.05)


async def test_retry_after_is_waited() -> None:
    script = Script(busy("2"), GOLD)

    answer = await run(script)

    assert answer.outcome is Outcome.FOUND
    assert script.began_at[1] - script.began_at[0] == pytest.approx(2.0)


@pytest.mark.parametrize(
    "response",
    [
        busy("60"),
        busy("Wed, 01 Jul 2026 10:01:00 GMT", date="Wed, 01 Jul 2026 10:00:00 GMT"),
    ],
)
async def test_a_pause_past_the_deadline_is_not_begun(response: Response) -> None:
    script = Script(response, GOLD)

    answer = await run(script)

    assert asyncio.get_running_loop().time() == 0.0
    assert (answer.outcome, answer.attempts) == (Outcome.CRM_ERROR, 1)
    assert answer.problem == "the CRM says that it is asked too often (429), and asks to wait 60 seconds"


@pytest.mark.parametrize(
    "asked",
    [
        *("", "soon", "-5", "1e9", "9" * 30, "²"),
        "Wed, 01 Jul 2026 10:01:00 GMT",
        "7 Nov 6666666666 1:05 GMT",
        "Wed, 01 Jul 2026 10:01:00 +99999999999999999",
    ],
)
async def test_a_retry_after_without_sense_is_not_followed(asked: str) -> None:
    assert (await run(Script(busy(asked), GOLD))).attempts == 2


# Time


async def test_silence_ends_just_before_the_deadline() -> None:
    script = Script((FOR_EVER, GOLD))

    answer = await run(script)

    assert answer.outcome is Outcome.TIMEOUT
    assert asyncio.get_running_loop().time() == pytest.approx(2.5 - ANSWERING_SECONDS)
    assert script.seconds == [1.5, pytest.approx(2.5 - ANSWERING_SECONDS - 1.6)]
    assert answer.problem == "the CRM did not answer within 2.5 seconds (asked 2 times)"
    assert answer.crm_seconds == pytest.approx(2.35)


async def test_a_lost_answer_is_asked_for_again() -> None:
    """A firewall that forgot the connection drops everything in silence; another attempt is another one."""
    answer = await run(Script((FOR_EVER, GOLD), (0.1, GOLD)))

    assert (answer.outcome, answer.attempts) == (Outcome.FOUND, 2)


async def test_an_attempt_never_outlasts_the_deadline() -> None:
    script = Script((FOR_EVER, GOLD))

    await run(script, 0.6)

    assert script.seconds == [pytest.approx(0.55)]


async def test_no_time_left_at_all() -> None:
    answer = await run(Script((FOR_EVER, GOLD)), 0.0)

    assert answer.outcome is Outcome.TIMEOUT


async def test_a_timeout_tells_what_failed_before() -> None:
    answer = await run(Script((1.0, text("", status=503)), (FOR_EVER, GOLD)), 2.0)

    assert answer.outcome is Outcome.TIMEOUT
    assert "did not answer within" in answer.problem or "before that, the CRM says" in answer.problem


async def test_a_sender_that_ignores_its_limit_is_cut_off() -> None:
    class Hanging:
        async def send(self, request: Request, seconds: float) -> Response:
            await asyncio.sleep(FOR_EVER)
            return GOLD

    answer = await lookups(Hanging()).run(job(), subject(), 2.5)

    assert answer.outcome is Outcome.TIMEOUT


async def test_cancelling_is_not_swallowed() -> None:
    task = asyncio.create_task(run(Script((FOR_EVER, GOLD))))
    await asyncio.sleep(0.1)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


# Secrets

SECRET_SETTINGS: dict[str, Any] = {
    "url": "https://us3r:p4ssword@crm.example/hooks/T0KEN4567890abcdefghij/x?key=q-s3cret&flag",
    "parameters": {"site": "text:l1teral", "caller": "caller"},
    "headers": {"X-Site": "h3ader"},
    "auth": "basic",
    "username": "bob",
    "password": "b4sic",
}
SECRETS = [
    "us3r",
    "p4ssword",
    "T0KEN4567890abcdefghij",
    "q-s3cret",
    "l1teral",
    "h3ader",
    "b4sic",
    "Ym9iOmI0c2lj",
]


async def test_the_request_is_shown_without_secrets() -> None:
    answer = await run(Script(GOLD), **SECRET_SETTINGS)

    assert answer.request == (
        "GET https://crm.example/hooks/***/x?key=***&flag=***&field_name=status&site=***&caller=%2B33142345001"
    )


@pytest.mark.parametrize("body", ["form", "json"])
async def test_a_body_is_shown_without_secrets(body: str) -> None:
    answer = await run(Script(GOLD), **SECRET_SETTINGS, method="POST", body=body)

    assert "field_name" in answer.request
    assert "33142345001" in answer.request
    assert not [secret for secret in SECRETS if secret in answer.request]


@pytest.mark.parametrize("status", [400, 401, 500])
async def test_a_crm_that_repeats_secrets_does_not_tell_them(status: int) -> None:
    answer = await run(Script(text(" ".join(SECRETS), status=status)), **SECRET_SETTINGS)

    assert answer.outcome is Outcome.CRM_ERROR
    assert not [secret for secret in SECRETS if secret in answer.problem]


async def test_a_secret_is_masked_before_the_text_is_cut() -> None:
    said = "x" * 110 + " l0ng-and-s3cret"

    answer = await run(Script(text(said, status=401)), auth="bearer", token="l0ng-and-s3cret")

    assert "l0ng" not in answer.problem
    assert answer.problem.endswith("***")


async def test_a_crms_words_are_cut_and_cleaned() -> None:
    answer = await run(Script(text("bad\r\n\x00" + "x" * 9_000, status=400)))

    assert answer.problem.startswith("the CRM says the request is wrong (400); it said: bad xxx")
    assert len(answer.problem) < 250
    assert answer.problem.isprintable()


async def test_a_very_short_secret_is_not_told_by_what_is_masked() -> None:
    answer = await run(Script(text("bad pin 7 of user", status=401)), auth="bearer", token="7")

    assert answer.problem == "the CRM refused the user name or password, or the token (401)"


async def test_a_hostile_address_is_shown_on_one_line() -> None:
    answer = await run(Script(GOLD), made=job("a\r\nb" * 900))

    assert answer.request.isprintable()
    assert len(answer.request) <= 500


# Mistakes of ours, and connectors of several requests


def stepping(*steps: Any) -> Subject:
    def find(_: Any, question: Question) -> Steps[Findings]:
        for number, step in enumerate(steps):
            response = yield Request(name=f"step{number}", url=f"https://crm.example/{number}")
            if isinstance(step, BaseException):
                raise step
            assert response.status
        return Findings()

    return subject(Connector(slug="stepping", settings=dict, find=find), {})


async def test_each_step_gets_its_own_response() -> None:
    script = Script(GOLD)

    answer = await lookups(script).run(job(), stepping(1, 2, 3), 2.5)

    assert [request.name for request in script.requests] == ["step0", "step1", "step2"]
    assert (answer.outcome, answer.attempts) == (Outcome.NOT_FOUND, 3)
    assert answer.request == "GET https://crm.example/2"


async def test_the_failing_step_is_named() -> None:
    answer = await lookups(Script(GOLD)).run(job(), stepping(1, LookupRefused("no such module")), 2.5)

    assert answer.problem == "step1: no such module"


async def test_all_steps_share_one_deadline() -> None:
    script = Script((1.0, GOLD))

    answer = await lookups(script).run(job(), stepping(1, 2, 3), 2.5)

    assert (answer.outcome, len(script.requests)) == (Outcome.TIMEOUT, 3)


async def test_a_mistake_of_a_connector_is_an_outcome() -> None:
    with structlog.testing.capture_logs() as logs:
        answer = await lookups(Script(GOLD)).run(job(), stepping(KeyError("x")), 2.5)

    assert answer.outcome is Outcome.CRM_ERROR
    assert "a mistake of its own" in answer.problem
    assert (logs[0]["event"], logs[0]["tenant"], logs[0]["uniqueid"]) == ("lookup.broken", "acme", "pbx-1.1")


async def test_a_connector_that_never_ends_is_ended() -> None:
    answer = await lookups(Script(GOLD)).run(job(), stepping(*range(1000)), 2.5)

    assert answer.outcome is Outcome.CRM_ERROR
    assert "did not end" in answer.problem
