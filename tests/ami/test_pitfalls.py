"""What panoramisk 1.4 does in trouble, and that the link does not: one section for each known pitfall."""

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from router.ami import outbound
from router.ami.link import AmiLink
from router.ami.messages import parse_message
from router.ami.protocol import OneConnection
from router.ami.seam import CallNews, LinkDown, LinkUp, ParkedList
from router.ami.session import Session
from router.core.destinations import Destination
from router.core.events import CallerHungUp, CallParked
from router.core.identities import ChannelName
from tests.ami.conftest import SECRET, LinkRig, ami_settings, asterisk_server
from tests.ami.scripted_server import ScriptedServer, message, parked_event, user_event
from tests.ami.watching import NewsBook, Watch, watched_logs

CHANNEL = ChannelName("PJSIP/trunk-00000001")
LAND = Destination("route-land", "s")
PROJECT = Path(__file__).parents[2]


async def round_trip(rig: LinkRig) -> None:
    """Whatever the server said before is read now."""
    await rig.link.claim(ChannelName("PJSIP/nobody"), 1)


# Unanswered actions are sent again after a reconnect, and actions sent while disconnected go out later.


@pytest.mark.parametrize("end", ["reset", "hang_up"])
async def test_unanswered_redirect_is_never_sent_again(
    rig: LinkRig, server: ScriptedServer, end: str
) -> None:
    link = await rig.come_up()
    await link.claim(CHANNEL, 1)
    server.silent |= {"Setvar", "Redirect"}
    moving = asyncio.create_task(link.move(CHANNEL, 1, [("ROUTE_TO", "a,b,1")], LAND))
    await server.until_received("Redirect")
    server.silent.clear()

    getattr(server, end)()
    answer = await moving
    await rig.book.until(ParkedList, 2)
    await round_trip(rig)

    assert not answer.is_accepted
    assert len(server.sent("Redirect")) == 1
    assert len(server.sent("Setvar")) == 1
    assert server.names().count("Login") == 2


async def test_nothing_sent_while_disconnected_goes_out_later(rig: LinkRig, server: ScriptedServer) -> None:
    link = await rig.come_up()
    await server.stop_listening()
    server.reset()
    await rig.book.until(LinkDown)

    link.arm(CHANNEL, [("ROUTE_FALLBACK", "a,b,1")])
    claim = await link.claim(CHANNEL, 1)
    await server.start()
    await rig.book.until(ParkedList, 2)
    await round_trip(rig)

    assert not claim.is_won
    assert [action["Channel"] for action in server.sent("Getvar")] == ["PJSIP/nobody"]
    assert server.sent("Setvar") == []


async def test_every_action_of_ours_is_forgetable_to_panoramisk() -> None:
    manager = OneConnection(asyncio.get_running_loop())

    assert {name.lower() for name in outbound.ACTION_NAMES} == set(manager.forgetable_actions)
    assert not manager.awaiting_actions


# No check of line ends: one value can carry a second action.


async def test_value_with_a_second_action_reaches_nobody(rig: LinkRig, server: ScriptedServer) -> None:
    link = await rig.come_up()
    await link.claim(CHANNEL, 1)
    evil = "x\r\n\r\nAction: Originate\r\nChannel: Local/1@out"

    link.arm(CHANNEL, [("ROUTE_FALLBACK", evil)])
    answer = await link.move(CHANNEL, 1, [("ROUTE_TO", evil)], LAND)
    await round_trip(rig)

    assert not answer.is_accepted
    assert set(server.names()) <= set(outbound.ACTION_NAMES)
    assert server.sent("Setvar") == server.sent("Redirect") == []


# Each packet is decoded by itself: letters at packet borders and Latin-1 letters vanish.


@pytest.mark.parametrize("piece_bytes", [1, 2, 3, 7])
async def test_letters_at_packet_borders_stay_whole(
    rig: LinkRig, server: ScriptedServer, piece_bytes: int
) -> None:
    server.piece_bytes = piece_bytes
    await rig.come_up()

    server.say(parked_event("pbx-a-1.1", CallerIDName="Zoé Ω 電話"))
    news = await rig.book.until(CallNews)

    assert isinstance(news.event, CallParked)
    assert news.event.caller_name == "Zoé Ω 電話"


async def test_latin1_letters_leave_a_mark_and_the_rest_stays(rig: LinkRig, server: ScriptedServer) -> None:
    await rig.come_up()

    server.say(parked_event("pbx-a-1.1", CallerIDName="Zoé").decode().encode("latin-1"))
    news = await rig.book.until(CallNews)

    assert isinstance(news.event, CallParked)
    assert news.event.caller_name == "Zo\ufffd"


# A repeated header becomes a list; a repeated Event or ActionID closes the connection.


async def test_repeated_header_that_decides_nothing_counts_once(rig: LinkRig, server: ScriptedServer) -> None:
    await rig.come_up()

    server.say(parked_event("pbx-a-1.1", Language="en")[:-2] + b"Language: fr\r\nLanguage: de\r\n\r\n")

    assert isinstance((await rig.book.until(CallNews)).event, CallParked)


@pytest.mark.parametrize(
    "header", ["Event", "ActionID", "Tenant", "tenant", "N", "Channel", "Uniqueid", "From", "HoldMs", "V"]
)
async def test_message_that_repeats_a_header_we_decide_by_is_dropped(
    rig: LinkRig, server: ScriptedServer, header: str
) -> None:
    await rig.come_up()
    begin = b"ActionID: 1\r\n" if header == "ActionID" else b""

    with capture_logs() as logs:
        server.say(begin + parked_event("pbx-a-1.1")[:-2] + f"{header}: rival\r\n\r\n".encode())
        server.say(parked_event("pbx-a-1.2"))
        news = await rig.book.until(CallNews)

    assert news.uniqueid == "pbx-a-1.2"
    assert rig.server.connections == 1
    assert [log["repeated"] for log in logs if log["event"] == "ami.message_dropped"] == [header.lower()]


async def test_forged_answer_with_two_values_wins_no_claim(rig: LinkRig, server: ScriptedServer) -> None:
    link = await rig.come_up(claim_seconds=0.05)
    server.silent.add("Getvar")
    claiming = asyncio.create_task(link.claim(CHANNEL, 1))
    await server.until_received("Getvar")

    number = server.sent("Getvar")[0]["ActionID"]
    server.say(message([("Response", "Success"), ("ActionID", number), ("Value", "1"), ("Value", "2")]))

    assert not (await claiming).is_won


# An exception in a callback closes the connection and drops the rest of the packet.


async def test_failing_listener_loses_its_news_and_nothing_else(server: ScriptedServer, rig: LinkRig) -> None:
    heard: list[str] = []

    def fail_once(news: object) -> None:
        if isinstance(news, CallNews):
            heard.append(news.uniqueid)
            rig.watch.stir()
            if len(heard) == 1:
                raise RuntimeError("a fault of the engine")
        else:
            rig.book(news)  # type: ignore[arg-type]

    link = AmiLink(asterisk_server(server.port), ami_settings(), fail_once)
    task = asyncio.create_task(link.run())
    await rig.book.until(ParkedList)

    with capture_logs() as logs:
        server.say(parked_event("1.1") + parked_event("1.2") + parked_event("1.3"))
        await rig.watch.until(lambda: len(heard) == 3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert heard == ["1.1", "1.2", "1.3"]
    assert server.connections == 1
    assert [log["event"] for log in logs] == ["ami.news_failed"]


async def test_failing_message_loses_nothing_behind_it(
    rig: LinkRig, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_at_first(raw: bytes) -> Any:
        if b"1.1" in raw:
            raise ValueError("a fault of ours")
        return parse_message(raw)

    await rig.come_up()
    monkeypatch.setattr("router.ami.protocol.parse_message", fail_at_first)

    server.say(parked_event("1.1") + parked_event("1.2"))

    assert (await rig.book.until(CallNews)).uniqueid == "1.2"
    assert server.connections == 1


# Coroutine callbacks overtake each other.


async def test_news_comes_in_asterisks_order(rig: LinkRig, server: ScriptedServer) -> None:
    await rig.come_up(events_waiting=1000)
    said = [parked_event(f"1.{n}") + user_event("RouteGone", f"1.{n}", N="1") for n in range(300)]

    server.say(b"".join(said))
    await rig.book.until(CallNews, 600)

    told = [(news.uniqueid, type(news.event)) for news in rig.book.of(CallNews)]
    assert told == [(f"1.{n}", kind) for n in range(300) for kind in (CallParked, CallerHungUp)]


# Pings are sent but their answers are never looked at.


async def test_black_hole_is_noticed_by_missed_pings(rig: LinkRig, server: ScriptedServer) -> None:
    await rig.come_up(ping_every_seconds=0.01, ping_seconds=0.01)

    server.go_black()
    news = await rig.book.until(LinkDown)

    assert news.problem == "2 pings were not answered"


async def test_given_up_connection_is_reset_so_that_nothing_sent_on_it_arrives_later(
    rig: LinkRig, server: ScriptedServer
) -> None:
    await rig.come_up(claim_seconds=0.05)
    server.silent.add("Getvar")

    await rig.link.claim(ChannelName("PJSIP/trunk-1.1"), 1)
    await server.watch.until(lambda: server.resets)

    assert server.resets == 1


async def test_one_missed_ping_is_forgiven(rig: LinkRig, server: ScriptedServer) -> None:
    await rig.come_up(ping_every_seconds=0.01, ping_seconds=0.2)
    server.late["Ping"] = asyncio.Event()

    with watched_logs(rig.watch) as logs:
        await rig.watch.until(lambda: any(log["event"] == "ami.ping_missed" for log in logs))
        server.late.pop("Ping").set()
        answered = server.names().count("Ping")
        await rig.watch.until(lambda: server.names().count("Ping") >= answered + 3)

    assert rig.book.of(LinkDown) == []


# A failed login raises nothing, calls nobody, and is tried every two seconds for ever.


async def test_refused_login_is_told_and_waits_long(rig: LinkRig, server: ScriptedServer) -> None:
    server.login_error = "Authentication failed"

    with capture_logs() as logs:
        rig.start()
        news = await rig.book.until(LinkDown)

    assert news.problem == "Authentication failed"
    assert [log["event"] for log in logs] == ["ami.refused"]
    assert server.connections == 1


async def test_refused_login_is_loud_once_and_mends_itself(rig: LinkRig, server: ScriptedServer) -> None:
    server.login_error = "Authentication failed"

    with capture_logs() as logs:
        rig.start(refused_wait_seconds=0.001)
        await server.until_received("Login", 4)
        server.login_error = ""
        await rig.book.until(LinkUp)

    assert [log["event"] for log in logs if log["log_level"] != "debug"] == ["ami.refused"]
    assert len(rig.book.of(LinkDown)) == 1
    assert SECRET not in str(logs)


async def test_login_that_is_not_answered_is_given_up(rig: LinkRig, server: ScriptedServer) -> None:
    server.silent.add("Login")

    rig.start(login_seconds=0.02)
    news = await rig.book.until(LinkDown)
    server.silent.clear()

    assert news.problem == "Asterisk did not answer Login in 0.02 s"
    assert isinstance(await rig.book.until(LinkUp), LinkUp)


# Reconnects after a fixed time, with no limit to connecting, and only after an OSError.


async def test_reconnects_until_the_server_is_back(rig: LinkRig, server: ScriptedServer) -> None:
    await rig.come_up()
    await server.stop_listening()
    server.reset()
    await rig.book.until(LinkDown, 2)  # lost, then refused

    await server.start()
    await rig.book.until(LinkUp, 2)

    assert rig.book.of(LinkDown)[1].problem == "Connection refused"


async def test_server_that_accepts_and_says_nothing_is_given_up(rig: LinkRig, server: ScriptedServer) -> None:
    server.go_black()

    rig.start(connect_seconds=0.02)
    news = await rig.book.until(LinkDown)
    server.come_back()

    assert news.problem == "no connection in 0.02 s"
    assert isinstance(await rig.book.until(LinkUp), LinkUp)


async def test_name_that_cannot_be_resolved_is_only_a_problem(rig: LinkRig) -> None:
    server = asterisk_server(5038)

    rig.start_with(type(server)(name=server.name, host="a" * 70, port=5038, username="a", secret="b"))

    assert (await rig.book.until(LinkDown)).problem


# close() during the pause reconnects nevertheless; sending before the connection is an AttributeError.


async def test_stopped_link_never_connects_again(rig: LinkRig, server: ScriptedServer) -> None:
    link = rig.start()
    await rig.book.until(ParkedList)
    await server.stop_listening()
    server.reset()
    await rig.book.until(LinkDown)

    await rig.stop()
    await server.start()
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    assert not (await link.claim(CHANNEL, 1)).is_won
    assert server.connections == 1
    assert all("_serve" in repr(task) for task in tasks)


async def test_stopped_link_leaves_no_connection(rig: LinkRig, server: ScriptedServer) -> None:
    await rig.come_up()

    await rig.stop()
    await rig.watch.until(lambda: not server._writers)

    assert server.connections == 1


async def test_link_that_never_ran_answers_that_it_has_no_connection() -> None:
    book = NewsBook(Watch())
    link = AmiLink(asterisk_server(1), ami_settings(), book)

    link.arm(CHANNEL, [("ROUTE_TO", "x")])
    claim = await link.claim(CHANNEL, 1)
    move = await link.move(CHANNEL, 1, [], LAND)

    assert (claim.is_won, claim.problem) == (False, "there is no connection to Asterisk")
    assert not move.is_accepted
    assert link.counts.arms_failed == 1


# Actions that get no answer stay in the book for ever.


async def test_unanswered_variables_leave_nothing_behind(rig: LinkRig, server: ScriptedServer) -> None:
    link = await rig.come_up(action_seconds=0.05)
    session = link._session
    assert session is not None
    server.silent.add("Setvar")

    with watched_logs(rig.watch) as logs:
        for _ in range(20):
            link.arm(CHANNEL, [("ROUTE_FALLBACK", "a,b,1"), ("ROUTE_FALLBACK_OPTION", "a")])
        waiting = len(session.protocol.responses)
        await rig.watch.until(lambda: len(logs) == 40)

    assert waiting == 40
    assert session.protocol.responses == {}
    assert link.counts.arms_failed == 40
    assert link._session is session


async def test_cancelled_claim_leaves_nothing_behind(rig: LinkRig, server: ScriptedServer) -> None:
    link = await rig.come_up()
    session = link._session
    assert session is not None
    server.silent.add("Getvar")
    claiming = asyncio.create_task(link.claim(CHANNEL, 1))
    await server.until_received("Getvar")

    claiming.cancel()
    await asyncio.gather(claiming, return_exceptions=True)

    assert session.protocol.responses == {}


async def test_ended_session_is_not_kept(rig: LinkRig, server: ScriptedServer) -> None:
    await rig.come_up()
    for count in range(2, 5):
        server.reset()
        await rig.book.until(ParkedList, count)
    gc.collect()

    assert sum(isinstance(thing, Session) for thing in gc.get_objects()) <= 2


# Waiting actions go out only after a FullyBooted, which needs read=system.


async def test_link_needs_no_fully_booted(rig: LinkRig, server: ScriptedServer) -> None:
    server.uptime = None
    link = await rig.come_up()

    assert (await link.claim(CHANNEL, 1)).is_won


# A missing header reads as empty, so a misspelt one passes.


@pytest.mark.parametrize("missing", ["Tenant", "N", "HoldMs", "From", "Entry", "Digits", "V", "Channel"])
async def test_event_that_lacks_a_header_is_refused(
    rig: LinkRig, server: ScriptedServer, missing: str
) -> None:
    await rig.come_up()
    lines = parked_event("1.1").decode().split("\r\n")
    lacking = "\r\n".join(line for line in lines if not line.startswith(f"{missing}: "))

    with capture_logs() as logs:
        server.say(lacking.encode() + parked_event("1.2"))
        news = await rig.book.until(CallNews)

    assert news.uniqueid == "1.2"
    assert [log["event"] for log in logs] == ["ami.event_refused"]
    assert rig.link.counts.events_refused == 1


# send_action adds to the dict it is given, and headers go out in the order of their names.


async def test_sending_leaves_the_headers_as_they_were(rig: LinkRig) -> None:
    link = await rig.come_up()
    assert link._session is not None
    headers = outbound.claim(CHANNEL, 1)

    await link._session.ask(headers, 15.0)

    assert headers == outbound.claim(CHANNEL, 1)


async def test_variables_arrive_before_the_redirect_in_their_order(
    rig: LinkRig, server: ScriptedServer
) -> None:
    link = await rig.come_up()
    await link.claim(CHANNEL, 1)

    await link.move(CHANNEL, 1, [("ROUTE_TO", "1"), ("QUEUE_PRIO", "2"), ("ROUTE_OPTION", "3")], LAND)

    moved = server.received[-4:]
    assert [a.get("Variable", a["Action"]) for a in moved] == [
        "ROUTE_TO",
        "QUEUE_PRIO",
        "ROUTE_OPTION",
        "Redirect",
    ]
    assert moved[-1]["Priority"] == "1"


# CallManager mixes the calls of one second.


async def test_calls_of_one_second_stay_apart(rig: LinkRig, server: ScriptedServer) -> None:
    await rig.come_up()

    server.say(parked_event("pbx-a-1700000000.17") + parked_event("pbx-a-1700000000.18"))
    await rig.book.until(CallNews, 2)

    assert [n.uniqueid for n in rig.book.of(CallNews)] == ["pbx-a-1700000000.17", "pbx-a-1700000000.18"]


# Action() needs a running loop.


def test_link_can_be_built_without_a_running_loop() -> None:
    link = AmiLink(asterisk_server(1), ami_settings(), NewsBook(Watch()))

    assert link.name == "pbx-a"


# 1.4 is the last release: it stands behind one adapter.


def test_only_one_module_knows_panoramisk() -> None:
    knowing = {
        str(path.relative_to(PROJECT))
        for folder in ("router", "workers")
        for path in (PROJECT / folder).rglob("*.py")
        if "import panoramisk" in path.read_text() or "from panoramisk" in path.read_text()
    }

    assert knowing == {"router/ami/protocol.py"}


def test_panoramisk_is_pinned() -> None:
    assert '"panoramisk==1.4"' in (PROJECT / "pyproject.toml").read_text()
