"""Ports on the loopback interface that nobody uses at this moment."""

import secrets
import socket
from dataclasses import dataclass

from deploy.rig.errors import AsteriskFailed


@dataclass(frozen=True)
class Ports:
    ami: int
    sip: int
    rtp_first: int
    rtp_last: int
    ami_tls: int = 0
    """Used where the server has a certificate."""


def free_ports(rtp_ports: int = 2000) -> Ports:
    """Ports that nobody uses at this moment.

    RTP ranges come from below Linux's ephemeral ports, so that no client socket takes one; each is picked by
    chance, and is taken when a port from its middle and both ends are free.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as ami:
        ami.bind(("127.0.0.1", 0))
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as ami_tls,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sip,
        ):
            ami_tls.bind(("127.0.0.1", 0))
            sip.bind(("127.0.0.1", 0))
            first = _free_rtp_range(rtp_ports)
            ami_port, sip_port, tls_port = (one.getsockname()[1] for one in (ami, sip, ami_tls))
            return Ports(ami_port, sip_port, first, first + rtp_ports - 1, tls_port)


def _free_rtp_range(count: int) -> int:
    slots = (32000 - 10000) // count
    for _ in range(50):
        first = 10000 + count * secrets.randbelow(slots)
        if all(_is_free_udp(port) for port in (first, first + count // 2, first + count - 2)):
            return first
    raise AsteriskFailed("no free range of RTP ports")


def free_media_port(address: str) -> int:
    """The first of the ports that a caller takes for sound, and for video beside it, in use or not."""
    for _ in range(50):
        first = 10000 + 4 * secrets.randbelow((32000 - 10000) // 4)
        if all(_is_free_udp(first + more, address) for more in range(4)):
            return first
    raise AsteriskFailed("no free ports for a caller's media")


def _is_free_udp(port: int, address: str = "127.0.0.1") -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
