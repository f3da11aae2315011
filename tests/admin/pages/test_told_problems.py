"""What workers, routers and links tell went wrong is told in French; a CRM's own words stay as they are."""

import re
from collections.abc import AsyncIterator
from html import escape
from typing import Any

import msgspec
import pytest

from router.admin.pages.languages import PROBLEM, Language
from router.admin.pages.problem_sentences import AROUND, BEFORE, BEHIND, HELD
from router.admin.pages.rendering import Pages, Reader
from router.admin.pages.sentences import PLACE, SENTENCE_MOST
from router.admin.pages.told import WordingOf
from router.ami.errors import CertificateRefused
from router.core.crm_states import AskedFor, CrmCondition, CrmState, LastAsked
from router.core.decisions import LookupTrace
from router.core.differences import differences
from router.core.errands import Checked, CheckedStep, ErrandFailed, StepState, Tried
from router.core.faults import MENDS, Fault, Step
from router.core.identities import ServerName
from router.core.lookups import Answer
from router.core.refusals import Refusal, Refused, refusal_text
from router.core.rules import Outcome
from router.core.statuses import ServerStatus
from router.records import decisions
from router.records.configuration import Configuration
from router.store.limits import stale_answer
from router.store.memory import MemoryStore
from tests.admin.api import site_of
from tests.admin.pages.browser import Browser, open_browsers
from tests.admin.pages.telling import status
from tests.admin.pages.told_sentences import catalogue
from tests.records.makers import JANE, Clock, decision, tenant
from tests.workers.makers import job, json, lookups, settings, subject, text
from tests.workers.senders import Script
from workers.connectors.steps import Response
from workers.errors import LookupUnavailable
from workers.guard import METADATA, forbidden
from workers.http_errors import translated

ENGLISH, FRENCH = Language("en"), Language("fr")
HOSTILE = r"(.*)+[a-z]\1$ <script>alert(1)</script> {0} {problem} {{ 7*7 }} %s &amp; “it’s”"


MEND = "Set host to a name in its subjectAltName, or have one made that has this name there."

# As workers put it together


async def problem_of(*brought: Any, **given: Any) -> str:
    """Of a real look-up whose CRM answers so."""
    looked_up = lookups(Script(*brought), jitter=lambda: 0.0)
    answer = await looked_up.run(job(), subject(made=settings(**given)), 0.3)
    return answer.problem


@pytest.mark.parametrize(
    ("brought", "french"),
    [
        (text("Oops; no", status=400), "le CRM dit que la requête est fausse (400)~; il a dit~: Oops; no"),
        (text("", status=401), "le CRM a refusé l’identifiant ou le mot de passe, ou le jeton (401)"),
        (text("", status=418), "le CRM a répondu par le statut 418 I'm a Teapot"),
        (text("", status=499), "le CRM a répondu par le statut 499"),
        (
            Response(429, b"", {"retry-after": "60"}),
            "le CRM dit qu’il est interrogé trop souvent (429), et demande d’attendre 60 secondes",
        ),
        (
            json('{"Status": 1}'),
            "la fiche n’a pas de champ «~status~» (vouliez-vous dire «~Status~»~?)",
        ),
        (text("<html>"), "l’adresse a répondu par une page web, pas par une valeur"),
    ],
)
async def test_a_look_up_s_problem_is_told_in_french(brought: Response, french: str) -> None:
    problem = await problem_of(brought)

    assert FRENCH.problem(problem) == french.replace("~", "\u00a0")
    assert ENGLISH.problem(problem) == problem


async def test_attempts_and_time_are_told_in_french() -> None:
    silent = await problem_of((1e9, text("GOLD")))
    failing = await problem_of(LookupUnavailable("the CRM could not be reached: no connection"))

    assert FRENCH.problem(silent) == "le CRM n’a pas répondu en 0,3 secondes"
    told = "le CRM n’a pas pu être joint\u00a0: pas de connexion \\(interrogé [2-9] fois\\)"
    assert re.fullmatch(told, FRENCH.problem(failing))


@pytest.mark.parametrize(
    ("english", "french"),
    [
        (
            "no answer within 6.0 seconds; before that, the CRM failed (500) (asked 4 times)",
            "pas de réponse en 6,0 secondes~; avant cela, le CRM a échoué (500) (interrogé 4 fois)",
        ),
        (
            "search: signing in: the CRM failed (500); it said: find: the CRM failed (500)",
            "recherche~: à la connexion~: le CRM a échoué (500)~; il a dit~: find: the CRM failed (500)",
        ),
        (
            "the CRM has no such field, or hides it from this user; the CRM has no module `b`",
            "le CRM n’a pas ce champ, ou le cache à cet utilisateur~; le CRM n’a pas de module «~b~»",
        ),
        (
            "the CRM has no module `a`; the CRM has no module `b`",
            "le CRM n’a pas de module «~a~»~; le CRM n’a pas de module «~b~»",
        ),
        ("the connection was lost", "la connexion a été perdue"),
        ("the redirect failed: No such channel", "la redirection a échoué~: No such channel"),
        ("record 2 changed last, at 2026-05-01", "la fiche 2 a changé en dernier, le 2026-05-01"),
    ],
)
def test_problems_within_problems_are_told_in_french(english: str, french: str) -> None:
    assert FRENCH.problem(english) == french.replace("~", "\u00a0")


def test_problems_that_the_code_makes_are_told_in_french() -> None:
    refused = Refused(Refusal.OPEN, failures=3, wait_seconds=9)
    failure = Answer(Outcome.CRM_ERROR, problem="the CRM failed (500)")
    refused_port = translated(ConnectionRefusedError(111, "Connection refused")).problem
    certificate = CertificateRefused("the certificate is not for pbx.example", MEND)

    told = [
        FRENCH.problem(refusal_text(refused)),
        FRENCH.problem(stale_answer(failure, failure).problem),
        FRENCH.problem(refused_port),
        FRENCH.problem(str(certificate)).partition(" (Mettez dans host")[0],
        FRENCH.problem(forbidden(METADATA).problem).partition(", que ce système")[0],
    ]

    assert told == [
        "il n’a pas été interrogé, car il a échoué 3 fois\u00a0; prochain essai dans 9\u00a0s",
        "une ancienne réponse sert, car l’interroger de nouveau a échoué\u00a0: le CRM a échoué (500)",
        "la liaison avec le CRM a échoué (rien n’écoute à cet hôte et ce port)",
        "le certificat n’est pas pour pbx.example",
        "l’adresse mène à l’adresse de métadonnées d’un cloud",
    ]


# Hostile words


@pytest.mark.parametrize(
    "template", [text for text in catalogue(PROBLEM) if PLACE.search(text) and HELD not in text]
)
def test_values_come_through_as_they_are(template: str) -> None:
    values = {name: f"{HOSTILE}{number}" for number, name in enumerate(PLACE.findall(template))}
    english = PLACE.sub(lambda place: values[place[1]], template)

    french = FRENCH.problem(english)

    expected = PLACE.sub(lambda place: values[place[1]], catalogue(PROBLEM)[template])
    points = str.maketrans(",", ".")  # a number's point becomes a comma
    assert french.translate(points) == expected.translate(points)


@pytest.mark.parametrize(
    "said",
    [
        HOSTILE,
        "the CRM failed (500)",
        "x; it said: the CRM failed (500)",
        "search: the CRM failed (500) (asked 2 times) and more",
        "{quoted}",
        "\\g<0>",
        "a\nb\x00c",
    ],
)
@pytest.mark.parametrize("behind", ["", " (asked 3 times)", ", and asks to wait 5 seconds (asked 3 times)"])
def test_a_crm_s_own_words_stay_as_they_are(said: str, behind: str) -> None:
    french = FRENCH.problem(f"find: the CRM failed (500); it said: {said}{behind}")

    assert french.startswith(f"recherche\u00a0: le CRM a échoué (500)\u00a0; il a dit\u00a0: {said}")
    assert ("fois" in french) == bool(behind)


def test_only_the_last_attempts_are_the_worker_s_own() -> None:
    french = FRENCH.problem("the CRM failed (500); it said: busy (asked 2 times) (asked 3 times)")

    assert french.endswith("il a dit\u00a0: busy (asked 2 times) (interrogé 3 fois)")


@pytest.mark.parametrize(
    "english",
    [
        "",
        "nobody's sentence",
        "nobody's: sentence; and (another)",
        "half a character \ud800; it said: \udfff",
        "the CRM failed (500); it said: \ud800",
        "the CRM failed (500); it said: ".ljust(SENTENCE_MOST + 1, "x"),
        ": ".join(["search"] * 300),
        "; ".join(["nobody's sentence"] * 90),
    ],
)
def test_what_is_not_known_stays_as_it_is(english: str) -> None:
    assert FRENCH.problem(english) == english


def test_every_wrapper_is_known_to_the_code() -> None:
    """One that begins with its problem is told only where the code knows when to take it off."""
    ahead = {one for one in catalogue(PROBLEM) if HELD in one and not one.startswith(HELD)}

    assert {one for one in catalogue(PROBLEM) if one.startswith(HELD)} == {AROUND, *BEHIND}
    assert all(one.endswith(HELD) for one in ahead)
    assert BEFORE in ahead


# Pages


@pytest.fixture
async def browser(configuration: Configuration, store: MemoryStore, clock: Clock) -> AsyncIterator[Browser]:
    """Of a French reader, who sees the servers, too."""
    await configuration.apply(tenant(), "first", JANE, managed_by="page")
    async with open_browsers(site_of(configuration, store, clock), {"olga": ("provider", None)}) as opened:
        browser = await opened("olga")
        browser.client.headers["accept-language"] = "fr"
        yield browser


def fragment(template: str, **told: Any) -> str:
    return Pages().fragment(template, Reader(language=FRENCH, identity=None, csrf="", path="/"), **told)


async def test_a_call_s_trace_is_french_and_quotes_the_crm(
    browser: Browser, configuration: Configuration
) -> None:
    said = "<b>no such thing</b>"
    trace = LookupTrace(
        "crm", "number", "+33", problem=f"find: the CRM failed (500); it said: {said} (asked 2 times)"
    )
    failed = decision("pbx1-7.1", outcome=Outcome.CRM_ERROR, lookup=trace, problem="the connection was lost")
    async with configuration.database.writing() as connection:
        await decisions.write(connection, [failed])

    page = (await browser.get("/t/acme/calls/pbx1-7.1")).replace("\u00a0", " ")

    told = f"recherche : le CRM a échoué (500) ; il a dit : {escape(said)} (interrogé 2 fois)"
    assert f"Le CRM n’a pas pu répondre : {told}." in page
    assert "À noter : la connexion a été perdue." in page
    assert said not in page


def test_a_connection_test_that_failed_is_french() -> None:
    problem = "user: the CRM refused the user name or password, or the token (401); it said: <i>Denied</i>"
    failed = CheckedStep(Step.CREDENTIALS, StepState.FAILED, problem, MENDS[Fault.CREDENTIALS])

    page = fragment("integration-reply.html", reply=Checked((failed,), 2, 0.5))

    assert (
        "utilisateur\u00a0: le CRM a refusé l’identifiant ou le mot de passe, ou le jeton (401)\u00a0; "
        "il a dit\u00a0: &lt;i&gt;Denied&lt;/i&gt;"
    ) in page


def test_a_number_that_was_tried_and_an_errand_that_failed_are_french() -> None:
    problem = "the CRM did not answer within 2.5 seconds (asked 2 times)"
    answer = Answer(Outcome.TIMEOUT, problem=problem)
    failed = ErrandFailed(Fault.TIMEOUT, problem, MENDS[Fault.TIMEOUT])

    for page in (
        fragment("integration-reply.html", reply=Tried(answer, (), 2, 2.5)),
        fragment("integration-reply.html", reply=failed),
    ):
        assert "le CRM n’a pas répondu en 2,5 secondes (interrogé 2 fois)" in page


async def test_an_integration_s_state_is_french() -> None:
    asked = LastAsked(purpose=AskedFor.TEST, age_seconds=1, since_seconds=1, problem="x")
    state = CrmState(
        condition=CrmCondition.FAILING,
        problem="the CRM no longer takes the sign-in (invalid_grant)",
        asked=asked,
    )

    page = fragment(
        "integration-state.html",
        state=state,
        conditions={CrmCondition.FAILING: "x"},
        purposes={},
        asked_ago="",
        since="",
        base="",
    )

    assert "le CRM n’accepte plus la connexion (invalid_grant)" in page


async def test_a_server_s_link_that_is_down_is_told_in_french(browser: Browser, store: MemoryStore) -> None:
    down = ServerStatus(
        server=ServerName("pbx2"),
        is_connected=False,
        since_seconds=30.0,
        problem="no connection in 2.5 s",
    )
    await store.statuses.put(status(servers=(down,)))

    page = await browser.get("/servers")

    assert "pas de connexion en 2,5\u00a0s" in page


async def test_differences_tell_truths_and_destinations_in_french(
    browser: Browser, configuration: Configuration
) -> None:
    former = tenant()
    line = msgspec.structs.replace(former.rules[0].lines[0], value="yes", voicemail=True)
    rule = msgspec.structs.replace(former.rules[0], lines=(line, *former.rules[0].lines[1:]))
    await configuration.apply(
        msgspec.structs.replace(former, rules=(rule, *former.rules[1:])), "", JANE, managed_by="page"
    )

    page = await browser.get("/t/acme/settings/publications/2")

    assert re.search("messagerie vocale\u00a0: (non → )?oui", page)
    assert re.search("valeur\u00a0: \\S+ → yes", page)  # the rule's own value


def test_a_destination_that_was_added_is_told_in_french() -> None:
    added = {"default": {"destination": "queue", "option": "queue", "voicemail": True}}
    own = {"settings": {"destination": "queue", "is_new": True}}

    (destination,) = differences({}, added, WordingOf(FRENCH))
    (setting,) = differences({}, own, WordingOf(FRENCH))

    assert destination.after == "destination file d’attente, option queue, messagerie vocale oui"
    assert setting.after == "destination queue, is_new oui"
