"""Which addresses look-ups may connect to: those of the public internet, and what the operator allows.

Tenants name the addresses of their CRMs, so an address could lead into the operator's own network: to a
service that trusts whoever reaches it, or to a cloud's metadata, which holds keys. A host's name proves
nothing (its owner says what it resolves to, and may say something else a moment later), nor does a numeric
host, which can be written in many ways. What counts is the address that is connected to, so `Guard` is the
socket factory of aiohttp's connector: it is called with each single address that is about to be connected to,
resolved or literal, and makes the socket or refuses. Nothing is resolved between that and the connection.

What is public follows IANA's registries of special-purpose addresses (RFC 6890 and its updates), held as
tables here: Python's `is_global` knows neither multicast nor the addresses that carry another one in them.
IPv6 beyond 2000::/3 is not assigned, and so not public.

aiohttp tries the addresses of a name in turn or side by side, and makes one error of all failures.
`noted_attempts` remembers what became of each, so that "forbidden" is told from "nobody listens".
"""

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from router.core.faults import Fault
from workers.errors import LookupRefused

AddressInfo = tuple[
    int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]
]
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LOOPBACK = "a loopback address"
PRIVATE = "a private address"
LINK_LOCAL = "a link-local address"
METADATA = "the metadata address of a cloud"
MULTICAST = "a multicast address"
BROADCAST = "the broadcast address"
UNSPECIFIED = "an unspecified address"
SHARED = "an address of carrier-grade NAT"
BENCHMARK = "an address for benchmarks"
EXAMPLE = "an address for documentation"
RESERVED = "a reserved address"
TUNNEL = "an address of a tunnel to IPv4"

_SPECIAL_4 = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("169.254.169.254/32", METADATA),
        ("168.63.129.16/32", METADATA),  # Azure's, although it looks public
        ("100.100.100.200/32", METADATA),  # Alibaba Cloud's
        ("192.0.0.192/32", METADATA),  # Oracle Cloud's classic one
        ("0.0.0.0/8", UNSPECIFIED),
        ("10.0.0.0/8", PRIVATE),
        ("100.64.0.0/10", SHARED),
        ("127.0.0.0/8", LOOPBACK),
        ("169.254.0.0/16", LINK_LOCAL),
        ("172.16.0.0/12", PRIVATE),
        ("192.0.0.0/24", RESERVED),
        ("192.0.2.0/24", EXAMPLE),
        ("192.88.99.0/24", TUNNEL),
        ("192.168.0.0/16", PRIVATE),
        ("198.18.0.0/15", BENCHMARK),
        ("198.51.100.0/24", EXAMPLE),
        ("203.0.113.0/24", EXAMPLE),
        ("224.0.0.0/4", MULTICAST),
        ("255.255.255.255/32", BROADCAST),
        ("240.0.0.0/4", RESERVED),
    )
)
_SPECIAL_6 = tuple(
    (IPv6Network(network), kind)
    for network, kind in (
        ("::/128", UNSPECIFIED),
        ("::1/128", LOOPBACK),
        ("fd00:ec2::254/128", METADATA),  # Amazon's
        ("fd20:ce::254/128", METADATA),  # Google's
        ("::/96", TUNNEL),  # IPv4-compatible
        ("::ffff:0:0:0/96", TUNNEL),  # IPv4-translated (RFC 2765)
        ("64:ff9b:1::/48", PRIVATE),  # NAT64 within one network (RFC 8215)
        ("fc00::/7", PRIVATE),
        ("fe80::/10", LINK_LOCAL),
        ("fec0::/10", PRIVATE),
        ("ff00::/8", MULTICAST),
        ("2001::/32", TUNNEL),  # Teredo
        ("2001:2::/48", BENCHMARK),
        ("2001:db8::/32", EXAMPLE),
        ("2001::/23", RESERVED),
        ("2002::/16", TUNNEL),  # 6to4
        ("3fff::/20", EXAMPLE),
    )
)
_PUBLIC_6 = IPv6Network("2000::/3")
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_LAST_32_BITS = 0xFFFF_FFFF

_attempts: ContextVar[list[str]] = ContextVar("attempts")


class AddressForbidden(OSError):
    """The guard's refusal, in the shape in which aiohttp goes on to the name's next address."""


class Guard:
    """Makes the sockets of allowed addresses. `allowed_networks` are those of the operator's settings."""

    def __init__(self, allowed_networks: Iterable[str]) -> None:
        self._allowed = tuple(ip_network(network) for network in allowed_networks)

    def __call__(self, info: AddressInfo) -> socket.socket:
        family, type_, protocol, _, address = info
        kind = self.forbidden_kind(address[0])
        noted = _attempts.get(None)
        if noted is not None:
            noted.append(kind)
        if kind:
            raise AddressForbidden(f"{kind} is not connected to")
        return socket.socket(family, type_, protocol)

    def forbidden_kind(self, host: str) -> str:
        """What the address is that it may not be asked, such as "a private address"; empty for one that may.

        What is not an address in its plain form cannot be judged, and may not be asked either.
        """
        try:
            address = _carried(ip_address(host.partition("%")[0]))
        except ValueError:
            return RESERVED
        if any(address in network for network in self._allowed):
            return ""
        return special_kind(address)


def special_kind(address: Address) -> str:
    """Empty for a public address."""
    if isinstance(address, IPv4Address):
        return next((kind for network, kind in _SPECIAL_4 if address in network), "")
    named = next((kind for network, kind in _SPECIAL_6 if address in network), "")
    return named or ("" if address in _PUBLIC_6 else RESERVED)


def _carried(address: Address) -> Address:
    """The IPv4 address that is reached in the end, by this host's own stack or by its network's NAT64."""
    if isinstance(address, IPv6Address) and (address in _MAPPED or address in _NAT64):
        return IPv4Address(int(address) & _LAST_32_BITS)
    return address


@contextmanager
def noted_attempts() -> Iterator[list[str]]:
    """What became of each address that is tried within: its forbidden kind, or empty when it has none."""
    noted: list[str] = []
    token = _attempts.set(noted)
    try:
        yield noted
    finally:
        _attempts.reset(token)


def forget_attempts() -> None:
    """For the next connection: what the former ones came to says nothing of it."""
    _attempts.get([]).clear()


def forbidden(kind: str) -> LookupRefused:
    """The error of a look-up whose address, or each address of its name, was refused."""
    return LookupRefused(
        f"the address leads to {kind}, which this system does not ask; "
        "its operator may allow the network (worker.allowed_networks)",
        fault=Fault.FORBIDDEN,
    )
