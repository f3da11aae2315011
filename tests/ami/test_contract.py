"""What every link promises to the engine: the real one against a scripted Asterisk, and the fake."""

from collections.abc import Sequence
from typing import Protocol

import pytest

from router.ami.fake import FakeLink
from router.ami.seam import AsteriskLink, LinkDown, LinkUp, ParkedList, ServerNews, ServerRestarted
from router.core.destinations import Destination
from router.core.identities import ChannelName
from tests.ami.conftest import SERVER, LinkRig
from tests.ami.scripted_server import ScriptedServer
from tests.ami.watching import NewsBook, Watch

CHANNEL = ChannelName("PJSIP/trunk-00000001")
OTHER = ChannelName("PJSIP/trunk-00000002")
LAND = Destination("route-land", "s")
VARIABLES = (("ROUTE_TO", "route-queue,gold,1"), ("ROUTE_OPTION", "gold"))
Move = tuple[str, str, dict[str, str]]


class Side(Protocol):
    """Asterisk's side of a link, real or fake."""

    book: NewsBook

    @property
    def link(self) -> AsteriskLink: ...

    async def come_up(self) -> None: ...
    async def lose(self) -> None: ...
    async def come_back(self, *, is_restart: bool = False) -> None: ...
    def claim_elsewhere(self) -> None: ...
    def end_channel(self) -> None: ...
    def refuse_moves(self, problem: str) -> None: ...
    def fall_silent(self) -> None: ...
    async def moves(self) -> list[Move]:
        """Accepted Redirects: channel, place, and the variables that the channel has by then."""


class FakeSide:
    def __init__(self) -> None:
        self.book = NewsBook(Watch())
        self.fake = FakeLink(SERVER, self.book)
        self.link: AsteriskLink = self.fake

    async def come_up(self) -> None:
        self.fake.come_up()

    async def lose(self) -> None:
        self.fake.go_down()

    async def come_back(self, *, is_restart: bool = False) -> None:
        self.fake.is_silent = False
        self.fake.come_up(is_restart=is_restart)

    def claim_elsewhere(self) -> None:
        self.fake.claim_elsewhere(CHANNEL, 1)

    def end_channel(self) -> None:
        self.fake.gone.add(CHANNEL)

    def refuse_moves(self, problem: str) -> None:
        self.fake.refuse_moves = problem

    def fall_silent(self) -> None:
        self.fake.is_silent = True

    async def moves(self) -> list[Move]:
        variables = {name: value for armed in self.fake.armed for name, value in armed.variables}
        return [(m.channel, str(m.place), variables | dict(m.variables)) for m in self.fake.moved]


class RealSide:
    def __init__(self, rig: LinkRig) -> None:
        self.rig = rig
        self.server: ScriptedServer = rig.server
        self.book = rig.book

    @property
    def link(self) -> AsteriskLink:
        return self.rig.link

    async def come_up(self) -> None:
        # Short enough for a withheld answer; an answer that is given comes a thousand times sooner.
        await self.rig.come_up(claim_seconds=1.0, action_seconds=1.0)

    async def lose(self) -> None:
        await self.server.stop_listening()
        self.server.reset()
        await self.book.until(LinkDown)

    async def come_back(self, *, is_restart: bool = False) -> None:
        self.server.silent.clear()
        if is_restart:
            self.server.uptime = 3
        if self.server._server is None:
            await self.server.start()
        await self.book.until(ParkedList, 2)

    def claim_elsewhere(self) -> None:
        self.server.claim_elsewhere(CHANNEL, 1)

    def end_channel(self) -> None:
        self.server.gone.add(CHANNEL)

    def refuse_moves(self, problem: str) -> None:
        self.server.errors["Redirect"] = problem

    def fall_silent(self) -> None:
        self.server.silent |= {"Getvar", "Setvar", "Redirect"}

    async def moves(self) -> list[Move]:
        moves: list[Move] = []
        variables: dict[str, str] = {}
        for action in self.server.received:
            if action["Action"] == "Setvar":
                variables[action["Variable"]] = action["Value"]
            if action["Action"] == "Redirect" and not self.server.errors and not self.server.silent:
                place = f"{action['Context']},{action['Exten']},{action['Priority']}"
                moves.append((action["Channel"], place, dict(variables)))
        return moves


@pytest.fixture(params=["real", "fake"])
async def side(request: pytest.FixtureRequest, rig: LinkRig) -> Side:
    return FakeSide() if request.param == "fake" else RealSide(rig)


def kinds(news: Sequence[ServerNews]) -> list[str]:
    return [type(item).__name__ for item in news]


async def test_link_has_its_servers_name(side: Side) -> None:
    await side.come_up()

    assert side.link.name == SERVER


async def test_connection_begins_with_link_up_and_the_list(side: Side) -> None:
    await side.come_up()

    assert kinds(side.book.news) == ["LinkUp", "ParkedList"]


async def test_first_claim_wins_and_second_does_not(side: Side) -> None:
    await side.come_up()

    first = await side.link.claim(CHANNEL, 1)
    second = await side.link.claim(CHANNEL, 1)

    assert first.is_won
    assert not second.is_won
    assert second.problem == ""


async def test_claims_of_other_parkings_and_channels_are_their_own(side: Side) -> None:
    await side.come_up()

    answers = [
        await side.link.claim(CHANNEL, 1),
        await side.link.claim(CHANNEL, 2),
        await side.link.claim(OTHER, 1),
    ]

    assert [answer.is_won for answer in answers] == [True, True, True]


async def test_claim_after_somebody_else_is_lost_without_a_problem(side: Side) -> None:
    await side.come_up()
    side.claim_elsewhere()

    answer = await side.link.claim(CHANNEL, 1)

    assert (answer.is_won, answer.problem) == (False, "")


async def test_claim_of_a_gone_channel_names_the_problem(side: Side) -> None:
    await side.come_up()
    side.end_channel()

    answer = await side.link.claim(CHANNEL, 1)

    assert not answer.is_won
    assert answer.problem == f"Channel does not exist: {CHANNEL}"


async def test_move_sets_variables_and_redirects(side: Side) -> None:
    await side.come_up()
    side.link.arm(CHANNEL, [("ROUTE_FALLBACK", "route-queue,sales,1")])
    await side.link.claim(CHANNEL, 1)

    answer = await side.link.move(CHANNEL, 1, VARIABLES, LAND)

    assert answer.is_accepted
    set_by_then = {"ROUTE_FALLBACK": "route-queue,sales,1", **dict(VARIABLES)}
    assert await side.moves() == [(CHANNEL, "route-land,s,1", set_by_then)]


@pytest.mark.parametrize("before", ["nothing", "a lost claim", "a claim of another parking"])
async def test_move_without_a_won_claim_is_refused(side: Side, before: str) -> None:
    await side.come_up()
    if before == "a lost claim":
        side.claim_elsewhere()
        await side.link.claim(CHANNEL, 1)
    if before == "a claim of another parking":
        await side.link.claim(CHANNEL, 2)

    answer = await side.link.move(CHANNEL, 1, VARIABLES, LAND)

    assert not answer.is_accepted
    assert answer.problem
    assert await side.moves() == []


async def test_claim_serves_one_move(side: Side) -> None:
    await side.come_up()
    await side.link.claim(CHANNEL, 1)
    await side.link.move(CHANNEL, 1, VARIABLES, LAND)

    again = await side.link.move(CHANNEL, 1, VARIABLES, LAND)

    assert not again.is_accepted
    assert len(await side.moves()) == 1


async def test_refused_move_says_why(side: Side) -> None:
    await side.come_up()
    await side.link.claim(CHANNEL, 1)
    side.refuse_moves("Redirect failed, channel not up.")

    answer = await side.link.move(CHANNEL, 1, VARIABLES, LAND)

    assert (answer.is_accepted, answer.problem) == (False, "Redirect failed, channel not up.")


async def test_without_a_connection_nothing_is_sent_then_or_later(side: Side) -> None:
    await side.come_up()
    await side.lose()

    side.link.arm(CHANNEL, VARIABLES)
    claim = await side.link.claim(CHANNEL, 1)
    move = await side.link.move(CHANNEL, 1, VARIABLES, LAND)
    await side.come_back()
    first_now = await side.link.claim(CHANNEL, 1)

    assert not claim.is_won
    assert claim.problem
    assert not move.is_accepted
    assert first_now.is_won
    assert await side.moves() == []


async def test_claim_won_on_an_older_connection_moves_nobody(side: Side) -> None:
    await side.come_up()
    won = await side.link.claim(CHANNEL, 1)
    await side.lose()
    await side.come_back()

    answer = await side.link.move(CHANNEL, 1, VARIABLES, LAND)

    assert won.is_won
    assert not answer.is_accepted
    assert await side.moves() == []


async def test_silence_is_a_lost_claim_and_ends_the_connection(side: Side) -> None:
    await side.come_up()
    side.fall_silent()

    answer = await side.link.claim(CHANNEL, 1)

    assert not answer.is_won
    assert answer.problem
    assert (await side.book.until(LinkDown)).problem


async def test_silence_after_a_redirect_is_not_accepted_and_ends_the_connection(side: Side) -> None:
    await side.come_up()
    await side.link.claim(CHANNEL, 1)
    side.fall_silent()

    answer = await side.link.move(CHANNEL, 1, VARIABLES, LAND)

    assert not answer.is_accepted
    await side.book.until(LinkDown)


async def test_connection_comes_back_with_link_up_and_the_list(side: Side) -> None:
    await side.come_up()
    await side.lose()

    await side.come_back()

    assert [kinds(side.book.of(LinkUp)), kinds(side.book.of(ServerRestarted))] == [["LinkUp"] * 2, []]
    assert kinds(side.book.news)[-1] == "ParkedList"


async def test_restarted_asterisk_is_told_before_its_list(side: Side) -> None:
    await side.come_up()
    await side.lose()

    await side.come_back(is_restart=True)

    assert kinds(side.book.news)[-3:] == ["LinkUp", "ServerRestarted", "ParkedList"]
    assert [up.is_restart for up in side.book.of(LinkUp)] == [False, True]


@pytest.mark.parametrize(
    "variables",
    [
        [("ROUTE_TO", "x\r\nAction: Originate")],
        [("ROUTE_TO)", "x")],
        [("route_to", "x")],
        [("ROUTE_TO", "x" * 1000)],
    ],
)
async def test_unsafe_variables_are_not_sent_and_raise_nothing(
    side: Side, variables: list[tuple[str, str]]
) -> None:
    await side.come_up()
    await side.link.claim(CHANNEL, 1)

    side.link.arm(CHANNEL, variables)
    answer = await side.link.move(CHANNEL, 1, variables, LAND)

    assert not answer.is_accepted
    assert answer.problem
    assert await side.moves() == []


@pytest.mark.parametrize("channel", ["", " ", "a\r\nb"])
async def test_claim_of_no_channel_is_lost(side: Side, channel: str) -> None:
    """Asterisk would count a global variable instead, and tell everyone that he won."""
    await side.come_up()

    answer = await side.link.claim(ChannelName(channel), 1)

    assert not answer.is_won
    assert answer.problem
