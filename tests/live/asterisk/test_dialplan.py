"""The dialplan keeps its promise on a real Asterisk, without any router: these tests speak AMI themselves.

One server with HOLD and GRACE of one second serves the file; the callers are SIPp's, or Local channels where
SIP makes no difference. What became of a call is read from the AMI events and from Asterisk's own ledger.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.rig import asterisk as rig
from deploy.rig.asterisk import AsteriskFailed, RunningAsterisk
from deploy.rig.callers import Caller, PlacedCalls, place_calls, start_calls
from tests.live.asterisk.ami_socket import AmiRefused, AmiSocket, Message

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("dialplan")]

HOLD, GRACE = 1, 1

# Trunks of the tests' own. `other-handlers` stands for a dialplan that was there before us.
DIALPLAN = """
[from-trunk-acme]
exten => connected-to-the-caller,1,Set(ROUTE_TENANT=acme)
 same => n,Set(CONNECTEDLINE(num,i)=${CALLERID(num)})
 same => n,Goto(route-hold,s,1)

[test-trunk]
exten => music,1,Set(ROUTE_TENANT=acme)
 same => n,Set(ROUTE_WAIT=music)
 same => n,Goto(route-hold,s,1)
exten => wishes-too-much,1,Set(ROUTE_TENANT=acme)
 same => n,Set(ROUTE_HOLD=3600)
 same => n,Goto(route-hold,s,1)
exten => no-tenant,1,Set(ROUTE_DEFAULT=route-conference,800,1)
 same => n,Goto(route-hold,s,1)
exten => other-handlers,1,Set(CHANNEL(hangup_handler_push)=test-handler,s,1)
 same => n,Set(ROUTE_TENANT=acme)
 same => n,Goto(route-hold,s,1)
exten => round-in-circles,1,Set(ROUTE_TENANT=acme)
 same => n,Set(ROUTE_DEFAULT=route-default,s,1)
 same => n,Goto(route-hold,s,1)
exten => default-is-a-typing-mistake,1,Set(ROUTE_TENANT=acme)
 same => n,Set(ROUTE_DEFAULT=route-queue)
 same => n,Goto(route-hold,s,1)
exten => default-parks-again,1,Set(ROUTE_TENANT=acme)
 same => n,Set(ROUTE_DEFAULT=route-hold,s,1)
 same => n,Set(ROUTE_N=19)
 same => n,Goto(route-hold,s,1)

[test-handler]
exten => s,1,UserEvent(RouteTestHandler,V: 1)
 same => n,Return()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[RunningAsterisk]:
    rig.get_asterisk()
    subprocess.run([rig.PROJECT / "deploy" / "rig" / "get-tools"], check=True)
    with RunningAsterisk("pbx-a", hold=HOLD, grace=GRACE, hold_most=2, dialplan=DIALPLAN) as running:
        yield running


@pytest.fixture
def ami(server: RunningAsterisk) -> Iterator[AmiSocket]:
    with AmiSocket(server.ami_port, "router-a", server.ami_secret) as session:
        yield session
    server.command("channel request hangup all")


def seconds_between(first: Message, second: Message) -> float:
    return float(second["Timestamp"]) - float(first["Timestamp"])


def fate_of(server: RunningAsterisk, event: Message) -> list[str]:
    return server.wait_fate(event["Uniqueid"], int(event["N"]))


def park(
    server: RunningAsterisk, ami: AmiSocket, did: str = "33100", context: str = "from-trunk-acme"
) -> Message:
    server.originate(did, context=context)
    return ami.user_event("RouteParked")


def test_without_a_router_every_call_is_at_the_default_when_hold_ends(
    server: RunningAsterisk, ami: AmiSocket
) -> None:
    calls = start_calls(server.sip_port, "33100", count=50, rate=50, stay_ms=100)
    with calls:
        parked = [ami.user_event("RouteParked") for _ in range(50)]
        waited = [
            seconds_between(event, ami.user_event("RouteDefaulted", Uniqueid=event["Uniqueid"]))
            for event in parked
        ]
        counts = calls.wait()

    assert (counts.successful, counts.failed) == (50, 0)
    assert min(waited) >= HOLD - 0.1  # a busy Asterisk tells of the parking late
    assert max(waited) <= HOLD + 0.5
    assert {tuple(fate_of(server, event)) for event in parked} == {("defaulted hold route-queue/bronze/1",)}


def test_parked_event_says_all_that_the_protocol_promises(server: RunningAsterisk, ami: AmiSocket) -> None:
    with start_calls(server.sip_port, "+33100", callers=[Caller("+33612345678", "Ann")], is_abandoned=True):
        event = ami.user_event("RouteParked")

    promised = {
        "V": "1",
        "Tenant": "acme",
        "Did": "+33100",
        "Entry": "",
        "From": "+33612345678",
        "Pres": "allowed_not_screened",
        "N": "1",
        "HoldMs": "1000",
        "Digits": "",
        "Asked": "",
        "CallerIDName": "Ann",
    }
    assert promised.items() <= event.items()
    assert event["Uniqueid"].startswith("pbx-a-")


def test_withheld_number_is_parked_as_withheld(server: RunningAsterisk, ami: AmiSocket) -> None:
    with start_calls(server.sip_port, "33100", callers=[Caller(is_anonymous=True)], is_abandoned=True):
        event = ami.user_event("RouteParked")

    assert event["Pres"].startswith("prohib")


def test_channel_list_tells_a_restarted_router_what_is_parked(
    server: RunningAsterisk, ami: AmiSocket
) -> None:
    parked = park(server, ami)

    ami.act("CoreShowChannels")

    entry = ami.wait_for(
        lambda event: event["Event"] == "CoreShowChannel" and event["Channel"] == parked["Channel"]
    )
    assert (entry["Context"], entry["Exten"]) == ("route-hold", "s")
    assert "ChanVariable" not in entry  # each would be looked up at every step of every channel
    state = ami.act("Getvar", Channel=parked["Channel"], Variable="ROUTE_STATE")["Value"]
    tenant, did, entry_point, caller, presentation, n, deadline, hold_ms, digits, asked = state.split("|")
    said = ("Tenant", "Did", "Entry", "From", "Pres", "N", "HoldMs", "Digits", "Asked")
    assert [tenant, did, entry_point, caller, presentation, n, hold_ms, digits, asked] == [
        parked[name] for name in said
    ]
    assert -1 < int(deadline) - HOLD - float(parked["Timestamp"]) <= 0


def test_armed_fallback_is_where_hold_ends(server: RunningAsterisk, ami: AmiSocket) -> None:
    parked = park(server, ami)
    ami.set_variable(parked["Channel"], "ROUTE_FALLBACK", "route-queue,silver,1")

    event = ami.user_event("RouteDefaulted")

    assert (event["Why"], event["Claim"], event["To"]) == ("hold", "1", "route-queue/silver/1")
    assert ami.claim(parked["Channel"], "1") == "2"  # no router can win any more


def test_missing_fallback_falls_to_the_trunks_default(server: RunningAsterisk, ami: AmiSocket) -> None:
    parked = park(server, ami)
    ami.set_variable(parked["Channel"], "ROUTE_FALLBACK", "route-queue,closed-last-year,1")

    assert ami.user_event("RouteDefaulted")["To"] == "route-queue/bronze/1"


def test_redirect_takes_a_ringing_call_to_its_destination_once(
    server: RunningAsterisk, ami: AmiSocket
) -> None:
    calls = start_calls(server.sip_port, "33100", stay_ms=200)
    with calls:
        parked = ami.user_event("RouteParked")
        ami.set_variable(parked["Channel"], "ROUTE_TO", "route-queue,gold,1")
        won = ami.claim(parked["Channel"], "1")
        ami.redirect(parked["Channel"], "route-land")
        taken = ami.user_event("RouteTaken")
        counts = calls.wait()
        gone = ami.user_event("RouteGone")

    assert won == "1"
    assert taken["To"] == "route-queue/gold/1"
    assert gone["Where"] == "landed"
    assert counts.successful == 1
    assert fate_of(server, parked) == ["taken route-queue/gold/1"]


@pytest.mark.parametrize(
    "place", ["route-queue,closed-last-year,1", "no-such-context,s,1", "route-queue", ",,", ""]
)
def test_missing_destination_goes_to_the_default_at_once(
    server: RunningAsterisk, ami: AmiSocket, place: str
) -> None:
    parked = park(server, ami)
    ami.set_variable(parked["Channel"], "ROUTE_FALLBACK", "route-queue,silver,1")
    ami.set_variable(parked["Channel"], "ROUTE_TO", place)
    ami.claim(parked["Channel"], "1")
    ami.redirect(parked["Channel"], "route-land")

    event = ami.user_event("RouteDefaulted")

    assert (event["Why"], event["To"]) == ("missing", "route-queue/silver/1")
    assert seconds_between(parked, event) < HOLD / 2


def test_claimed_but_not_moved_call_leaves_after_grace(server: RunningAsterisk, ami: AmiSocket) -> None:
    parked = park(server, ami)
    won = ami.claim(parked["Channel"], "1")

    event = ami.user_event("RouteDefaulted")

    assert won == "1"
    assert (event["Why"], event["Claim"]) == ("grace", "2")
    assert HOLD + GRACE - 0.01 <= seconds_between(parked, event) <= HOLD + GRACE + 0.5


def test_redirect_within_grace_still_wins(server: RunningAsterisk, ami: AmiSocket) -> None:
    parked = park(server, ami)
    ami.set_variable(parked["Channel"], "ROUTE_TO", "route-conference,800,1")
    ami.claim(parked["Channel"], "1")
    # The dialplan's own claim is the moment when HOLD is over.
    while ami.act("Getvar", Channel=parked["Channel"], Variable="ROUTE_GOT")["Value"] != "2":
        pass
    ami.redirect(parked["Channel"], "route-land")

    assert ami.user_event("RouteTaken")["To"] == "route-conference/800/1"
    assert fate_of(server, parked) == ["taken route-conference/800/1"]


# Asking for digits: what the router sets, what the caller keys, how it ends. `beep` is the shortest greeting.
ASKED = {
    "pound-ends": ({"MAX": "8", "STOP": "0"}, "1234#", "keyed", "1234"),
    "pause-ends": ({"MAX": "8", "STOP": "0"}, "1234", "keyed", "1234"),
    "last-digit-ends": ({"MAX": "4", "STOP": "1", "SECONDS": "30"}, "1234", "keyed", "1234"),
    "nothing": ({"MAX": "8", "TRIES": "2"}, "", "none", ""),
    "too-few": ({"MIN": "4", "MAX": "8"}, "12#", "none", ""),
    "a-star": ({"MAX": "8"}, "12*4#", "none", ""),
    "too-many": ({"MAX": "4", "STOP": "0"}, "123456789#", "long", ""),
    "too-many-then-right": ({"MAX": "4", "STOP": "0", "TRIES": "2"}, "123456789#,1234#", "keyed", "1234"),
    "too-many-then-nothing": ({"MAX": "4", "STOP": "0", "TRIES": "2"}, "123456789#", "none", ""),
    "greeting-missing": ({"SOUND": "no/such/sound", "MAX": "4"}, "1234#", "keyed", "1234"),
    "values-bad": (
        dict.fromkeys(("SOUND", "MIN", "MAX", "TRIES", "STOP"), "${SHELL(x)},y"),
        "12#",
        "keyed",
        "12",
    ),
    "values-none": (
        dict.fromkeys(("SOUND", "MIN", "MAX", "SECONDS", "TRIES", "STOP"), ""),
        "12#",
        "keyed",
        "12",
    ),
}


def test_asked_call_is_parked_again_with_what_was_keyed(server: RunningAsterisk, ami: AmiSocket) -> None:
    """All cases call at once: each waits for its caller's fingers, not for the others."""
    cases = dict(enumerate(ASKED.values(), start=33200))
    calls = [
        start_calls(
            server.sip_port, str(did), digits=keys, digits_after_ms=300, digit_gap_ms=100, stay_ms=6000
        )
        for did, (_, keys, _, _) in cases.items()
    ]
    try:
        for _ in cases:
            parked = ami.user_event("RouteParked", N="1")
            asked = {"SOUND": "beep", "MIN": "1", "SECONDS": "1", "TRIES": "1"} | cases[int(parked["Did"])][0]
            for name, value in asked.items():
                ami.set_variable(parked["Channel"], f"ROUTE_ASK_{name}", value)
            ami.set_variable(parked["Channel"], "ROUTE_FALLBACK", "route-queue,silver,1")
            assert ami.claim(parked["Channel"], "1") == "1"
            ami.redirect(parked["Channel"], "route-ask")
        again = [ami.user_event("RouteParked", N="2") for _ in cases]
        defaulted = [ami.user_event("RouteDefaulted", N="2") for _ in cases]
    finally:
        for call in calls:
            call.stop()

    found = {int(event["Did"]): (event["Asked"], event["Digits"]) for event in again}
    named = {name: found[did] for name, did in zip(ASKED, cases, strict=True)}
    assert named == {name: (asked, digits) for name, (_, _, asked, digits) in ASKED.items()}
    # The fallback that was armed before the greeting serves the second parking too.
    assert {event["To"] for event in defaulted} == {"route-queue/silver/1"}


HOSTILE_TEXTS = [
    "Bob,Tenant: rival",
    'Bob "the builder"',
    "${SHELL(touch /tmp/forged)}",
    "$[1/0]",
    "a)b(c}d{e",
    "\udcff\udcfe bad UTF-8 \udc80",
    "Zoé Müller 張偉",
    "N" * 1000,
]
HOSTILE_USERS = [
    "33%2cTenant%3a%20rival",
    "33%22quoted%22",
    "33%24%7bSHELL(touch%20/tmp/forged)%7d",
    "33%0d%0aEvent%3a%20Forged%0d%0aTenant%3a%20rival",
    "33%0d%0a%0d%0aEvent%3a%20Forged%0d%0a%0d%0a",
    "33%ff%fe",
    "33%29%28%7d%5d",
    "3" * 1000,
]


def test_hostile_names_numbers_and_dids_lose_no_call_and_forge_no_header(
    server: RunningAsterisk, ami: AmiSocket
) -> None:
    callers = [Caller(name=text) for text in HOSTILE_TEXTS] + [Caller(user) for user in HOSTILE_USERS]
    calls: list[PlacedCalls] = [
        start_calls(server.sip_port, "33100", callers=callers, count=len(callers), rate=50, stay_ms=100),
        *(start_calls(server.sip_port, user, stay_ms=100) for user in HOSTILE_USERS),
    ]
    try:
        expected = len(callers) + len(HOSTILE_USERS)
        parked = [ami.user_event("RouteParked") for _ in range(expected)]
        for event in parked:
            ami.user_event("RouteDefaulted", Uniqueid=event["Uniqueid"])
        counts = [call.wait() for call in calls]
        for _ in range(expected):
            ami.user_event("RouteGone")
    finally:
        for call in calls:
            call.stop()

    assert sum(count.failed for count in counts) == 0
    assert {event["Tenant"] for event in parked} == {"acme"}
    assert {event["UserEvent"] for event in ami.seen if event["Event"] == "UserEvent"} == {
        "RouteParked",
        "RouteDefaulted",
        "RouteGone",
    }
    assert {event["Event"] for event in ami.seen} == {"FullyBooted", "UserEvent"}
    assert all(set(event["Did"]) <= set("+0123456789") for event in parked)
    assert all(re.fullmatch(r"\+?[0-9A-Za-z]{1,40}", event["From"]) for event in parked)
    assert not list(server.directory.parents[2].glob("tmp/forged"))
    assert not Path("/tmp/forged").exists()
    assert {tuple(fate_of(server, event)) for event in parked} == {("defaulted hold route-queue/bronze/1",)}


def test_hostile_connected_number_forges_no_header(server: RunningAsterisk, ami: AmiSocket) -> None:
    """The far end of a conversation names itself too, and stands in every event of the caller's channel."""
    for user in HOSTILE_USERS:
        place_calls(
            server.sip_port, "connected-to-the-caller", callers=[Caller(user)], is_abandoned=True, stay_ms=1
        )

    for _ in HOSTILE_USERS:
        assert ami.user_event("RouteGone")["Where"] == "parked"
    assert {event["Event"] for event in ami.seen} == {"FullyBooted", "UserEvent"}


def test_caller_who_hangs_up_while_parked_is_gone(server: RunningAsterisk, ami: AmiSocket) -> None:
    counts = place_calls(server.sip_port, "33100", is_abandoned=True, stay_ms=200)

    gone = ami.user_event("RouteGone")
    assert (gone["N"], gone["Where"]) == ("1", "parked")
    assert counts.successful == 1
    assert fate_of(server, gone) == ["gone"]


def test_hangup_handlers_of_the_dialplan_around_us_stay(server: RunningAsterisk, ami: AmiSocket) -> None:
    parked = park(server, ami, "other-handlers", "test-trunk")

    server.command("channel request hangup all")

    ami.user_event("RouteGone", Uniqueid=parked["Uniqueid"])
    ami.user_event("RouteTestHandler", Uniqueid=parked["Uniqueid"])


def test_music_answers_and_plays_while_the_call_is_held(server: RunningAsterisk, ami: AmiSocket) -> None:
    parked = park(server, ami, "music", "test-trunk")

    state = server.command(f"core show channel {parked['Channel']}")

    assert "State: Up (6)" in state


def test_wish_for_a_longer_hold_is_cut_to_the_sites_limit(server: RunningAsterisk, ami: AmiSocket) -> None:
    assert park(server, ami, "wishes-too-much", "test-trunk")["HoldMs"] == "2000"


def test_call_without_a_tenant_is_not_held(server: RunningAsterisk, ami: AmiSocket) -> None:
    server.originate("no-tenant", context="test-trunk")

    event = ami.user_event("RouteDefaulted")

    assert (event["Why"], event["To"]) == ("error", "route-conference/800/1")


def test_default_that_leads_in_circles_ends_at_the_last_resort(
    server: RunningAsterisk, ami: AmiSocket
) -> None:
    server.originate("round-in-circles", context="test-trunk")

    said = [ami.user_event("RouteDefaulted") for _ in range(2)]

    assert [(event["Why"], event["To"]) for event in said] == [
        ("hold", "route-default/s/1"),
        ("ended", "last-resort"),
    ]


def test_default_without_an_extension_falls_to_the_last_resort(
    server: RunningAsterisk, ami: AmiSocket
) -> None:
    park(server, ami, "default-is-a-typing-mistake", "test-trunk")

    assert ami.user_event("RouteDefaulted")["To"] == "last-resort"


def test_default_that_parks_again_does_so_twenty_times_at_most(
    server: RunningAsterisk, ami: AmiSocket
) -> None:
    assert park(server, ami, "default-parks-again", "test-trunk")["N"] == "20"

    assert ami.user_event("RouteDefaulted", N="20")["To"] == "route-hold/s/1"
    assert ami.user_event("RouteDefaulted", N="21")["To"] == "last-resort"


def land(server: RunningAsterisk, ami: AmiSocket, place: str, **variables: str) -> Message:
    """Take the call that is parked next to a place."""
    parked = ami.user_event("RouteParked")
    for name, value in {"ROUTE_TO": place, **variables}.items():
        ami.set_variable(parked["Channel"], name, value)
    assert ami.claim(parked["Channel"], parked["N"]) == "1"
    ami.redirect(parked["Channel"], "route-land")
    return ami.user_event("RouteTaken")


def test_playback_goes_on_to_then_and_then_to_the_fallback(server: RunningAsterisk, ami: AmiSocket) -> None:
    server.originate("33100")
    land(
        server,
        ami,
        "route-playback,s,1",
        ROUTE_OPTION="beep",
        ROUTE_THEN="route-playback,s,1",
        ROUTE_FALLBACK="route-conference,800,1",
    )

    event = ami.user_event("RouteDefaulted")

    assert (event["Why"], event["To"]) == ("ended", "route-conference/800/1")


def test_voicemail_keeps_the_message(server: RunningAsterisk, ami: AmiSocket) -> None:
    calls = start_calls(server.sip_port, "33100", stay_ms=2500, has_media=True)
    with calls:
        land(server, ami, "route-voicemail,100,1")
        counts = calls.wait()
    ami.user_event("RouteGone")

    message = server.voicemail_spool / "acme" / "100" / "INBOX" / "msg0000.wav"
    assert counts.successful == 1
    assert message.stat().st_size > 8000  # half a second of sound at least


def test_ivr_takes_a_digit_to_a_queue_whose_member_answers(server: RunningAsterisk, ami: AmiSocket) -> None:
    calls = start_calls(server.sip_port, "33100", digits="1", digits_after_ms=600, stay_ms=2500)
    with calls:
        taken = land(server, ami, "route-ivr,main,1")
        calls.wait()
    ami.user_event("RouteGone")

    queue_log = (server.directory / "log" / "queue_log").read_text()
    mine = [line.split("|")[2:5:2] for line in queue_log.splitlines() if f"|{taken['Uniqueid']}|" in line]
    assert ["gold", "CONNECT"] in mine


def test_ivr_entry_parks_the_call_under_its_own_rule(server: RunningAsterisk, ami: AmiSocket) -> None:
    calls = start_calls(server.sip_port, "33100", digits="1", digits_after_ms=600, stay_ms=1500)
    with calls:
        land(server, ami, "route-ivr,acme-main,1", ROUTE_FALLBACK="route-queue,silver,1")
        parked = ami.user_event("RouteParked", N="2")
        defaulted = ami.user_event("RouteDefaulted", N="2")

    assert (parked["Entry"], parked["Tenant"]) == ("account", "acme")
    # The fallback of the number's rule is not the entry's.
    assert defaulted["To"] == "route-queue/bronze/1"


def test_router_account_cannot_run_commands_or_originate(server: RunningAsterisk, ami: AmiSocket) -> None:
    with pytest.raises(AmiRefused, match="Permission denied"):
        ami.act("Command", Command="core show version")
    with pytest.raises(AmiRefused, match="Permission denied"):
        ami.act("Originate", Channel="Local/33100@from-trunk-acme", Application="Wait", Data="1")


def test_second_server_runs_beside_the_first_and_survives_a_crash(
    server: RunningAsterisk, ami: AmiSocket
) -> None:
    with RunningAsterisk("pbx-b", hold=HOLD, grace=GRACE) as second:
        with AmiSocket(second.ami_port, "router-b", second.ami_secret) as other:
            assert park(second, other)["Uniqueid"].startswith("pbx-b-")
            assert park(server, ami)["Uniqueid"].startswith("pbx-a-")
        second.pause()
        with pytest.raises(AsteriskFailed):
            second.command("core show version", timeout_seconds=0.2)
        second.resume()
        assert second.command("core show version").startswith("Asterisk ")
        second.kill()
        second.start()
        assert second.channels() == 0


def test_server_of_a_killed_run_is_removed_by_the_next_start(server: RunningAsterisk) -> None:
    command = [sys.executable, "-m", "deploy.rig.asterisk", "start", "--name", "pbx-left"]
    with subprocess.Popen(command, cwd=rig.PROJECT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        run.stdout.readline()
        run.kill()
    left = next(server.directory.parent.glob("pbx-left-*"))

    with RunningAsterisk("pbx-next"):
        assert not left.exists()
