"""What every peer has: its lines of dialplan, its modules, and the processes that it starts."""

import contextlib
import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from deploy.rig.sample_site import Site

LOOKUP_SECONDS = 2.5
"""How long a caller waits for the CRM at most: crmroute's default, and every peer's."""
RINGING = "Ringing()"
LEVELS = ("GOLD", "SILVER", "BRONZE")

BY_LEVEL = "\n".join(
    [
        *(f' same => n,GotoIf($["${{LEVEL}}" = "{level}"]?bench-land,{level.lower()},1)' for level in LEVELS),
        " same => n,Goto(bench-land,default,1)",
    ]
)
"""A destination for each value, as FreePBX's Dynamic Routes writes it."""


class Peer(ABC):
    """`crms` are the addresses of the tenants' CRMs: a call to tenant 1 is asked of the second one."""

    name: ClassVar[str]
    title: ClassVar[str]
    modules: ClassVar[Sequence[str]] = ()
    """Of Asterisk, beside the shipped ones."""
    remembers: ClassVar[bool] = False
    """A caller who was asked about is answered for without the CRM."""
    asks: ClassVar[bool] = True

    def __init__(self, crms: Sequence[str]) -> None:
        self.crms = crms

    @abstractmethod
    def dialplan(self, tenant: int) -> str:
        """Priorities from the second on, for a call that has just been heard of: `same => n,...`."""

    def files(self) -> Mapping[str, str]:
        """Configuration files of Asterisk's, by name."""
        return {}

    def settings(self) -> str:
        """What it needs in crmroute's local.toml."""
        return ""

    def start(self, site: Site) -> Mapping[str, int]:
        """Start its programs, and return when they serve: process ids by name."""
        return {}


def free_port() -> int:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def lookup_url(crm: str) -> str:
    """The caller's number is digits behind a plus, which is %2B in an address."""
    return f"{crm}/lookup?field_name=status&caller=%2B"
