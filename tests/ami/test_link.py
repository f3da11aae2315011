"""The life of a link: whom it connects to, what a new connection begins with, and what ends it."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from router.ami.messages import MOST_MESSAGE_BYTES
from router.ami.seam import CallNews, ClaimAnswer, LinkDown, LinkUp, ParkedList, ServerRestarted
from router.core.destinations import Destination
from router.core.events import CallerHungUp, CallParked
from router.core.identities import ChannelName
from tests.ami.conftest import LinkRig, asterisk_server
from tests.ami.scripted_server import (
    STATE,
    ScriptedServer,
    channel_row,
    message,
    parked_event,
    user_event,
)
from tests.ami.watching import Watch

CHANNEL = ChannelName("PJSIP/trunk-00000001")
LAND = Destination("route-land", "s")
NOW = 1_700_000_000
"""The scripted Asterisk's clock, less a quarter of a second."""


# Whom it talks to


@pytest.mark.parametrize("version", ["22.10.1~dfsg+~cs6.16.60671435-1", "20.20.1", "23.4.0"])
async def test_sound_version_is_told_without_a_warning(
    rig: LinkRig, server: ScriptedServer, version: str
) -> None:
    server.version = version

    await rig.come_up()

    assert rig.book.of(LinkUp) == [LinkUp(rig.link.name, version)]


@pytest.mark.parametrize("version", ["22.10.0", "22.4.1", "20.20.0", "21.12.0", "GIT-22-a1b2c3d", ""])
async def test_doubtful_version_is_served_with_a_warning(
    rig: LinkRig, server: ScriptedServer, version: str
) -> None:
    server.version = version

    with capture_logs() as logs:
        await rig.come_up()

    assert rig.book.of(LinkUp)[0].warning
    assert [log["event"] for log in logs] == ["ami.version_warning"]


@pytest.mark.parametrize("version", ["18.26.4", "16.30.0", "certified/18.9-cert4"])
async def test_too_old_asterisk_is_not_served(rig: LinkRig, server: ScriptedServer, version: str) -> None:
    server.version = version

    rig.start()
    news = await rig.book.until(LinkDown)

    assert "too old" in news.problem
    assert rig.book.of(LinkUp) == []


async def test_secret_is_not_told_to_something_else_than_asterisk(
    rig: LinkRig, server: ScriptedServer
) -> None:
    server.greeting = b"SSH-2.0-OpenSSH_9.2\r\n"

    rig.start()
    news = await rig.book.until(LinkDown)

    assert news.problem == "what answers there does not speak AMI"
    assert server.received == []


async def test_account_that_may_not_report_is_served_with_a_warning(
    rig: LinkRig, server: ScriptedServer
) -> None:
    """Without `write = reporting` there is no version and no list, but calls that come are routed."""
    denied = "Permission denied"
    server.errors |= {"CoreSettings": denied, "CoreStatus": denied, "CoreShowChannels": denied}

    rig.start()
    up = await rig.book.until(LinkUp)
    server.say(parked_event("1.1"))
    await rig.book.until(CallNews)
    claim = await rig.link.claim(CHANNEL, 1)

    assert up.warning
    assert claim.is_won
    assert rig.book.of(ParkedList) == []


# Restarts


@pytest.mark.parametrize("sign", ["start time", "uptime"])
async def test_restarted_asterisk_is_told(rig: LinkRig, server: ScriptedServer, sign: str) -> None:
    await rig.come_up()
    if sign == "start time":
        server.started = ("2026-11-23", "10:00:01")
    else:
        server.uptime = 999

    server.reset()
    up = await rig.book.until(LinkUp, 2)
    await rig.book.until(ParkedList, 2)

    assert up.is_restart
    assert [type(news) for news in rig.book.news[-3:]] == [LinkUp, ServerRestarted, ParkedList]


async def test_reload_and_lost_connection_are_no_restart(rig: LinkRig, server: ScriptedServer) -> None:
    await rig.come_up()
    server.uptime = 1005

    server.reset()
    up = await rig.book.until(LinkUp, 2)
    await rig.book.until(ParkedList, 2)

    assert not up.is_restart
    assert rig.book.of(ServerRestarted) == []


async def test_shutdown_event_ends_the_connection(rig: LinkRig, server: ScriptedServer) -> None:
    await rig.come_up()

    server.say(message({"Event": "Shutdown", "Shutdown": "Cleanly", "Restart": "True"}))
    down = await rig.book.until(LinkDown)

    assert down.problem == "Asterisk shuts down"
    assert isinstance(await rig.book.until(LinkUp, 2), LinkUp)


# Resync


async def test_calls_that_wait_are_listed_with_the_time_they_have_left(
    rig: LinkRig, server: ScriptedServer
) -> None:
    server.park("1.1", NOW + 4)
    server.park("1.2", NOW - 3)

    await rig.come_up()
    (listed,) = rig.book.of(ParkedList)

    first, second = listed.calls
    assert first.is_resynced
    assert 0 < first.hold_seconds <= 3.75
    assert second.hold_seconds == 0


async def test_channels_elsewhere_are_not_asked(rig: LinkRig, server: ScriptedServer) -> None:
    server.park("1.3", NOW)
    server.rows += [channel_row("1.1", Context="from-trunk"), channel_row("1.2", Application="Set")]

    await rig.come_up()

    assert [call.uniqueid for call in rig.book.of(ParkedList)[0].calls] == ["1.3"]
    assert [action["Channel"] for action in server.sent(STATE)] == ["PJSIP/trunk-1.3"]


async def test_many_channels_are_asked_in_their_order(rig: LinkRig, server: ScriptedServer) -> None:
    ids = [f"1.{number}" for number in range(250)]
    for uniqueid in ids:
        server.park(uniqueid, NOW + 4, did=uniqueid.partition(".")[2])
    server.gone = {"PJSIP/trunk-1.100", "PJSIP/trunk-1.249"}

    await rig.come_up()

    there = [uniqueid for uniqueid in ids if uniqueid not in ("1.100", "1.249")]
    told = rig.book.of(ParkedList)[0].calls
    assert [(call.uniqueid, call.did) for call in told] == [(one, one.partition(".")[2]) for one in there]


@pytest.mark.parametrize("answer", ["no such channel", "nothing"])
async def test_channel_that_left_before_it_was_asked_is_not_listed(
    rig: LinkRig, server: ScriptedServer, answer: str
) -> None:
    server.park("1.1", NOW + 4)
    server.park("1.2", NOW + 4)
    if answer == "nothing":
        del server.states["PJSIP/trunk-1.1"]
    else:
        server.gone.add("PJSIP/trunk-1.1")

    with capture_logs() as logs:
        await rig.come_up()

    assert [call.uniqueid for call in rig.book.of(ParkedList)[0].calls] == ["1.2"]
    assert logs == []


async def test_dialplan_that_sets_no_state_is_logged_once(rig: LinkRig, server: ScriptedServer) -> None:
    server.rows = [channel_row("1.1"), channel_row("1.2"), channel_row("1.3")]
    server.gone.add("PJSIP/trunk-1.3")

    with capture_logs() as logs:
        await rig.come_up()

    assert rig.book.of(ParkedList)[0].calls == ()
    assert [(log["event"], log["channels"]) for log in logs] == [("ami.state_missing", 3)]
    assert "crmroute.conf" in logs[0]["mend"]


async def test_channels_that_all_left_are_no_fault_of_the_dialplan(
    rig: LinkRig, server: ScriptedServer
) -> None:
    server.park("1.1", NOW + 4)
    server.gone.add("PJSIP/trunk-1.1")

    with capture_logs() as logs:
        await rig.come_up()

    assert rig.book.of(ParkedList)[0].calls == ()
    assert logs == []


async def test_call_whose_state_does_not_fit_is_refused_and_named(
    rig: LinkRig, server: ScriptedServer
) -> None:
    server.park("1.1", NOW + 4, tenant="Not Ours")
    server.park("1.2", NOW + 4)

    with capture_logs() as logs:
        await rig.come_up()

    assert [call.uniqueid for call in rig.book.of(ParkedList)[0].calls] == ["1.2"]
    assert [(log["uniqueid"], log["reason"]) for log in logs] == [("1.1", "tenant is malformed")]


async def test_row_with_a_forged_channel_is_not_believed(rig: LinkRig, server: ScriptedServer) -> None:
    """CallerIDNum is not escaped: a caller whose number has a line end writes headers."""
    server.park("1.1", NOW + 4)
    server.park("1.2", NOW + 4)
    server.rows[0].insert(5, ("Channel", "PJSIP/trunk-1.2"))

    await rig.come_up()

    assert [call.uniqueid for call in rig.book.of(ParkedList)[0].calls] == ["1.2"]


async def test_answer_that_is_not_believed_costs_only_its_own_call(
    rig: LinkRig, server: ScriptedServer
) -> None:
    for uniqueid in ("1.1", "1.2", "1.3"):
        server.park(uniqueid, NOW + 4, did=uniqueid[-1])
    server.states["PJSIP/trunk-1.2"] += "\r\nValue: rival"

    await rig.come_up()

    told = rig.book.of(ParkedList)[0].calls
    assert [(call.uniqueid, call.did) for call in told] == [("1.1", "1"), ("1.3", "3")]


@pytest.mark.parametrize(
    "forged", [("Response", "Success"), ("SubEvent", "End"), ("Event", "CoreShowChannelsComplete")]
)
async def test_row_with_a_forged_end_does_not_cut_the_list(
    rig: LinkRig, server: ScriptedServer, forged: tuple[str, str]
) -> None:
    for uniqueid in ("1.0", "1.1", "1.2"):
        server.park(uniqueid, NOW + 4)
    server.rows[1].append(forged)

    await rig.come_up()
    listed = [call.uniqueid for call in rig.book.of(ParkedList)[0].calls]

    assert {"1.0", "1.2"} <= set(listed)


async def test_call_that_left_while_the_list_was_made_is_not_listed(
    rig: LinkRig, server: ScriptedServer
) -> None:
    server.park("1.1", NOW + 4)
    server.park("1.2", NOW + 4)
    server.before_list = user_event("RouteGone", "1.1", N="1", Where="parked")

    await rig.come_up()

    assert [call.uniqueid for call in rig.book.of(ParkedList)[0].calls] == ["1.2"]


async def test_events_between_the_list_and_the_states_win(rig: LinkRig, server: ScriptedServer) -> None:
    for uniqueid in ("1.1", "1.2", "1.3"):
        server.park(uniqueid, NOW + 4)
    server.late[STATE] = asyncio.Event()
    landed = user_event("RouteTaken", "1.1", N="1", To="a/b/1")
    again = user_event("RouteAsking", "1.2", N="1") + parked_event("1.2", N="2", Asked="none")
    rig.start()
    await server.until_received(STATE)

    server.say(landed + again)
    await rig.book.until(CallNews, 3)
    server.late[STATE].set()
    listed = await rig.book.until(ParkedList)

    assert {(call.uniqueid, call.parking) for call in listed.calls} == {("1.2", 2), ("1.3", 1)}


async def test_call_parked_while_the_list_was_made_is_told_and_listed(
    rig: LinkRig, server: ScriptedServer
) -> None:
    server.before_list = parked_event("1.1")

    await rig.come_up()

    assert [type(news) for news in rig.book.news] == [LinkUp, CallNews, ParkedList]
    assert [call.uniqueid for call in rig.book.of(ParkedList)[0].calls] == ["1.1"]


async def test_news_right_behind_the_list_is_not_lost(rig: LinkRig, server: ScriptedServer) -> None:
    server.park("1.1", NOW + 4)
    server.after_list = parked_event("1.2") + user_event("RouteGone", "1.2", N="1", Where="parked")

    await rig.come_up()
    await rig.book.until(CallNews, 2)

    assert [type(news.event) for news in rig.book.of(CallNews)] == [CallParked, CallerHungUp]
    assert "1.1" in [call.uniqueid for call in rig.book.of(ParkedList)[0].calls]


async def test_list_that_stops_half_way_ends_the_connection(rig: LinkRig, server: ScriptedServer) -> None:
    server.silent.add("CoreShowChannels")

    rig.start(action_seconds=0.2)
    problem = "CoreShowChannels was not answered to its end"

    await rig.watch.until(lambda: problem in [down.problem for down in rig.book.of(LinkDown)])
    assert rig.book.of(ParkedList) == []


async def test_states_that_stop_half_way_end_the_connection(rig: LinkRig, server: ScriptedServer) -> None:
    server.park("1.1", NOW + 4)
    server.silent.add(STATE)

    rig.start(action_seconds=0.2)
    problem = "Asterisk did not answer Getvar in 0.2 s"

    await rig.watch.until(lambda: problem in [down.problem for down in rig.book.of(LinkDown)])
    assert rig.book.of(ParkedList) == []


@pytest.mark.parametrize("slow", ["CoreShowChannels", STATE])
async def test_claim_waits_for_the_list_and_is_lost_unsent_when_it_takes_too_long(
    rig: LinkRig, server: ScriptedServer, slow: str
) -> None:
    server.park("1.1", NOW + 4)
    server.late[slow] = asyncio.Event()
    link = rig.start(claim_seconds=0.05)
    await rig.book.until(LinkUp)

    early = await link.claim(CHANNEL, 1)
    server.late[slow].set()
    await rig.book.until(ParkedList)

    assert (early.is_won, early.problem) == (False, "Asterisk is busy listing its channels")
    assert server.sent("Getvar") == []
    assert rig.book.of(LinkDown) == []


async def test_claim_is_sent_once_the_last_state_is_there(rig: LinkRig, server: ScriptedServer) -> None:
    server.park("1.1", NOW + 4)
    server.late[STATE] = asyncio.Event()
    link = rig.start()
    await server.until_received(STATE)

    begun = asyncio.Event()

    async def claim() -> ClaimAnswer:
        begun.set()
        return await link.claim(CHANNEL, 1)

    claiming = asyncio.create_task(claim())
    await begun.wait()
    server.late[STATE].set()

    assert (await claiming).is_won
    assert server.names().index(STATE) < server.names().index("Getvar")


# Claims and moves


@pytest.mark.parametrize("value", ["", "0", "2", "11", "1 ", "one"])
async def test_only_the_value_1_wins(rig: LinkRig, server: ScriptedServer, value: str) -> None:
    link = await rig.come_up()
    server.silent.add("Getvar")
    claiming = asyncio.create_task(link.claim(CHANNEL, 1))
    await server.until_received("Getvar")

    number = server.sent("Getvar")[0]["ActionID"]
    answer = [("Response", "Success"), ("ActionID", number), ("Variable", "x"), ("Value", f"{value}\t")]
    server.say(message(answer))

    assert not (await claiming).is_won


async def test_late_claim_answer_changes_nothing(rig: LinkRig, server: ScriptedServer) -> None:
    link = await rig.come_up(claim_seconds=0.05)
    server.silent.add("Getvar")

    answer = await link.claim(CHANNEL, 1)
    await rig.book.until(ParkedList, 2)
    move = await link.move(CHANNEL, 1, [], LAND)

    assert not answer.is_won
    assert not move.is_accepted
    assert server.sent("Redirect") == []


async def test_claims_run_side_by_side(rig: LinkRig, server: ScriptedServer) -> None:
    link = await rig.come_up()

    answers = await asyncio.gather(*(link.claim(CHANNEL, 1) for _ in range(50)))

    assert sum(answer.is_won for answer in answers) == 1


async def test_refused_variable_is_logged_and_the_redirect_counts(
    rig: LinkRig, server: ScriptedServer
) -> None:
    link = await rig.come_up()
    await link.claim(CHANNEL, 1)
    server.errors["Setvar"] = "No such channel"

    with capture_logs() as logs:
        answer = await link.move(CHANNEL, 1, [("ROUTE_TO", "a,b,1")], LAND)

    assert answer.is_accepted
    assert [log["event"] for log in logs] == ["ami.setvar_failed"]


# Too much


async def test_too_many_waiting_events_end_the_connection_and_are_found_again(
    rig: LinkRig, server: ScriptedServer
) -> None:
    await rig.come_up(events_waiting=100)
    server.park("1.7", NOW + 4)

    server.say(b"".join(parked_event(f"1.{n}") for n in range(150)))
    down = await rig.book.until(LinkDown)
    listed = await rig.book.until(ParkedList, 2)

    assert down.problem == "more than 100 events wait"
    assert len(rig.book.of(CallNews)) == 100
    assert [call.uniqueid for call in listed.calls] == ["1.7"]


async def test_events_of_others_do_not_count(rig: LinkRig, server: ScriptedServer) -> None:
    await rig.come_up(events_waiting=100)
    newexten = message({"Event": "Newexten", "Channel": "a", "Uniqueid": "9.9"})

    server.say(newexten * 150 + user_event("QueueJoined", "1.1") * 150 + parked_event("1.2"))

    assert (await rig.book.until(CallNews)).uniqueid == "1.2"
    assert server.connections == 1


async def test_endless_message_ends_the_connection(rig: LinkRig, server: ScriptedServer) -> None:
    await rig.come_up()

    server.say(b"Event: UserEvent\r\nX: " + b"x" * MOST_MESSAGE_BYTES)
    down = await rig.book.until(LinkDown)

    assert down.problem == f"a message of more than {MOST_MESSAGE_BYTES} bytes"


# TLS


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate")
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    subject = ["-subj", "/CN=pbx", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made = ["-keyout", str(key), "-out", str(chain)]
    subprocess.run([openssl, "req", "-x509", *kind, *subject, *made], check=True, capture_output=True)
    return key, chain


@pytest.fixture
async def tls_rig(certificate: tuple[Path, Path]) -> AsyncIterator[LinkRig]:
    key, chain = certificate
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    watch = Watch()
    server = ScriptedServer(watch, context)
    await server.start()
    rig = LinkRig(server, watch)
    yield rig
    await rig.stop()
    await server.aclose()


async def test_tls_with_the_right_authority_works(tls_rig: LinkRig, certificate: tuple[Path, Path]) -> None:
    plain = asterisk_server(tls_rig.server.port)

    tls_rig.start_with(replace(plain, tls=True, tls_ca_file=str(certificate[1])))
    await tls_rig.book.until(ParkedList)

    assert (await tls_rig.link.claim(CHANNEL, 1)).is_won


async def test_tls_with_an_unknown_authority_is_refused(tls_rig: LinkRig) -> None:
    tls_rig.start_with(replace(asterisk_server(tls_rig.server.port), tls=True))
    down = await tls_rig.book.until(LinkDown)

    assert "certificate" in down.problem
    assert tls_rig.server.received == []


async def test_authority_file_that_is_missing_is_named(rig: LinkRig, tmp_path: Path) -> None:
    missing = str(tmp_path / "no-such-file.pem")

    rig.start_with(replace(asterisk_server(rig.server.port), tls=True, tls_ca_file=missing))
    down = await rig.book.until(LinkDown)

    assert missing in down.problem
