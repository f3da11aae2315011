"""`crmroute route`: the real evaluation, with a worker's answer or a pretended one."""

from pathlib import Path

import pytest

from router.core.lookups import Answer, Record
from router.core.rehearsals import read_value
from router.core.rules import Outcome
from tests.cli.conftest import Crmroute, Ran
from tests.cli.site import answering_worker

CALL = ("--tenant", "acme", "--to", "0140000001", "--from", "0612345678")


@pytest.fixture
def route(crmroute: Crmroute, site: Path) -> Crmroute:
    def run(*words: str) -> Ran:
        return crmroute("route", "--config", str(site), *words)

    return run


@pytest.mark.parametrize(
    ("words", "destination"),
    [
        (("--value", "Gold"), "queue gold"),
        (("--value", "11"), "queue silver"),
        (("--value", "9"), "ivr main"),
        (("--value", "Gold", "--value", "gold"), "queue gold"),
        (("--value", "Gold", "--value", "Tin"), "queue several"),
        (("--outcome", "several"), "queue several"),
        (("--outcome", "not_found"), "playback welcome"),
        (("--outcome", "crm_error"), "ivr main"),
        (("--outcome", "timeout"), "ivr main"),
    ],
)
def test_pretended_answer_decides(route: Crmroute, words: tuple[str, ...], destination: str) -> None:
    ran = route(*CALL, *words)

    assert ran.code == 0
    assert f"→ {destination}" in ran.out
    assert "pretended" in ran.err


def test_trace_is_told_in_sentences(route: Crmroute) -> None:
    ran = route(*CALL, "--value", "Gold")

    assert "understood as +33612345678 (FR)" in ran.out
    assert "✓ Line 1 holds" in ran.out
    assert "This was a dry run" in ran.out


def test_caller_who_withholds_is_decided_without_the_crm(route: Crmroute) -> None:
    ran = route("--tenant", "acme", "--to", "0140000001", "--from", "anonymous", "--json")

    assert ran.code == 0
    assert ran.json["decision"]["outcome"] == "withheld"
    assert ran.json["lookup_from"] == "not asked"


@pytest.mark.parametrize(
    ("at", "destination"),
    [
        ("2026-11-23T08:59", "voicemail 100"),
        ("2026-11-23T09:00", "queue open"),
        ("2026-11-23T08:00Z", "queue open"),
    ],
)
def test_moment_is_the_tenants_own_time(route: Crmroute, at: str, destination: str) -> None:
    ran = route("--tenant", "acme", "--to", "0140000002", "--from", "0612345678", "--at", at, "--json")

    assert ran.json["destination"] == destination


def test_entry_greets_first_and_decides_by_digits(route: Crmroute) -> None:
    entry = ("--tenant", "acme", "--entry", "account", "--from", "0612345678")

    assert "→ the greeting" in route(*entry).out
    assert "→ queue gold" in route(*entry, "--digits", "4711", "--value", "12").out
    assert "→ queue no-digits" in route(*entry, "--digits", "").out


def test_worker_is_asked_through_the_queue(route: Crmroute, redis_url: str) -> None:
    answer = Answer(Outcome.FOUND, (Record({"status": "Gold"}, name="Anna"),), worker="worker-7")

    with answering_worker(redis_url, answer):
        ran = route(*CALL, "--json")

    assert ran.code == 0
    assert ran.json["lookup_from"] == "worker"
    assert ran.json["destination"] == "queue gold"
    assert ran.json["decision"]["lookup"]["worker"] == "worker-7"


def test_answer_may_come_from_the_cache(route: Crmroute, redis_url: str) -> None:
    with answering_worker(redis_url, Answer(Outcome.FOUND, (Record({"status": "Gold"}),))):
        route(*CALL)

    ran = route(*CALL, "--json")

    assert ran.json["lookup_from"] == "cache"
    assert ran.json["decision"]["lookup"]["cache"] == "fresh"


def test_no_worker_is_said_plainly(route: Crmroute) -> None:
    ran = route(*CALL)

    assert ran.code == 3
    assert "No worker answered" in ran.err
    assert "--value" in ran.err
    assert "→ ivr main" in ran.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tenant", "acmee", "--to", "1", "--from", "2"), "Did you mean `acme`?"),
        (("--tenant", "acme", "--from", "2"), "--entry"),
        (("--tenant", "broken", "--to", "1", "--from", "2"), "broken.toml:1"),
        ((*CALL, "--outcome", "lost"), "not_found"),
        ((*CALL, "--at", "noon"), "2026-11-23T18:30"),
    ],
)
def test_wrong_words_are_answered_with_the_right_ones(
    route: Crmroute, site: Path, words: tuple[str, ...], said: str
) -> None:
    (site / "tenants" / "broken.toml").write_text('kountry = "FR"')

    ran = route(*words)

    assert ran.code == 2
    assert said in ran.err


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Gold", "Gold"),
        ("42", 42),
        ('"42"', "42"),
        ("true", True),
        ("null", None),
        ('["a"]', ["a"]),
        ('{"a":1}', '{"a":1}'),
    ],
)
def test_pretended_value_is_read_as_json_or_text(text: str, value: object) -> None:
    assert read_value(text) == value
