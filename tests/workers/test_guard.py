"""No look-up reaches an address that is not public, however it is written, resolved or redirected to."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from router.core.faults import Fault
from tests.workers.makers import WORKER
from workers import guard, http
from workers.connectors.steps import Request, Response
from workers.errors import LookupFailed, LookupRefused, LookupUnavailable
from workers.guard import AddressForbidden, Guard, noted_attempts
from workers.http import HttpClient

CLOSED = replace(WORKER, allowed_networks=())

# The kinds of addresses
#
# factors: version; range; its first, last and a middle address; an IPv4 address carried in an IPv6 one

FORBIDDEN = [
    ("0.0.0.0", guard.UNSPECIFIED),
    ("0.255.255.255", guard.UNSPECIFIED),
    ("10.0.0.0", guard.PRIVATE),
    ("10.255.255.255", guard.PRIVATE),
    ("100.64.0.0", guard.SHARED),
    ("100.127.255.255", guard.SHARED),
    ("100.100.100.200", guard.METADATA),
    ("127.0.0.0", guard.LOOPBACK),
    ("127.0.0.1", guard.LOOPBACK),
    ("127.255.255.255", guard.LOOPBACK),
    ("168.63.129.16", guard.METADATA),
    ("169.254.0.0", guard.LINK_LOCAL),
    ("169.254.169.254", guard.METADATA),
    ("169.254.170.2", guard.LINK_LOCAL),
    ("169.254.255.255", guard.LINK_LOCAL),
    ("172.16.0.0", guard.PRIVATE),
    ("172.31.255.255", guard.PRIVATE),
    ("192.0.0.0", guard.RESERVED),
    ("192.0.0.192", guard.METADATA),
    ("192.0.2.1", guard.EXAMPLE),
    ("192.88.99.1", guard.TUNNEL),
    ("192.168.0.0", guard.PRIVATE),
    ("192.168.255.255", guard.PRIVATE),
    ("198.18.0.0", guard.BENCHMARK),
    ("198.19.255.255", guard.BENCHMARK),
    ("198.51.100.1", guard.EXAMPLE),
    ("203.0.113.1", guard.EXAMPLE),
    ("224.0.0.0", guard.MULTICAST),
    ("239.255.255.255", guard.MULTICAST),
    ("240.0.0.0", guard.RESERVED),
    ("255.255.255.254", guard.RESERVED),
    ("255.255.255.255", guard.BROADCAST),
    ("::", guard.UNSPECIFIED),
    ("::1", guard.LOOPBACK),
    ("::2", guard.TUNNEL),
    ("::127.0.0.1", guard.TUNNEL),
    ("::8.8.8.8", guard.TUNNEL),
    ("::ffff:127.0.0.1", guard.LOOPBACK),
    ("::ffff:10.1.2.3", guard.PRIVATE),
    ("::ffff:169.254.169.254", guard.METADATA),
    ("::ffff:0:127.0.0.1", guard.TUNNEL),
    ("64:ff9b::7f00:1", guard.LOOPBACK),
    ("64:ff9b::192.168.1.1", guard.PRIVATE),
    ("64:ff9b::169.254.169.254", guard.METADATA),
    ("64:ff9b:0:0:1::", guard.RESERVED),
    ("64:ff9b:1::", guard.PRIVATE),
    ("64:ff9b:1:ffff:ffff:ffff:ffff:ffff", guard.PRIVATE),
    ("64:ff9b:1::8.8.8.8", guard.PRIVATE),
    ("100::1", guard.RESERVED),
    ("2001::1", guard.TUNNEL),
    ("2001:0:4136:e378:8000:63bf:3fff:fdd2", guard.TUNNEL),
    ("2001:2::1", guard.BENCHMARK),
    ("2001:10::1", guard.RESERVED),
    ("2001:1ff:ffff::1", guard.RESERVED),
    ("2001:db8::1", guard.EXAMPLE),
    ("2002:7f00:1::1", guard.TUNNEL),
    ("2002:a00:1::", guard.TUNNEL),
    ("2002:808:808::1", guard.TUNNEL),
    ("3fff::1", guard.EXAMPLE),
    ("3fff:fff:ffff::1", guard.EXAMPLE),
    ("4000::1", guard.RESERVED),
    ("5f00::1", guard.RESERVED),
    ("fc00::1", guard.PRIVATE),
    ("fd00:ec2::254", guard.METADATA),
    ("fd20:ce::254", guard.METADATA),
    ("fdff:ffff::1", guard.PRIVATE),
    ("fe80::1", guard.LINK_LOCAL),
    ("fe80::1%eth0", guard.LINK_LOCAL),
    ("febf::1", guard.LINK_LOCAL),
    ("fec0::1", guard.PRIVATE),
    ("feff::1", guard.PRIVATE),
    ("ff02::1", guard.MULTICAST),
    ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", guard.MULTICAST),
    ("::1%lo", guard.LOOPBACK),
]
PUBLIC = [
    "1.0.0.0",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2000::1",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2003::1",
    "2606:4700::1111",
    "3ffe::1",
]


@pytest.mark.parametrize(("address", "kind"), FORBIDDEN)
def test_an_address_that_is_not_public_is_forbidden_by_its_kind(address: str, kind: str) -> None:
    assert Guard(()).forbidden_kind(address) == kind


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_asked(address: str) -> None:
    assert Guard(()).forbidden_kind(address) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "127.1",
        "0x7f.1",
        "0177.0.0.1",
        "2130706433",
        "127.0.0.1:80",
        "/run/crm.sock",
        "[::1]",
    ],
)
def test_what_is_no_plain_address_is_forbidden(text: str) -> None:
    assert Guard(()).forbidden_kind(text) == guard.RESERVED


@given(st.integers(0, 2**32 - 1))
def test_whatever_python_takes_for_special_is_forbidden_and_so_is_what_carries_it(number: int) -> None:
    judged = Guard(())
    address = IPv4Address(number)
    kind = judged.forbidden_kind(str(address))

    assert kind or address.is_global
    assert judged.forbidden_kind(f"::ffff:{address}") == kind
    assert judged.forbidden_kind(f"64:ff9b::{address}") == kind
    assert judged.forbidden_kind(f"::{address}")
    assert judged.forbidden_kind(str(IPv6Address((0x2002 << 112) | (number << 80) | 1)))


@given(st.integers(0, 2**128 - 1))
def test_ipv6_that_is_not_global_is_forbidden(number: int) -> None:
    address = IPv6Address(number)

    assert Guard(()).forbidden_kind(str(address)) or address.is_global


@pytest.mark.parametrize(
    ("networks", "address", "is_allowed"),
    [
        (["10.20.0.0/16"], "10.20.255.1", True),
        (["10.20.0.0/16"], "10.21.0.1", False),
        (["10.20.0.0/16"], "::ffff:10.20.0.1", True),
        (["10.20.0.0/16"], "64:ff9b::10.20.0.1", True),
        (["127.0.0.1"], "127.0.0.1", True),
        (["127.0.0.1"], "127.0.0.2", False),
        (["fd12::/48"], "fd12::1", True),
        (["fd12::/48"], "fd13::1", False),
        (["0.0.0.0/0"], "169.254.169.254", True),
        (["0.0.0.0/0"], "::1", False),
        (["::/0"], "::1", True),
        (["::/0"], "::ffff:127.0.0.1", False),
        (["fd12::/48", "192.168.0.0/16"], "192.168.1.1", True),
    ],
)
def test_the_operator_allows_networks(networks: list[str], address: str, is_allowed: bool) -> None:
    assert (Guard(networks).forbidden_kind(address) == "") is is_allowed


def test_no_socket_is_made_for_a_forbidden_address() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 80))

    with noted_attempts() as attempts, pytest.raises(AddressForbidden):
        Guard(())(info)
    with noted_attempts() as others, Guard(["127.0.0.0/8"])(info) as made:
        assert made.family is socket.AF_INET

    assert (attempts, others) == ([guard.LOOPBACK], [""])


# Through the whole client


class Visits:
    """Who connected, by the address that was connected to."""

    def __init__(self) -> None:
        self.to: list[str] = []
        self.port = 0


@asynccontextmanager
async def listening(
    *hosts: str, answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nGOLD"
) -> AsyncIterator[Visits]:
    """Servers on one port of several addresses; an IPv6 one that the machine does not have is left out."""
    visits = Visits()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.to.append(writer.get_extra_info("sockname")[0])
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        writer.close()

    async with AsyncExitStack() as stack:
        for host in hosts:
            try:
                server = await asyncio.start_server(handle, host, visits.port)
            except OSError:
                assert ":" in host
                continue
            await stack.enter_async_context(server)
            visits.port = server.sockets[0].getsockname()[1]
        yield visits


class Names(AbstractResolver):
    """Answers each question with the next list of addresses, the last one again and again."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = [list(answer) for answer in answers]
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        pass


async def ask(
    url: str, *allowed: str, names: AbstractResolver | None = None, times: int = 1, **request: object
) -> list[Response | LookupFailed]:
    """What each of several requests of one client comes to."""
    client = HttpClient(replace(CLOSED, allowed_networks=allowed), resolver=names)
    came: list[Response | LookupFailed] = []
    try:
        for _ in range(times):
            try:
                came.append(await client.send(Request(name="find", url=url, **request), 5.0))  # type: ignore[arg-type]
            except LookupFailed as failed:
                came.append(failed)
    finally:
        await client.aclose()
    return came


def assert_forbidden(came: Response | LookupFailed, kind: str) -> None:
    assert type(came) is LookupRefused, "and so it is never asked again"
    assert came.fault is Fault.FORBIDDEN
    assert f"leads to {kind}" in came.problem
    assert "worker.allowed_networks" in came.problem


# A host's own forms are refused as addresses, or come to the guard when they are resolved.
HOSTS = [
    ("127.0.0.1", Fault.FORBIDDEN),
    ("127.0.0.1.", None),
    ("127.1", None),
    ("127.0.1", None),
    ("2130706433", None),
    ("017700000001", None),
    ("0x7f000001", None),
    ("0x7f.1", None),
    ("0x7f.0x0.0x0.0x1", None),
    ("0177.0.0.1", None),
    ("0177.0.0.0x1", None),
    ("0", None),
    ("0.0.0.0", Fault.FORBIDDEN),
    ("[::]", Fault.FORBIDDEN),
    ("[::1]", Fault.FORBIDDEN),
    ("[0:0:0:0:0:0:0:1]", Fault.FORBIDDEN),
    ("[::ffff:127.0.0.1]", Fault.FORBIDDEN),
    ("[::ffff:7f00:1]", Fault.FORBIDDEN),
    ("[::127.0.0.1]", Fault.FORBIDDEN),
    ("[64:ff9b::127.0.0.1]", Fault.FORBIDDEN),
    ("[2002:7f00:1::]", Fault.FORBIDDEN),
    ("localhost", Fault.FORBIDDEN),
    ("LOCALHOST", Fault.FORBIDDEN),
    ("localhost.", None),
    ("localhost..", None),
    ("１２７.０.０.１", None),
    ("①②⑦.⓪.⓪.①", None),
    ("127。0。0。1", None),
    ("crm.example@127.0.0.1", Fault.FORBIDDEN),
    ("127.0.0.1%00.crm.example", None),
]


@pytest.mark.parametrize(("host", "fault"), HOSTS)
@pytest.mark.parametrize("writes", [False, True])
async def test_no_way_of_writing_loopback_is_connected_to(
    host: str, fault: Fault | None, writes: bool
) -> None:
    async with listening("127.0.0.1", "::1") as visits:
        (came,) = await ask(f"http://{host}:{visits.port}/", method="GET", writes=writes)

    assert isinstance(came, LookupFailed)
    assert visits.to == []
    assert came.fault in ((fault,) if fault else (Fault.FORBIDDEN, Fault.ADDRESS, Fault.DNS, Fault.SETTINGS))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"])
async def test_what_the_operator_allows_is_connected_to(host: str) -> None:
    async with listening("127.0.0.1") as visits:
        (came,) = await ask(f"http://{host}:{visits.port}/", "127.0.0.0/8", "0.0.0.0/32")

    assert isinstance(came, Response)
    assert visits.to == ["127.0.0.1"]


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"], ["::1", "127.0.0.2", "127.0.0.1", "10.0.0.1"]],
)
async def test_of_several_addresses_the_forbidden_ones_are_passed_over(addresses: list[str]) -> None:
    async with listening("127.0.0.1", "127.0.0.2", "::1") as visits:
        (came,) = await ask(f"http://crm.example:{visits.port}/", "127.0.0.1/32", names=Names(addresses))

    assert isinstance(came, Response)
    assert visits.to == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("addresses", "kind"),
    [
        (["127.0.0.1"], guard.LOOPBACK),
        (["10.0.0.1", "127.0.0.1"], guard.PRIVATE),
        (["127.0.0.1", "127.0.0.2", "127.0.0.3"], guard.LOOPBACK),
        (["fe80::1", "127.0.0.1", "fd00:ec2::254", "169.254.169.254"], guard.LINK_LOCAL),
    ],
)
async def test_a_name_with_forbidden_addresses_only_is_forbidden(addresses: list[str], kind: str) -> None:
    """However aiohttp wraps the refusals: it makes one error of them."""
    async with listening("127.0.0.1", "127.0.0.2") as visits:
        (came,) = await ask(f"http://crm.example:{visits.port}/", names=Names(addresses))

    assert_forbidden(came, kind)
    assert visits.to == []


@pytest.mark.parametrize("addresses", [["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"]])
async def test_an_allowed_address_where_nobody_listens_may_be_asked_again(addresses: list[str]) -> None:
    async with listening("127.0.0.2") as visits:
        (came,) = await ask(f"http://crm.example:{visits.port}/", "127.0.0.1/32", names=Names(addresses))

    assert isinstance(came, LookupUnavailable)
    assert came.fault is Fault.ADDRESS
    assert visits.to == []


async def test_a_name_that_changes_between_check_and_use_is_forbidden() -> None:
    """DNS rebinding: the one who asks first, to check the name, hears a public address."""
    names = Names(["93.184.216.34"], ["127.0.0.1"])
    checked = [Guard(()).forbidden_kind(found["host"]) for found in await names.resolve("crm.example")]

    async with listening("127.0.0.1") as visits:
        (came,) = await ask(f"http://crm.example:{visits.port}/", names=names)

    assert checked == [""]
    assert_forbidden(came, guard.LOOPBACK)
    assert visits.to == []


async def test_a_name_that_changes_after_the_first_request_is_forbidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "NAMES_KEPT_SECONDS", 0)
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nGOLD"
    async with listening("127.0.0.1", "127.0.0.2", answer=closing) as visits:
        first, second = await ask(
            f"http://crm.example:{visits.port}/",
            "127.0.0.1/32",
            names=Names(["127.0.0.1"], ["127.0.0.2"]),
            times=2,
        )

    assert isinstance(first, Response)
    assert_forbidden(second, guard.LOOPBACK)
    assert visits.to == ["127.0.0.1"]


async def test_a_name_that_changes_during_a_redirect_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "NAMES_KEPT_SECONDS", 0)
    elsewhere = b"HTTP/1.1 302 Found\r\nLocation: /b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    async with listening("127.0.0.1", "127.0.0.2", answer=elsewhere) as visits:
        (came,) = await ask(
            f"http://crm.example:{visits.port}/a",
            "127.0.0.1/32",
            names=Names(["127.0.0.1"], ["127.0.0.2"]),
            follows_redirects=True,
        )

    assert_forbidden(came, guard.LOOPBACK)
    assert visits.to == ["127.0.0.1"]


@pytest.mark.parametrize("host", ["127.0.0.2", "localhost", "[::1]", "2130706434", "[::ffff:127.0.0.2]"])
@pytest.mark.parametrize("follows", [True, False])
async def test_a_redirect_leads_to_no_forbidden_address(host: str, follows: bool) -> None:
    async with listening("127.0.0.2", "::1") as inner:
        location = f"http://{host}:{inner.port}/".encode()
        moved = b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"
        async with listening("127.0.0.1", answer=moved) as outer:
            (came,) = await ask(f"http://127.0.0.1:{outer.port}/", "127.0.0.1/32", follows_redirects=follows)

    assert inner.to == []
    if follows:
        assert isinstance(came, LookupRefused)
        assert came.fault is Fault.ADDRESS
    else:
        assert isinstance(came, Response)
        assert came.headers["location"] == location.decode()
