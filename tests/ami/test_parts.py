"""The small parts of a link: resync, versions, heartbeat, claims, pauses."""

import time

import pytest

from router.ami.claims import WonClaims
from router.ami.errors import AnswerMissing, LinkLost
from router.ami.heartbeat import AsteriskClock, beat
from router.ami.messages import AmiMessage
from router.ami.outbound import ActionHeaders
from router.ami.pauses import Pauses
from router.ami.resync import Resync
from router.ami.session import Boot
from router.ami.versions import judge
from router.core.events import AskedFor, AsteriskEvent, CallAsking, CallerHungUp, CallParked, CallTaken
from router.core.identities import ChannelName, ServerName, TenantId, Uniqueid
from tests.ami.conftest import ami_settings

ONE = Uniqueid("pbx-a-1.1")
KEY = (ChannelName("PJSIP/a-1"), 1)


def parked(uniqueid: Uniqueid = ONE, parking: int = 1, *, is_resynced: bool = True) -> CallParked:
    return CallParked(
        server=ServerName("pbx-a"),
        channel=ChannelName("PJSIP/a-1"),
        uniqueid=uniqueid,
        linkedid=uniqueid,
        tenant=TenantId("acme"),
        did="1",
        entry="",
        caller_number="2",
        presentation="allowed",
        caller_name="",
        parking=parking,
        hold_seconds=6.0,
        asked=AskedFor.NOT_ASKED,
        is_resynced=is_resynced,
    )


# Told before the list came | in the list | who waits: (parking, is from the list) or nobody
RESYNC_TABLE: dict[str, tuple[list[AsteriskEvent], list[CallParked], list[tuple[int, bool]]]] = {
    "listed only": ([], [parked()], [(1, True)]),
    "told and listed": ([parked(is_resynced=False)], [parked()], [(1, True)]),
    "told behind the list": ([parked(is_resynced=False)], [], [(1, False)]),
    "left before the list was read": ([CallerHungUp(1)], [parked()], []),
    "landed before the list was read": ([CallTaken(1, "a/b/1")], [parked()], []),
    "told, left": ([parked(is_resynced=False), CallerHungUp(1)], [], []),
    "asked, parked again, listed late": (
        [CallAsking(1), parked(parking=2, is_resynced=False)],
        [parked(parking=1)],
        [(2, False)],
    ),
    "asked, parked again, listed": (
        [CallAsking(1), parked(parking=2, is_resynced=False)],
        [parked(parking=2)],
        [(2, True)],
    ),
    "late news of an earlier parking": ([CallAsking(1)], [parked(parking=2)], [(2, True)]),
}


@pytest.mark.parametrize("case", RESYNC_TABLE)
def test_events_are_laid_over_the_list(case: str) -> None:
    told, rows, waiting = RESYNC_TABLE[case]
    resync = Resync()
    for event in told:
        resync.note(ONE, event)

    merged = resync.merge(rows)

    assert [(call.parking, call.is_resynced) for call in merged] == waiting


def test_resync_keeps_nothing_after_the_list() -> None:
    resync = Resync()
    resync.merge([])

    resync.note(ONE, parked())

    assert resync.merge([]) == ()


@pytest.mark.parametrize(
    ("version", "is_served", "is_sound"),
    [
        ("22.10.1", True, True),
        ("22.10.1~dfsg+~cs6.16.60671435-1", True, True),
        ("22.10.1+dfsg+~cs6.17.60671434-1", True, True),
        ("22.11.0", True, True),
        ("20.20.1", True, True),
        ("23.0.0", True, True),
        ("24.1", True, True),
        ("22.10.0", True, False),
        ("22.9.3", True, False),
        ("22.2.0~rc2", True, False),
        ("20.20.0", True, False),
        ("20.9", True, False),
        ("21.99.9", True, False),
        ("certified/20.7-cert3", True, False),
        ("GIT-22-a1b2c3d", True, False),
        ("", True, False),
        ("18.26.4", False, False),
        ("certified/18.9-cert16", False, False),
        ("1.8.32", False, False),
    ],
)
def test_versions_are_judged(version: str, is_served: bool, is_sound: bool) -> None:
    verdict = judge(version)

    assert verdict.is_served == is_served
    assert (verdict.warning == "") == is_sound


# former life | this life | restarted
@pytest.mark.parametrize(
    ("former", "current", "is_restart"),
    [
        (Boot(), Boot("2026-11-23 10:00:00", 5), False),
        (Boot("a", 100), Boot("a", 160), False),
        (Boot("a", 100), Boot("b", 160), True),
        (Boot("a", 100), Boot("a", 99), True),
        (Boot("", 100), Boot("", 3), True),
        (Boot("", None), Boot("", None), False),
        (Boot("a", 100), Boot("", None), False),
    ],
)
def test_restart_is_known_by_start_or_uptime(former: Boot, current: Boot, is_restart: bool) -> None:
    assert current.is_restart_of(former) == is_restart


def test_clock_is_asterisks_at_half_the_round_trip() -> None:
    clock = AsteriskClock()
    sent_at = time.monotonic()

    clock.measure("1700000000.500000", sent_at, sent_at + 0.2)

    ahead = clock.now() - time.monotonic()
    assert ahead == pytest.approx(1_700_000_000.5 - sent_at - 0.1, abs=0.05)


@pytest.mark.parametrize("timestamp", ["", "soon", "nan", "inf", "-1"])
def test_clock_keeps_its_measure_when_there_is_no_new_one(timestamp: str) -> None:
    clock = AsteriskClock()
    clock.measure("1700000000.0", 10.0, 10.0)
    ahead = clock.now() - time.monotonic()

    clock.measure(timestamp, 20.0, 20.0)

    assert clock.now() - time.monotonic() == pytest.approx(ahead, abs=0.05)


class ScriptedHeart:
    """A session that answers pings as told: `.` at once, `-` not at all; then it is lost."""

    def __init__(self, answers: str) -> None:
        self.problem = ""
        self._answers = list(answers)

    async def ask(self, headers: ActionHeaders, seconds: float) -> AmiMessage:
        assert headers == {"Action": "Ping"}
        if not self._answers:
            raise LinkLost("the connection was lost")
        if self._answers.pop(0) == "-":
            raise AnswerMissing("Asterisk did not answer Ping")
        return AmiMessage({"response": "Success"})

    def end(self, problem: str) -> None:
        self.problem = problem


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ("...", ""),
        (".-.-.-.", ""),
        ("--", "2 pings were not answered"),
        (".-.--..", "2 pings were not answered"),
    ],
)
async def test_misses_in_a_row_end_the_session(answers: str, problem: str) -> None:
    heart = ScriptedHeart(answers)

    await beat("pbx-a", heart, AsteriskClock(), ami_settings(ping_every_seconds=0.001))

    assert heart.problem == problem


def test_claim_is_good_once_and_for_a_moment() -> None:
    claims: WonClaims[str] = WonClaims(1.0)
    claims.put(KEY, "session", 10.0)

    assert claims.take(KEY, 11.0) == "session"
    assert claims.take(KEY, 11.0) is None


def test_claim_that_waited_too_long_is_worth_nothing() -> None:
    claims: WonClaims[str] = WonClaims(1.0)
    claims.put(KEY, "session", 10.0)

    assert claims.take(KEY, 11.1) is None


def test_unused_claims_do_not_pile_up() -> None:
    claims: WonClaims[str] = WonClaims(1.0)

    for n in range(1000):
        claims.put((KEY[0], n), "session", n / 10)

    assert len(claims) == 11


def test_pauses_double_up_to_the_longest_and_begin_anew() -> None:
    pauses = Pauses(0.05, 5.0)
    most = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]

    drawn = [pauses.draw() for _ in most]
    pauses.begin_anew()

    assert all(0 <= pause <= limit for pause, limit in zip(drawn, most, strict=True))
    assert pauses.draw() <= 0.05
