"""Calls through the whole product: real Asterisk, SIP callers, router and worker processes, a CRM over HTTP.

Where a call went is always Asterisk's own account (the ledger that the dialplan writes), never ours.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.rig import demo
from deploy.rig.asterisk import RunningAsterisk
from deploy.rig.callers import Caller, place_calls, start_calls
from deploy.rig.sample_site import Site, wait_until
from tests.live.conftest import GRACE, HOLD, free_port

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("routing")]

LEVEL, WITH_VOICEMAIL, WITH_PLAYBACK, BY_OWNER = (f"+3314234500{number}" for number in (1, 2, 3, 4))
EVERY_OUTCOME, NO_RULE = "+33142345005", "+33142345009"
SECONDS = 30.0


def fates(pbx: RunningAsterisk, count: int) -> list[list[str]]:
    """How the calls' parkings ended, once so many have."""
    wait_until(lambda: len(pbx.fates()) >= count and all(pbx.fates().values()), SECONDS, f"{count} fates")
    return list(pbx.fates().values())


def new_fates(pbx: RunningAsterisk, before: int, count: int) -> list[list[str]]:
    return fates(pbx, before + count)[before:]


def parked(pbx: RunningAsterisk) -> int:
    return sum(line.what == "parked" for line in pbx.ledger())


# The sample calls of `make run`


@pytest.fixture(scope="module")
def sample_calls(pbx: RunningAsterisk, site: Site) -> Iterator[dict[str, demo.PlacedCase]]:
    """All of them at once, ended."""
    with ExitStack() as stack:
        placed = demo.place(pbx, stack)
        demo.wait(placed)
        demo.match(placed, site, pbx)
        yield {one.case.what: one for one in placed}


@pytest.mark.parametrize("case", demo.CASES, ids=lambda case: case.what)
def test_sample_call_reaches_what_the_table_of_make_run_says(
    case: demo.Case, sample_calls: dict[str, demo.PlacedCase]
) -> None:
    placed = sample_calls[case.what]

    assert placed.landing is not None
    assert placed.landing.to == case.reaches


def test_missing_destination_is_told_in_the_decision(sample_calls: dict[str, demo.PlacedCase]) -> None:
    decision = sample_calls["missing queue"].decision

    assert decision is not None
    assert (decision["asked_target"], decision["defaulted_why"]) == ("queue missing", "missing")


# What the destinations do


def test_queue_member_answers_the_gold_customer(pbx: RunningAsterisk, site: Site) -> None:
    with start_calls(pbx.sip_port, LEVEL, callers=[Caller(demo.GOLD)], stay_ms=8000):
        wait_until(
            lambda: "(in call)" in pbx.command("queue show gold"), SECONDS, "the member of queue gold talks"
        )


def test_ivr_takes_the_digit_of_a_caller_no_line_holds_for(pbx: RunningAsterisk, site: Site) -> None:
    with start_calls(
        pbx.sip_port, LEVEL, callers=[Caller(demo.LEAD)], digits="2", digits_after_ms=1500, stay_ms=8000
    ):
        wait_until(
            lambda: "!route-extension!100!" in pbx.command("core show channels concise"),
            SECONDS,
            "key 2 of the menu rings extension 100",
        )


def test_extension_of_the_customers_owner_rings(pbx: RunningAsterisk, site: Site) -> None:
    with start_calls(pbx.sip_port, BY_OWNER, callers=[Caller(demo.GOLD)], stay_ms=8000):
        wait_until(
            lambda: "person@sample-people" in pbx.command("core show channels concise"),
            SECONDS,
            "the phone of extension 100 rings",
        )


def test_voicemail_of_the_default_keeps_a_message(pbx: RunningAsterisk, site: Site) -> None:
    box = pbx.voicemail_spool / "acme" / "100" / "INBOX"
    before = len(list(box.glob("msg*.wav")))

    place_calls(pbx.sip_port, WITH_VOICEMAIL, callers=[Caller(demo.LEAD)], stay_ms=5000, has_media=True)

    wait_until(lambda: len(list(box.glob("msg*.wav"))) > before, SECONDS, "a new message in box 100")


def test_playback_plays_and_goes_on_to_then(pbx: RunningAsterisk, site: Site) -> None:
    before = sum(line.what == "then" for line in pbx.ledger())

    # demo-congrats lasts half a minute: SILVER's sound is shorter, and goes on to the rule's default.
    place_calls(pbx.sip_port, WITH_PLAYBACK, callers=[Caller(demo.SILVER)], stay_ms=7000, has_media=True)

    wait_until(
        lambda: (
            any(line.what == "defaulted" and line.why == "ended" for line in pbx.ledger())
            or sum(line.what == "then" for line in pbx.ledger()) > before
        ),
        SECONDS,
        "the playback goes on",
    )


# Hostile callers and a hostile CRM

HOSTILE = [
    Caller("%0d%0aAction%3a%20Hangup%0d%0a%0d%0a"),
    Caller("33%2cTenant%3a%20rival", "Bob,Tenant: rival"),
    Caller("%24%7bSHELL(touch%20CANARY)%7d", "${SHELL(touch CANARY)}"),
    Caller("+33639980001", 'say "hello" \\ $[1/0]'),
    Caller("1" * 300, "N" * 900),
    Caller("\udcff\udcfe", "\udcc3("),
]


def test_hostile_callers_reach_a_destination_and_the_link_stays_up(pbx: RunningAsterisk, site: Site) -> None:
    before = len(pbx.fates())

    counts = place_calls(
        pbx.sip_port, LEVEL, callers=HOSTILE, count=len(HOSTILE), stay_ms=300, answer_ms=9000
    )

    # PJSIP itself refuses what is no SIP at all; every call it takes has one fate.
    found = new_fates(pbx, before, counts.successful)
    assert counts.successful >= len(HOSTILE) - 1
    assert {len(fate) for fate in found} == {1}
    assert all(fate[0].startswith("taken route-") for fate in found)
    assert "asterisk.disconnected" not in site.processes["router-a"].text()
    assert not list(pbx.directory.rglob("CANARY"))


@pytest.mark.parametrize(
    "caller", ["+33639980010", "+33639980011"], ids=["line-breaks", "ten-thousand-signs"]
)
def test_hostile_crm_value_moves_the_call_to_the_default_only(
    pbx: RunningAsterisk, site: Site, caller: str
) -> None:
    before = len(pbx.fates())

    place_calls(pbx.sip_port, LEVEL, callers=[Caller(caller)], stay_ms=300)

    assert new_fates(pbx, before, 1) == [["taken route-ivr/main/1"]]
    assert "asterisk.disconnected" not in site.processes["router-a"].text()


# Routers that come, go and compete


@pytest.fixture
def bare_site(pbx: RunningAsterisk, site_folder: Callable[[], Path]) -> Iterator[Site]:
    """A CRM and a worker on the same Asterisk, and no router yet."""
    with Site(site_folder(), [pbx], free_port()) as running:
        running.write_local_settings()
        running.start_crm()
        running.start_worker()
        yield running


@pytest.fixture
def no_router(site: Site) -> Iterator[None]:
    """The module's own router rests meanwhile: stopped, and started again afterwards."""
    site.processes["router-a"].stop()
    yield
    site.start_router()


@pytest.mark.usefixtures("no_router")
def test_router_that_starts_takes_up_the_calls_that_are_parked(pbx: RunningAsterisk, bare_site: Site) -> None:
    before, parked_before = len(pbx.fates()), parked(pbx)

    with start_calls(
        pbx.sip_port, LEVEL, callers=[Caller(demo.GOLD)], count=10, rate=50, stay_ms=300
    ) as calls:
        wait_until(lambda: parked(pbx) == parked_before + 10, SECONDS, "10 calls are parked")
        bare_site.start_router()
        counts = calls.wait()

    assert new_fates(pbx, before, 10) == [["taken route-queue/gold/1"]] * 10
    assert counts.failed == 0


@pytest.mark.usefixtures("no_router")
def test_killed_router_leaves_the_rules_own_default_armed(pbx: RunningAsterisk, bare_site: Site) -> None:
    """The trunk's default is queue bronze; the rule's own is queue gold."""
    router = bare_site.start_router()
    before = len(pbx.fates())

    with start_calls(pbx.sip_port, EVERY_OUTCOME, callers=[Caller(demo.SILENT)], stay_ms=300) as calls:
        wait_until(
            lambda: "ROUTE_FALLBACK=route-queue,gold,1" in _variables(pbx), SECONDS, "the fallback is armed"
        )
        router.signal(signal.SIGKILL)
        calls.wait()

    assert new_fates(pbx, before, 1) == [["defaulted hold route-queue/gold/1"]]


@pytest.mark.usefixtures("no_router")
def test_two_routers_on_one_asterisk_move_each_call_once(pbx: RunningAsterisk, bare_site: Site) -> None:
    bare_site.start_router("router-a", "router-a")
    bare_site.start_router("router-b", "router-b")
    before = len(pbx.fates())

    place_calls(pbx.sip_port, LEVEL, callers=_customers(60), count=60, rate=20, stay_ms=300)

    found = new_fates(pbx, before, 60)
    assert all(len(fate) == 1 and fate[0].startswith("taken route-queue/") for fate in found)
    wait_until(lambda: len(bare_site.ask("calls", "--limit", "200")) >= 60, SECONDS, "60 decisions")
    decisions = bare_site.ask("calls", "--limit", "200")
    assert len({decision["call_id"] for decision in decisions}) == len(decisions) == 60


@pytest.mark.usefixtures("no_router")
def test_call_of_a_router_killed_in_its_midst_is_taken_by_the_other_one_once(
    pbx: RunningAsterisk, bare_site: Site
) -> None:
    bare_site.processes["crm"].stop()
    bare_site.start_crm(delay_ms=900)
    holder = bare_site.start_router("router-a", "router-a")
    holder.wait_for("lease.gained")
    watcher = bare_site.start_router("router-b", "router-b")
    before, parked_before = len(pbx.fates()), parked(pbx)

    with start_calls(pbx.sip_port, LEVEL, callers=[Caller(demo.GOLD)], stay_ms=8_000):
        wait_until(lambda: parked(pbx) == parked_before + 1, SECONDS, "the call is parked")
        wait_until(lambda: "ROUTE_FALLBACK=" in _variables(pbx), SECONDS, "a router works on it")
        holder.signal(signal.SIGKILL)

        assert new_fates(pbx, before, 1) == [["taken route-queue/gold/1"]]
        assert "ROUTE_CLAIM_1=1\n" in _variables(pbx)
    (decision,) = bare_site.ask("calls", "--limit", "10")
    assert (decision["router"], decision["won_claim"]) == ("router-b", True)
    assert "stepped_in" in decision["steps_ms"]
    watcher.wait_for("lease.gained")


def test_call_takes_its_default_soon_when_redis_hangs_and_the_decision_is_told_later(
    pbx: RunningAsterisk, site: Site
) -> None:
    before, redis = len(pbx.fates()), site.redis_pid()
    os.kill(redis, signal.SIGSTOP)
    try:
        place_calls(pbx.sip_port, EVERY_OUTCOME, callers=[Caller(demo.BRONZE)], stay_ms=300)
    finally:
        os.kill(redis, signal.SIGCONT)

    # The CRM would have said BRONZE; without it the rule's own default serves, moved there by the router.
    assert new_fates(pbx, before, 1) == [["taken route-queue/gold/1"]]
    wait_until(
        lambda: any(
            decision.get("outcome") == "overloaded" for decision in site.ask("calls", "--limit", "500")
        ),
        SECONDS,
        "the decision is in the stream",
    )


def test_one_router_serves_two_asterisk_servers(rig: None, site_folder: Callable[[], Path]) -> None:
    with (
        RunningAsterisk("pbx-a", hold=HOLD, grace=GRACE) as first,
        RunningAsterisk("pbx-b", hold=HOLD, grace=GRACE) as second,
        Site(site_folder(), [first, second], free_port()) as both,
    ):
        both.write_local_settings()
        both.start_crm()
        both.start_worker()
        both.start_router()

        for pbx in (first, second):
            place_calls(pbx.sip_port, LEVEL, callers=[Caller(demo.SILVER)], count=3, stay_ms=300)

        for pbx in (first, second):
            assert fates(pbx, 3) == [["taken route-queue/silver/1"]] * 3
        servers = [decision["server"] for decision in both.ask("calls", "--limit", "10")]
        assert sorted(servers) == ["pbx-a"] * 3 + ["pbx-b"] * 3


def test_edited_tenant_decides_the_next_call_without_a_restart(pbx: RunningAsterisk, site: Site) -> None:
    path = site.config / "tenants" / "acme.toml"
    text = path.read_text()
    router = site.processes["router-a"]
    loads, before = router.text().count("tenant.loaded"), len(pbx.fates())

    path.write_text(
        text.replace(
            'value = "SILVER", destination = "queue", option = "silver" }',
            'value = "SILVER", destination = "queue", option = "bronze" }',
            1,
        )
    )
    router.wait_for("tenant.loaded", loads + 1)
    place_calls(pbx.sip_port, LEVEL, callers=[Caller(demo.SILVER)], stay_ms=300)
    path.write_text(text)
    router.wait_for("tenant.loaded", loads + 2)

    assert new_fates(pbx, before, 1) == [["taken route-queue/bronze/1"]]


def _variables(pbx: RunningAsterisk) -> str:
    """The variables of every channel that waits in the holding context."""
    channels = [
        line.split("!")[0] for line in pbx.command("core show channels concise").splitlines() if "!" in line
    ]
    return "\n".join(pbx.command(f"core show channel {channel}") for channel in channels)


def _customers(count: int) -> list[Caller]:
    """Each is somebody else, whose level the last digit tells."""
    return [Caller(f"+336120000{number:02d}") for number in range(count)]
